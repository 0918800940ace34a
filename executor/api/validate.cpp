// What a run request and an allocation must satisfy before anything changes (executor-rep §2.2,
// §3.3, §5.1, §7.2; receptor-api §8).
#include "base/fail.hpp"
#include "executor/api/types.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace executor::api {

namespace {

constexpr std::size_t kMaxPorts = 256;
constexpr std::size_t kMaxRules = 1'000;
constexpr std::size_t kMaxChecks = 64;
constexpr std::size_t kMaxDependencies = 256;
constexpr std::size_t kMaxMountedFiles = 256;
constexpr std::size_t kMaxMountedBytes = std::size_t{1} << 20;
constexpr std::uint32_t kMaxCpuWeight = 100;
constexpr std::int64_t kMaxMegabytes = std::int64_t{1} << 40;

using base::Errc;
using base::fail;

base::Result<void> at_most(std::size_t count, std::size_t limit, std::string_view field) {
    if (count <= limit) return base::ok;
    return fail(Errc::invalid, "{}: {} elements, the limit is {}", field, count, limit);
}

base::Result<void> absolute(const std::string& path, const std::string& field) {
    if (path.starts_with('/') && path.find('\0') == std::string::npos) return base::ok;
    return fail(Errc::invalid, "{}: '{}' is not an absolute path", field, path);
}

base::Result<void> in_range(std::int64_t value, std::string_view field) {
    if (value >= 0 && value <= kMaxMegabytes) return base::ok;
    return fail(Errc::invalid, "{}: {} is not in 0..{}", field, value, kMaxMegabytes);
}

base::Result<void> check(const Check& check, const std::string& field) {
    if (check.tcp_check.has_value() == check.http_check.has_value())
        return fail(Errc::invalid, "{}: exactly one of tcp_check and http_check", field);
    const auto port = check.tcp_check ? check.tcp_check->port : check.http_check->port;
    if (port == 0) return fail(Errc::invalid, "{}.port: 0 is not in 1..65535", field);
    // The path goes into a request line as it is.
    if (check.http_check)
        for (const char c : check.http_check->path)
            if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f')
                return fail(Errc::invalid, "{}.path: blanks and control characters", field);
    return base::ok;
}

base::Result<void> checks(const std::vector<Check>& list, const std::string& field) {
    TRY(at_most(list.size(), kMaxChecks, field));
    for (std::size_t i = 0; i < list.size(); ++i)
        TRY(check(list[i], base::format("{}[{}]", field, i)));
    return base::ok;
}

struct Address {
    int family = 0;
    std::array<unsigned char, 16> bytes{};
};

base::Result<Address> parse_address(const std::string& text, const std::string& field) {
    Address address;
    for (const int family : {AF_INET, AF_INET6}) {
        address.family = family;
        if (::inet_pton(family, text.c_str(), address.bytes.data()) == 1) return address;
    }
    return fail(Errc::invalid, "{}: '{}' is not an address", field, text);
}

base::Result<void> destination(const std::string& text, const std::string& field) {
    if (const auto dash = text.find('-'); dash != std::string::npos) {
        const auto first = TRY(parse_address(text.substr(0, dash), field));
        const auto last = TRY(parse_address(text.substr(dash + 1), field));
        if (first.family == last.family && first.bytes <= last.bytes) return base::ok;
        return fail(Errc::invalid, "{}: '{}' is not first-last", field, text);
    }
    const auto slash = text.find('/');
    const auto address = TRY(parse_address(text.substr(0, slash), field));
    if (slash == std::string::npos) return base::ok;
    const auto digits = text.substr(slash + 1);
    const auto most = address.family == AF_INET ? 32U : 128U;
    unsigned length = 0;
    for (const char c : digits)
        length = c >= '0' && c <= '9' ? length * 10 + static_cast<unsigned>(c - '0') : 999;
    if (!digits.empty() && digits.size() <= 3 && length <= most) return base::ok;
    return fail(Errc::invalid, "{}: '{}' has no prefix length of 0..{}", field, text, most);
}

base::Result<void> rule_ports(const EgressRule& rule, const std::string& field) {
    if (rule.ports.empty() == !rule.port_range.has_value())
        return fail(Errc::invalid, "{}: exactly one of ports and port_range", field);
    if (std::ranges::find(rule.ports, 0) != rule.ports.end())
        return fail(Errc::invalid, "{}.ports: 0 is not in 1..65535", field);
    if (rule.port_range &&
        (rule.port_range->start == 0 || rule.port_range->start > rule.port_range->end))
        return fail(
                Errc::invalid, "{}.port_range: {}-{} is no range in 1..65535", field,
                rule.port_range->start, rule.port_range->end);
    return base::ok;
}

base::Result<void> egress(const EgressRule& rule, const std::string& field) {
    const bool ports = rule.protocol == "tcp" || rule.protocol == "udp";
    const bool icmp = rule.protocol == "icmp" || rule.protocol == "icmpv6";
    if (!ports && !icmp && rule.protocol != "all")
        return fail(
                Errc::invalid, "{}.protocol: '{}' is not one of tcp, udp, icmp, icmpv6, all", field,
                rule.protocol);
    if (rule.destinations.empty())
        return fail(Errc::invalid, "{}.destinations: must not be empty", field);
    TRY(at_most(rule.destinations.size(), kMaxRules, field + ".destinations"));
    for (const auto& joined : rule.destinations)
        for (std::size_t at = 0; at <= joined.size();) {
            const auto comma = std::min(joined.find(',', at), joined.size());
            TRY(destination(joined.substr(at, comma - at), field + ".destinations"));
            at = comma + 1;
        }
    if (ports) {
        TRY(rule_ports(rule, field));
    } else if (!rule.ports.empty() || rule.port_range) {
        return fail(Errc::invalid, "{}: {} rules have no ports", field, rule.protocol);
    }
    if (icmp != rule.icmp_info.has_value())
        return fail(
                Errc::invalid, "{}.icmp_info: {}", field, icmp ? "is required" : "only for icmp");
    return base::ok;
}

base::Result<void> mounts(const RunInfo& info) {
    TRY(at_most(info.volume_mounts.size(), kMaxDependencies, "volume_mounts"));
    for (std::size_t i = 0; i < info.volume_mounts.size(); ++i) {
        const auto& mount = info.volume_mounts[i];
        const auto field = base::format("volume_mounts[{}]", i);
        if (mount.driver.empty()) return fail(Errc::invalid, "{}.driver: must not be empty", field);
        TRY(absolute(mount.container_path, field + ".container_path"));
        if (mount.mode > 1)
            return fail(Errc::invalid, "{}.mode: {} is not 0 or 1", field, mount.mode);
    }
    TRY(at_most(info.volume_mounted_files.size(), kMaxMountedFiles, "volume_mounted_files"));
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < info.volume_mounted_files.size(); ++i) {
        const auto& file = info.volume_mounted_files[i];
        const auto field = base::format("volume_mounted_files[{}].path", i);
        if (file.path.empty()) return fail(Errc::invalid, "{}: must not be empty", field);
        // Relative to /etc/cf-service-bindings; it becomes a path on the host, too.
        if (("/" + file.path + "/").find("/../") != std::string::npos)
            return fail(Errc::invalid, "{}: '{}' leaves its directory", field, file.path);
        bytes += file.content.size();
    }
    if (bytes > kMaxMountedBytes)
        return fail(
                Errc::invalid, "volume_mounted_files: {} bytes, the limit is {}", bytes,
                kMaxMountedBytes);
    return base::ok;
}

