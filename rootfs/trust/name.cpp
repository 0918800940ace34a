#include "rootfs/trust/name.hpp"

#include "base/fail.hpp"
#include "rootfs/image/reference.hpp"

#include <algorithm>

namespace rootfs::trust {

namespace {

bool allowed(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-._/:[]").find(c) != std::string_view::npos;
}

// One registry answers under several names (rootfs/image/reference.cpp).
std::string_view one_spelling(std::string_view host) {
    const bool hub = host == "index.docker.io" || host == "registry-1.docker.io";
    return hub ? std::string_view("docker.io") : host;
}

}  // namespace

base::Result<std::string> parse_scope(std::string_view text, std::string_view what) {
    constexpr std::size_t kShown = 80;
    const auto slash = text.find('/');
    const auto host = text.substr(0, slash);
    const auto path = slash == std::string_view::npos ? std::string_view() : text.substr(slash);
    const bool good = !host.empty() && text.size() <= kMaxReference && !text.ends_with('/') &&
                      text.find("//") == std::string_view::npos &&
                      path.find(':') == std::string_view::npos &&
                      std::all_of(text.begin(), text.end(), allowed);
    if (!good) {
        return base::fail(
                base::Errc::invalid,
                "{}: '{}' is not host[:port][/repository] in lower case, without scheme and tag",
                what, text.substr(0, kShown));
    }
    return std::string(one_spelling(host)) + std::string(path);
}

base::Result<Name> parse_name(std::string_view text, std::string_view what) {
    Name out;
    const auto at = text.find('@');
    if (at != std::string_view::npos) {
        out.digest = TRY(parse_digest(text.substr(at + 1))).get();
        text = text.substr(0, at);
    }
    const auto slash = text.rfind('/');
    const auto colon = text.rfind(':');
    if (slash == std::string_view::npos)
        return base::fail(
                base::Errc::invalid, "{}: '{}' has no repository", what, text.substr(0, kMaxTag));
    if (colon != std::string_view::npos && colon > slash) {
        out.tag = text.substr(colon + 1);
        text = text.substr(0, colon);
        if (out.tag.empty() || out.tag.size() > kMaxTag)
            return base::fail(
                    base::Errc::invalid, "{}: a tag of {} characters, allowed are 1 to {}", what,
                    out.tag.size(), kMaxTag);
    }
    out.repository = TRY(parse_scope(text, what));
    return out;
}

bool covers(std::string_view scope, std::string_view repository) {
    if (!repository.starts_with(scope)) return false;
    return repository.size() == scope.size() || repository[scope.size()] == '/';
}

bool matches(const IdentityRule& rule, const Name& asked, const Name& is_signed) {
    switch (rule.match) {
        case Match::repository:
            return is_signed.repository == asked.repository;
        case Match::exact: {
            if (is_signed.repository != asked.repository) return false;
            if (!asked.digest.empty() && is_signed.digest == asked.digest) return true;
            return !asked.tag.empty() && is_signed.tag == asked.tag;
        }
        case Match::remapped: {
            if (!covers(rule.from, asked.repository)) return false;
            return is_signed.repository == rule.to + asked.repository.substr(rule.from.size());
        }
    }
    return false;
}

}  // namespace rootfs::trust
