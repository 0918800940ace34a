#include "security/devices.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"

namespace security {

namespace {

// What the kernel's dev_t can hold.
constexpr std::uint32_t kMaxMajor = (1U << 12) - 1;
constexpr std::uint32_t kMaxMinor = (1U << 20) - 1;

DeviceRule all_of(
        char type, std::optional<std::uint32_t> major, std::optional<std::uint32_t> minor) {
    return {.type = type,
            .major = major,
            .minor = minor,
            .read = true,
            .write = true,
            .make = true};
}

base::Result<std::optional<std::uint32_t>> parse_part(
        std::string_view text, std::string_view what, std::uint32_t limit) {
    if (text == "*") return std::optional<std::uint32_t>{};
    const auto value = TRY(base::parse_number<std::uint32_t>(text, what));
    if (value > limit)
        return base::fail(
                base::Errc::invalid, "{} {} is above the limit of {}", what, value, limit);
    return std::optional<std::uint32_t>{value};
}

base::Result<void> parse_access(std::string_view letters, DeviceRule& rule) {
    if (letters.empty()) return base::fail(base::Errc::invalid, "device access is empty");
    for (const char letter : letters) {
        bool* flag = letter == 'r'   ? &rule.read
                     : letter == 'w' ? &rule.write
                     : letter == 'm' ? &rule.make
                                     : nullptr;
        if (flag == nullptr || *flag) {
            return base::fail(
                    base::Errc::invalid, "device access '{}' is not made of r, w and m, once each",
                    letters.substr(0, 16));
        }
        *flag = true;
    }
    return base::ok;
}

}  // namespace

std::vector<DeviceRule> device_rules(Class container_class) {
    std::vector<DeviceRule> rules = {// DEV-02
                                     all_of('c', 1, 3), all_of('c', 1, 5),   all_of('c', 1, 7),
                                     all_of('c', 1, 8), all_of('c', 1, 9),   all_of('c', 5, 0),
                                     all_of('c', 5, 2), all_of('c', 136, {})};
    if (container_class == Class::unprivileged) return rules;
    rules.push_back(all_of('c', 10, 229));  // fuse (DEV-03)
    rules.push_back(all_of('c', 10, 200));  // net/tun
    if (container_class == Class::privileged) {
        // Making a node is harmless while opening it is refused. In a user namespace the kernel
        // refuses even that.
        rules.push_back(
                {.type = 'c',
                 .major = {},
                 .minor = {},
                 .read = false,
                 .write = false,
                 .make = true});
        rules.push_back(
                {.type = 'b',
                 .major = {},
                 .minor = {},
                 .read = false,
                 .write = false,
                 .make = true});
    }
    return rules;
}

std::vector<DeviceNode> device_nodes(Class container_class) {
    std::vector<DeviceNode> nodes = {// DEV-01
                                     {.name = "null", .major = 1, .minor = 3, .mode = 0666},
                                     {.name = "zero", .major = 1, .minor = 5, .mode = 0666},
                                     {.name = "full", .major = 1, .minor = 7, .mode = 0666},
                                     {.name = "random", .major = 1, .minor = 8, .mode = 0666},
                                     {.name = "urandom", .major = 1, .minor = 9, .mode = 0666},
                                     {.name = "tty", .major = 5, .minor = 0, .mode = 0666}};
    if (container_class == Class::unprivileged) return nodes;
    nodes.push_back({.name = "fuse", .major = 10, .minor = 229, .mode = 0666});
    nodes.push_back({.name = "net/tun", .major = 10, .minor = 200, .mode = 0666});
    return nodes;
}

base::Result<DeviceRule> parse_device_rule(std::string_view text) {
    const auto space = text.find(' ');
    const auto second = space == std::string_view::npos ? space : text.find(' ', space + 1);
    const auto colon = text.find(':');
    if (space != 1 || second == std::string_view::npos || colon == std::string_view::npos ||
        colon > second) {
        return base::fail(
                base::Errc::invalid, "device rule '{}' is not like 'c 10:200 rwm'",
                text.substr(0, 64));
    }
    DeviceRule rule{.type = text[0]};
    if (rule.type != 'c' && rule.type != 'b') {
        return base::fail(
                base::Errc::invalid, "device type '{}' is neither b nor c", text.substr(0, 1));
    }
    rule.major =
            TRY(parse_part(text.substr(space + 1, colon - space - 1), "device major", kMaxMajor));
    rule.minor =
            TRY(parse_part(text.substr(colon + 1, second - colon - 1), "device minor", kMaxMinor));
    TRY(parse_access(text.substr(second + 1), rule));
    if (rule.type == 'b' && (!rule.major || !rule.minor)) {
        return base::fail(
                base::Errc::invalid, "device rule '{}': a block device is named without *",
                text);  // DEV-05
    }
    // Every character device includes /dev/mem: only making nodes may be that wide (DEV-05).
    if (!rule.major && (rule.read || rule.write)) {
        return base::fail(
                base::Errc::invalid, "device rule '{}': r and w need a major number", text);
    }
    return rule;
}

std::string to_string(const DeviceRule& rule) {
    const auto part = [](const std::optional<std::uint32_t>& n) {
        return n ? std::to_string(*n) : std::string("*");
    };
    std::string text(1, rule.type);
    text += ' ' + part(rule.major) + ':' + part(rule.minor) + ' ';
    if (rule.read) text += 'r';
    if (rule.write) text += 'w';
    if (rule.make) text += 'm';
    return text;
}

}  // namespace security
