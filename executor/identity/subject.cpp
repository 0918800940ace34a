#include "base/fail.hpp"
#include "executor/identity/leaf.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace executor {

namespace {

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

base::Result<void> check_length(std::string_view what, std::string_view text) {
    if (!text.empty() && text.size() <= kMaxSubjectText) return base::ok;
    return base::fail(
            base::Errc::invalid, "{}: {} bytes, must be 1 to {}", what, text.size(),
            kMaxSubjectText);
}

// What becomes a DNS name: a NUL in one has let others read a shorter name (CVE-2009-2408).
base::Result<void> check_name(std::string_view what, std::string_view text) {
    TRY(check_length(what, text));
    // A wildcard label would speak for names that are not this instance's.
    if (std::all_of(text.begin(), text.end(), is_name_character)) return base::ok;
    return base::fail(
            base::Errc::invalid, "{}: '{}' has other characters than letters, digits, - _ .", what,
            text);
}

base::Result<void> check_address(const std::string& text) {
    std::array<unsigned char, 16> raw{};
    if (::inet_pton(AF_INET, text.c_str(), raw.data()) == 1 ||
        ::inet_pton(AF_INET6, text.c_str(), raw.data()) == 1)
        return base::ok;
    return base::fail(base::Errc::invalid, "address: '{}' is not an IP address", text);
}

base::Result<void> check_count(std::string_view what, std::size_t count, std::size_t limit) {
    if (count <= limit) return base::ok;
    return base::fail(base::Errc::invalid, "{}: {}, the limit is {}", what, count, limit);
}

}  // namespace

base::Result<void> check_subject(const Subject& subject) {
    TRY(check_name("guid", subject.guid));
    const auto& units = subject.organizational_units;
    TRY(check_count("organizational_unit", units.size(), kMaxOrganizationalUnits));
    for (const auto& unit : units) {
        TRY(check_length("organizational_unit", unit));
        if (std::any_of(unit.begin(), unit.end(), is_control))
            return base::fail(base::Errc::invalid, "organizational_unit: a control character");
    }
    TRY(check_count("internal_routes", subject.internal_routes.size(), kMaxInternalRoutes));
    for (const auto& route : subject.internal_routes) TRY(check_name("internal_routes", route));
    if (!subject.address.empty()) TRY(check_address(subject.address));
    return base::ok;
}

}  // namespace executor
