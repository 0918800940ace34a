// Kernel texts as values: /proc/<pid>/status, mountinfo, limits, id maps, cgroup; and the probe's
// answers. Pure. Used by collect_*.cpp, probe_text.cpp and tests.
#pragma once

#include "base/result.hpp"
#include "garden/audit/facts.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace garden::audit {

std::vector<std::string_view> lines_of(std::string_view text);
std::vector<std::string_view> words_of(std::string_view line);
std::string_view trimmed(std::string_view text);

// Fills what the text says; other members stay.
void read_status(std::string_view text, ProcessView& process);
void read_limits(std::string_view text, ProcessView& process);
std::vector<launch::IdMapping> parse_id_map(std::string_view text);
std::map<std::string, std::string> parse_cgroups(std::string_view text);
std::vector<MountView> parse_mounts(std::string_view mountinfo);
std::uint64_t start_time_of(std::string_view stat);
int policy_of(std::string_view stat);
std::vector<std::string> environment_names(std::string_view environ);

// What is asked of the probe, and what its answers mean.
// FS-12: what the masks and read-only covers lie on.
inline constexpr std::array kCoveredTrees = {"/proc", "/sys"};
std::string probe_request(const Expected& expected);
base::Result<Inside> parse_answers(std::string_view text);

}  // namespace garden::audit
