#include "rootfs/trust/strict.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace rootfs::trust {

base::Result<void> check_members(
        const Json& object, std::initializer_list<std::string_view> known, std::string_view what) {
    if (!object.is_object())
        return base::fail(
                base::Errc::invalid, "{} must be an object, not {}", what, object.type_name());
    for (const auto& entry : object.items()) {
        if (std::find(known.begin(), known.end(), entry.key()) != known.end()) continue;
        constexpr std::size_t kShown = 64;
        return base::fail(
                base::Errc::invalid, "{} has the unknown member '{}'", what,
                entry.key().substr(0, kShown));
    }
    return base::ok;
}

base::Result<const Json*> required(const Json& object, const char* name, std::string_view what) {
    const Json* found = member(object, name);
    if (found == nullptr)
        return base::fail(base::Errc::invalid, "{}: member '{}' is missing", what, name);
    return found;
}

base::Result<std::string> required_text(
        const Json& object, const char* name, std::string_view what) {
    (void)TRY(required(object, name, what));
    auto text = TRY(text_member(object, name, what));
    if (text.empty())
        return base::fail(base::Errc::invalid, "{}: member '{}' is empty", what, name);
    return text;
}

}  // namespace rootfs::trust
