#include "garden/cgroup/text.hpp"

#include "base/parse.hpp"

#include <algorithm>
#include <cmath>

namespace garden::cgroup {

namespace {

std::vector<std::string_view> split(std::string_view text, char mark) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const auto at = text.find(mark);
        parts.push_back(text.substr(0, at));
        text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
    }
    return parts;
}

bool is_controller(std::string_view word) {
    static constexpr std::string_view kKnown[] = {
            "cpu",  "cpuacct", "cpuset",   "memory",     "devices", "freezer", "blkio",
            "pids", "net_cls", "net_prio", "perf_event", "hugetlb", "rdma",    "misc"};
    return word.starts_with("name=") || std::ranges::find(kKnown, word) != std::end(kKnown);
}

}  // namespace

std::uint64_t weight_of_shares(std::uint64_t shares) {
    if (shares == 0) return 0;
    if (shares <= 2) return 1;
    if (shares >= 262144) return 10000;
    const double l = std::log2(static_cast<double>(shares));
    const double exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
    return static_cast<std::uint64_t>(std::ceil(std::pow(10.0, exponent)));
}

std::vector<Mount> parse_mounts(std::string_view mountinfo) {
    std::vector<Mount> mounts;
    for (const auto line : split(mountinfo, '\n')) {
        const auto dash = line.find(" - ");
        if (dash == std::string_view::npos) continue;
        const auto left = split(line.substr(0, dash), ' ');
        const auto right = split(line.substr(dash + 3), ' ');
        if (left.size() < 5 || right.size() < 3 || (right[0] != "cgroup" && right[0] != "cgroup2"))
            continue;
        Mount mount{
                .point = std::string(left[4]),
                .root = std::string(left[3]),
                .unified = right[0] == "cgroup2",
                .controllers = {}};
        if (!mount.unified) {
            for (const auto word : split(right[2], ',')) {
                if (is_controller(word)) mount.controllers.emplace_back(word);
            }
            if (mount.controllers.empty()) continue;
        }
        // The same hierarchy mounted twice is one hierarchy.
        const bool seen = std::ranges::any_of(mounts, [&](const Mount& other) {
            return other.unified == mount.unified && other.controllers == mount.controllers;
        });
        if (!seen) mounts.push_back(std::move(mount));
    }
    return mounts;
}

std::map<std::string, std::string> parse_own_groups(std::string_view text) {
    std::map<std::string, std::string> groups;
    for (const auto line : split(text, '\n')) {
        const auto first = line.find(':');
        const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const std::string path(line.substr(second + 1));
        const auto names = line.substr(first + 1, second - first - 1);
        if (names.empty()) groups[""] = path;
        for (const auto name : split(names, ',')) groups[std::string(name)] = path;
    }
    return groups;
}

std::string below_mount(std::string_view group, std::string_view root) {
    if (group.find("/..") != std::string_view::npos) return "";
    if (root == "/") return group == "/" ? "" : std::string(group);
    if (!group.starts_with(root)) return "";
    const auto rest = group.substr(root.size());
    return rest.empty() || rest[0] == '/' ? std::string(rest) : "";
}

std::map<std::string, std::uint64_t> parse_figures(std::string_view text) {
    std::map<std::string, std::uint64_t> figures;
    for (const auto line : split(text, '\n')) {
        const auto space = line.find(' ');
        if (space == std::string_view::npos) continue;
        auto value = base::parse_number<std::uint64_t>(line.substr(space + 1), "figure");
        if (value) figures[std::string(line.substr(0, space))] = *value;
    }
    return figures;
}

std::uint64_t parse_limit(std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;  // v1 rounds 2^63-1 down to a page
    auto value = base::parse_number<std::uint64_t>(text, "limit");
    return value && *value < kUnlimited ? *value : 0;
}

}  // namespace garden::cgroup
