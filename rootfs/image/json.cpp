#include "rootfs/image/json.hpp"

#include "base/fail.hpp"

#include <set>
#include <utility>

namespace rootfs {

namespace {

// Refuses what two parsers could read differently: the reason the parse ends early is thrown and
// caught below.
class StrictObserver {
  public:
    bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
        if (depth > kMaxJsonDepth) throw Refusal{"is nested deeper than 64 levels"};
        switch (event) {
            case Json::parse_event_t::object_start:
                keys_.emplace_back();
                break;
            case Json::parse_event_t::object_end:
                keys_.pop_back();
                break;
            case Json::parse_event_t::key:
                if (!keys_.back().insert(parsed.get_ref<const std::string&>()).second) {
                    throw Refusal{
                            "has the member '" + parsed.get<std::string>().substr(0, 64) +
                            "' twice"};
                }
                break;
            case Json::parse_event_t::array_start:
            case Json::parse_event_t::array_end:
            case Json::parse_event_t::value:
                break;
        }
        return true;
    }

    struct Refusal {
        std::string text;
    };

  private:
    std::vector<std::set<std::string>> keys_;
};

base::Error wrong_type(
        const char* name, std::string_view what, std::string_view wanted, const Json& found) {
    return base::fail(
            base::Errc::corrupt, "{}: member '{}' must be {}, not {}", what, name, wanted,
            found.type_name());
}

bool has_nul(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

}  // namespace

base::Result<Json> parse_json(std::string_view text, std::string_view what) {
    StrictObserver observer;
    try {
        // By reference: the parser copies its callback, and the keys must outlive no copy.
        auto document =
                Json::parse(text, [&observer](int depth, Json::parse_event_t event, Json& parsed) {
                    return observer(depth, event, parsed);
                });
        return document;
    } catch (const StrictObserver::Refusal& refusal) {
        return base::fail(base::Errc::corrupt, "{} {}", what, refusal.text);
    } catch (const std::exception& broken) {
        // The parser shows all that it read last, which may be the whole document.
        constexpr std::size_t kShown = 200;
        return base::fail(
                base::Errc::corrupt, "{} is not valid JSON: {}", what,
                std::string_view(broken.what()).substr(0, kShown));
    }
}

const Json* member(const Json& from, const char* name) {
    if (!from.is_object()) return nullptr;
    const auto found = from.find(name);
    if (found == from.end() || found->is_null()) return nullptr;
    return &*found;
}

base::Result<std::string> text_member(const Json& from, const char* name, std::string_view what) {
    const Json* found = member(from, name);
    if (found == nullptr) return std::string{};
    if (!found->is_string()) return wrong_type(name, what, "a string", *found);
    auto text = found->get<std::string>();
    if (has_nul(text)) {
        return base::fail(
                base::Errc::corrupt, "{}: member '{}' contains a NUL character", what, name);
    }
    return text;
}

base::Result<std::vector<std::string>> texts_member(
        const Json& from, const char* name, std::string_view what) {
    const Json* found = member(from, name);
    if (found == nullptr) return std::vector<std::string>{};
    if (!found->is_array()) return wrong_type(name, what, "a list of strings", *found);
    std::vector<std::string> texts;
    for (const auto& element : *found) {
        if (!element.is_string()) return wrong_type(name, what, "a list of strings", element);
        texts.push_back(element.get<std::string>());
        if (has_nul(texts.back())) {
            return base::fail(
                    base::Errc::corrupt, "{}: member '{}' contains a NUL character", what, name);
        }
    }
    return texts;
}

base::Result<std::uint64_t> size_member(const Json& from, const char* name, std::string_view what) {
    const Json* found = member(from, name);
    if (found == nullptr)
        return base::fail(base::Errc::corrupt, "{}: member '{}' is missing", what, name);
    if (!found->is_number_unsigned()) {
        return wrong_type(name, what, "a whole number that is not negative", *found);
    }
    return found->get<std::uint64_t>();
}

}  // namespace rootfs
