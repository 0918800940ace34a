#include "garden/plan/environment.hpp"

#include "base/fail.hpp"

#include <algorithm>
#include <unordered_set>

namespace garden::plan {

namespace {

constexpr std::string_view kRootPath =
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::string_view kUserPath = "/usr/local/bin:/usr/bin:/bin";

std::string_view name_of(std::string_view entry) {
    return entry.substr(0, entry.find('='));
}

bool sets(const std::vector<std::string>& env, std::string_view name) {
    return std::any_of(
            env.begin(), env.end(), [&](const auto& entry) { return name_of(entry) == name; });
}

}  // namespace

base::Result<void> check_environment(const std::vector<std::string>& env, std::string_view field) {
    for (std::size_t i = 0; i < env.size(); ++i) {
        const auto& entry = env[i];
        if (entry.size() > kEnvEntryBytes) {
            return base::fail(
                    base::Errc::invalid, "{}[{}]: {} bytes, at most {} are allowed", field, i,
                    entry.size(), kEnvEntryBytes);
        }
        const auto equals = entry.find('=');
        if (equals == std::string::npos || equals == 0) {
            return base::fail(base::Errc::invalid, "{}[{}]: expected NAME=VALUE", field, i);
        }
        if (entry.find('\0') != std::string::npos) {
            return base::fail(base::Errc::invalid, "{}[{}]: contains a NUL byte", field, i);
        }
        const auto name = std::string_view(entry).substr(0, equals);
        if (std::any_of(name.begin(), name.end(), [](char c) {
                return c == '\n' || c == '\r' || c == ' ' || c == '\t';
            })) {
            return base::fail(base::Errc::invalid, "{}[{}]: white space in the name", field, i);
        }
    }
    return check_environment_size(env, field);
}

base::Result<void> check_environment_size(
        const std::vector<std::string>& env, std::string_view field) {
    std::size_t total = 0;
    for (const auto& entry : env) total += entry.size() + 1;
    if (total > kEnvTotalBytes) {
        return base::fail(
                base::Errc::invalid, "{}: {} bytes in all, at most {} are allowed", field, total,
                kEnvTotalBytes);
    }
    return base::ok;
}

std::vector<std::string> merge_environment(const EnvironmentInput& input) {
    std::vector<const std::string*> entries;
    for (const auto* part : {input.image, input.container, input.process}) {
        if (part == nullptr) continue;
        for (const auto& entry : *part) entries.push_back(&entry);
    }
    std::unordered_set<std::string_view> seen;
    std::vector<std::string> merged;
    for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
        if (seen.insert(name_of(**it)).second) merged.push_back(**it);
    }
    std::reverse(merged.begin(), merged.end());

    if (!sets(merged, "PATH"))
        merged.push_back("PATH=" + std::string(input.root ? kRootPath : kUserPath));
    if (!sets(merged, "USER"))
        merged.push_back("USER=" + std::string(input.user.empty() ? "root" : input.user));
    if (environment_value(merged, "HOME").empty()) {
        std::erase_if(merged, [](const auto& entry) { return name_of(entry) == "HOME"; });
        merged.push_back("HOME=" + std::string(input.home));
    }
    return merged;
}

std::string_view environment_value(const std::vector<std::string>& env, std::string_view name) {
    for (const auto& entry : env) {
        if (name_of(entry) == name)
            return std::string_view(entry).substr(std::min(entry.size(), name.size() + 1));
    }
    return {};
}

}  // namespace garden::plan
