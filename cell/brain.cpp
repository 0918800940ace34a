#include "cell/brain.hpp"

#include "base/fail.hpp"
#include "brain/link/client.hpp"
#include "rep/core/memory_brain.hpp"

namespace cell {

namespace {

constexpr std::size_t kMaxBrains = 16;
constexpr std::size_t kIdleConnections = 16;  // claims and starts of a burst

}  // namespace

base::Result<BrainChoice> parse_brains(
        const std::vector<std::string>& texts, const base::http::TlsFiles& tls) {
    using base::Errc;
    if (texts.empty() || texts == std::vector<std::string>{"none"}) return BrainChoice{};
    if (texts == std::vector<std::string>{"memory"})
        return BrainChoice{.kind = BrainKind::memory, .endpoints = {}};
    if (texts.size() > kMaxBrains)
        return base::fail(
                Errc::invalid, "brain.endpoint: {} of them, at most {}", texts.size(), kMaxBrains);
    BrainChoice choice{.kind = BrainKind::cluster, .endpoints = {}};
    for (const auto& text : texts) {
        auto endpoint = base::http::Endpoint::parse(text);
        if (!endpoint)
            return base::fail(
                    Errc::invalid,
                    "brain.endpoint: '{}' is neither none nor memory, alone, nor a URL: {}", text,
                    endpoint.error().text);
        endpoint->tls = tls;
        choice.endpoints.push_back(std::move(*endpoint));
    }
    return choice;
}

std::unique_ptr<brain::api::Brain> make_brain(const BrainChoice& choice, const base::Clock& clock) {
    switch (choice.kind) {
        case BrainKind::none:
            return nullptr;
        case BrainKind::memory:
            return std::make_unique<rep::core::MemoryBrain>(clock);
        case BrainKind::cluster: {
            brain::link::HttpBrainConfig config;
            for (const auto& endpoint : choice.endpoints)
                config.brains.push_back(
                        {.endpoint = endpoint, .idle_connections = kIdleConnections});
            return std::make_unique<brain::link::HttpBrain>(std::move(config));
        }
    }
    return nullptr;
}

}  // namespace cell
