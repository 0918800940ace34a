#include "brain/store/keyspace.hpp"

#include "base/fail.hpp"

namespace brain::store {

base::Result<void> check_key(std::string_view key) {
    if (key.empty()) return base::fail(base::Errc::invalid, "key: empty");
    if (key.size() > kMaxKey)
        return base::fail(
                base::Errc::invalid, "key '{}': {} bytes, at most {}", printable(key), key.size(),
                kMaxKey);
    return base::ok;
}

base::Result<void> check_value(std::string_view key, std::string_view value) {
    if (value.size() <= kMaxValue) return base::ok;
    return base::fail(
            base::Errc::invalid, "value of key '{}': {} bytes, at most {}", printable(key),
            value.size(), kMaxValue);
}

base::Result<void> check_changes(std::span<const Change> changes) {
    for (const auto& change : changes) {
        TRY(check_key(change.key));
        if (change.value) TRY(check_value(change.key, *change.value));
    }
    return base::ok;
}

std::optional<std::string> end_of_prefix(std::string_view prefix) {
    while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff)
        prefix.remove_suffix(1);
    if (prefix.empty()) return {};
    std::string end(prefix);
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1U);
    return end;
}

std::string printable(std::string_view key) {
    constexpr std::size_t kShown = 64;
    std::string out;
    for (const char c : key.substr(0, kShown)) {
        if (c >= ' ' && c <= '~' && c != '\\')
            out += c;
        else
            out += base::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    if (key.size() > kShown) out += "...";
    return out;
}

}  // namespace brain::store
