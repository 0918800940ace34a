#include "rep/plan/placement.hpp"

#include <algorithm>
#include <cctype>

namespace rep::plan {

std::optional<RootfsUrl> parse_rootfs(std::string_view url) {
    const auto colon = url.find(':');
    if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
    const auto scheme = url.substr(0, colon);
    const auto good = [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '+' || c == '.' || c == '-';
    };
    if (!std::ranges::all_of(scheme, good) ||
        std::isalpha(static_cast<unsigned char>(scheme.front())) == 0)
        return std::nullopt;
    auto rest = url.substr(colon + 1);
    rest = rest.substr(0, rest.find('#'));
    const auto question = rest.find('?');
    RootfsUrl out{.scheme = std::string(scheme), .opaque = {}, .query = {}};
    out.opaque = rest.substr(0, question);
    if (question != std::string_view::npos) out.query = rest.substr(question + 1);
    return out;
}

bool rootfs_matches(const api::RootfsProviders& providers, std::string_view url) {
    const auto parsed = parse_rootfs(url);
    if (!parsed) return false;
    const auto provider = providers.find(parsed->scheme);
    if (provider == providers.end()) return false;
    return provider->second.arbitrary || provider->second.names.contains(parsed->opaque);
}

namespace {

bool holds(const std::vector<std::string>& list, const std::string& word) {
    return std::ranges::find(list, word) != list.end();
}

}  // namespace

bool tags_match(
        const std::vector<std::string>& required,
        const std::vector<std::string>& optional,
        const std::vector<std::string>& desired) {
    return std::ranges::all_of(required, [&](const auto& t) { return holds(desired, t); }) &&
           std::ranges::all_of(desired, [&](const auto& t) {
               return holds(required, t) || holds(optional, t);
           });
}

bool drivers_match(const std::vector<std::string>& have, const std::vector<std::string>& wanted) {
    return std::ranges::all_of(wanted, [&](const auto& driver) { return holds(have, driver); });
}

api::RootfsProviders providers_of(
        const Stacks& stacks, const std::vector<std::string>& arbitrary_schemes) {
    api::RootfsProviders out;
    api::RootfsProvider fixed;
    for (const auto& [name, place] : stacks) fixed.names.insert(name);
    out[std::string(kPreloaded)] = fixed;
    out[std::string(kPreloadedLayer)] = fixed;
    for (const auto& scheme : arbitrary_schemes)
        out[scheme] = api::RootfsProvider{.arbitrary = true, .names = {}};
    return out;
}

std::vector<brain::api::Provider> presence_providers(
        const Stacks& stacks, const std::vector<std::string>& arbitrary_schemes) {
    std::vector<brain::api::Provider> out{
            {.name = std::string(kPreloaded), .properties = {}},
            {.name = std::string(kPreloadedLayer), .properties = {}}};
    for (const auto& [name, place] : stacks)
        for (auto& provider : out) provider.properties.push_back(name);
    for (const auto& scheme : arbitrary_schemes) out.push_back({.name = scheme, .properties = {}});
    return out;
}

}  // namespace rep::plan