base::Result<void> dependencies(const RunInfo& info) {
    TRY(at_most(info.cached_dependencies.size(), kMaxDependencies, "cached_dependencies"));
    for (std::size_t i = 0; i < info.cached_dependencies.size(); ++i) {
        const auto& one = info.cached_dependencies[i];
        const auto field = base::format("cached_dependencies[{}]", i);
        if (one.from.empty()) return fail(Errc::invalid, "{}.from: must not be empty", field);
        TRY(absolute(one.to, field + ".to"));
        TRY(validate_checksum(one.checksum_algorithm, one.checksum_value, field));
    }
    return base::ok;
}

base::Result<void> actions(const RunInfo& info) {
    if (!info.run || info.run->empty()) return fail(Errc::invalid, "run: an action is required");
    TRY(validate(*info.run, "run"));
    if (info.setup && !info.setup->empty()) TRY(validate(*info.setup, "setup"));
    if (info.monitor && !info.monitor->empty()) TRY(validate(*info.monitor, "monitor"));
    TRY(at_most(info.sidecars.size(), kMaxChecks, "sidecars"));
    for (std::size_t i = 0; i < info.sidecars.size(); ++i)
        TRY(validate(info.sidecars[i].run, base::format("sidecars[{}].run", i)));
    return base::ok;
}

}  // namespace

