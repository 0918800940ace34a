// Whether work fits a cell by kind: root filesystem, placement tags, volume drivers (executor-rep
// §15). Used by the rep's intake, the auctioneer and presence.
#pragma once

#include "brain/api/cell.hpp"
#include "rep/api/types.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rep::plan {

inline constexpr std::string_view kPreloaded = "preloaded";
inline constexpr std::string_view kPreloadedLayer = "preloaded+layer";

struct RootfsUrl {
    std::string scheme;
    std::string opaque;  // between the colon and '?' or '#'
    std::string query;   // behind '?'
};

std::optional<RootfsUrl> parse_rootfs(std::string_view url);  // nothing: no scheme
bool rootfs_matches(const api::RootfsProviders& providers, std::string_view url);
// Every required tag is desired, and every desired one is required or optional.
bool tags_match(
        const std::vector<std::string>& required,
        const std::vector<std::string>& optional,
        const std::vector<std::string>& desired);
bool drivers_match(const std::vector<std::string>& have, const std::vector<std::string>& wanted);

// Name of a stack -> what the executor is given for it ("": the URL as it is).
using Stacks = std::map<std::string, std::string>;

api::RootfsProviders providers_of(
        const Stacks& stacks, const std::vector<std::string>& arbitrary_schemes);
// The order that presence has: preloaded, preloaded+layer, then the arbitrary ones.
std::vector<brain::api::Provider> presence_providers(
        const Stacks& stacks, const std::vector<std::string>& arbitrary_schemes);

}  // namespace rep::plan
