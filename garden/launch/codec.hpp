// Plans as bytes: flat, versioned, bounded. Decoding rejects whatever encoding cannot make (a fuzz
// target). Used by gardend's ShimHub, garden-shim and its children.
#pragma once

#include "base/result.hpp"
#include "garden/launch/plan.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace garden::launch {

inline constexpr std::uint8_t kPlanVersion = 1;
inline constexpr std::size_t kMaxPlanBytes =
        4U << 20;  // environment 1 MiB (PL-06), arguments, filter, mounts
// Entries of one list: as many strings as the bytes can hold. Arguments and variables have their
// own bounds in garden/plan, which must fit.
inline constexpr std::size_t kMaxPlanList = kMaxPlanBytes / sizeof(std::uint32_t);
inline constexpr std::size_t kMaxPlanFds = 1024;  // descriptors of one message
inline constexpr std::size_t kMaxProcessId = 255;

std::string encode(const NamespacePlan& plan);
std::string encode(const ContainerPlan& plan);
std::string encode(const ProcessPlan& plan);

// `fd_count`: how many descriptors came along; an index outside is Errc::invalid, malformed bytes
// are Errc::corrupt.
base::Result<NamespacePlan> decode_namespace_plan(std::string_view bytes);
base::Result<ContainerPlan> decode_container_plan(std::string_view bytes, std::size_t fd_count);
base::Result<ProcessPlan> decode_process_plan(std::string_view bytes, std::size_t fd_count);

}  // namespace garden::launch