base::Result<void> validate(const RunInfo& info) {
    TRY(actions(info));
    if (info.cpu_weight > kMaxCpuWeight)
        return fail(Errc::invalid, "cpu_weight: {} is above {}", info.cpu_weight, kMaxCpuWeight);
    TRY(at_most(info.ports.size(), kMaxPorts, "ports"));
    for (std::size_t i = 0; i < info.ports.size(); ++i)
        if (info.ports[i].container_port == 0)
            return fail(Errc::invalid, "ports[{}].container_port: 0 is not in 1..65535", i);
    TRY(checks(info.check_definition.checks, "check_definition.checks"));
    TRY(checks(info.check_definition.readiness_checks, "check_definition.readiness_checks"));
    TRY(at_most(info.egress_rules.size(), kMaxRules, "egress_rules"));
    for (std::size_t i = 0; i < info.egress_rules.size(); ++i)
        TRY(egress(info.egress_rules[i], base::format("egress_rules[{}]", i)));
    TRY(at_most(info.env.size(), kMaxRules, "env"));
    for (std::size_t i = 0; i < info.env.size(); ++i)
        if (info.env[i].name.empty() || info.env[i].name.find('=') != std::string::npos)
            return fail(
                    Errc::invalid, "env[{}].name: '{}' is no name of a variable", i,
                    info.env[i].name);
    TRY(dependencies(info));
    TRY(mounts(info));
    if (info.log_rate_limit_bytes_per_second < -1)
        return fail(
                Errc::invalid, "log_rate_limit_bytes_per_second: {} is below -1",
                info.log_rate_limit_bytes_per_second);
    return base::ok;
}

base::Result<void> validate(const AllocationRequest& request) {
    if (request.guid.size() > kMaxGuid)
        return fail(
                Errc::invalid, "guid: {} bytes, the limit is {}", request.guid.size(), kMaxGuid);
    for (const char c : request.guid) {
        const bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
        if (!good || request.guid.starts_with('.'))
            return fail(
                    Errc::invalid, "guid: '{}' has other characters than letters, digits, - _ .",
                    request.guid);
    }
    TRY(in_range(request.memory_mb, "memory_mb"));
    TRY(in_range(request.disk_mb, "disk_mb"));
    return in_range(request.max_pids, "max_pids");
}

std::string cut_failure_reason(std::string_view reason) {
    constexpr std::string_view kMark = " ... (cut) ... ";
    const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
    const auto characters = static_cast<std::size_t>(std::ranges::count_if(reason, starts));
    if (characters <= kMaxFailureReason) return std::string(reason);
    constexpr auto kHead = (kMaxFailureReason - kMark.size()) / 2;
    constexpr auto kTail = kMaxFailureReason - kMark.size() - kHead;
    std::size_t head = reason.size();
    std::size_t tail = 0;
    std::size_t seen = 0;
    for (std::size_t at = 0; at < reason.size(); ++at) {
        if (!starts(reason[at])) continue;
        if (seen == kHead) head = at;
        if (seen == characters - kTail) tail = at;
        ++seen;
    }
    return std::string(reason.substr(0, head)).append(kMark).append(reason.substr(tail));
}

}  // namespace executor::api
