#include "rootfs/trust/statement.hpp"

#include "base/fail.hpp"
#include "rootfs/trust/strict.hpp"

namespace rootfs::trust {

namespace {

constexpr const char* kWhat = "signed statement";

}  // namespace

base::Result<Statement> parse_statement(std::string_view text, std::string_view type) {
    const auto json = TRY(parse_json(text, kWhat));
    TRY(check_members(json, {"critical", "optional"}, kWhat));
    // What stands in "optional" is the signer's chatter: it must have the right form and is not
    // looked at.
    const Json* optional = member(json, "optional");
    if (optional != nullptr && !optional->is_object()) {
        return base::fail(base::Errc::corrupt, "{}: 'optional' must be an object", kWhat);
    }
    const Json& critical = *TRY(required(json, "critical", kWhat));
    TRY(check_members(critical, {"identity", "image", "type"}, "critical"));
    const auto found = TRY(required_text(critical, "type", "critical"));
    if (found != type) {
        constexpr std::size_t kShown = 64;
        return base::fail(
                base::Errc::corrupt, "{}: the type is '{}', not '{}'", kWhat,
                found.substr(0, kShown), type);
    }
    const Json& image = *TRY(required(critical, "image", "critical"));
    TRY(check_members(image, {"docker-manifest-digest"}, "critical.image"));
    const Json& identity = *TRY(required(critical, "identity", "critical"));
    TRY(check_members(identity, {"docker-reference"}, "critical.identity"));
    Statement out;
    const auto digest = TRY(required_text(image, "docker-manifest-digest", "critical.image"));
    out.digest = TRY(parse_digest(digest));
    out.reference = TRY(required_text(identity, "docker-reference", "critical.identity"));
    return out;
}

}  // namespace rootfs::trust
