// Which brain a cell has, from the setting `brain.endpoint`: the one place that knows every kind.
// Used by the settings (to check the value) and by cell/main.cpp (to make it).
//
//   none     no brain: the rep serves its API and decides nothing
//   memory   in this process, gone with it: for development and tests
//   URLs     one or several brains of a cluster, called over HTTP
#pragma once

#include "base/clock.hpp"
#include "base/http/endpoint.hpp"
#include "base/result.hpp"
#include "brain/api/brain.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cell {

enum class BrainKind : std::uint8_t { none, memory, cluster };

struct BrainChoice {
    BrainKind kind = BrainKind::none;
    std::vector<base::http::Endpoint> endpoints;  // of a cluster
};

// `tls`: what we show and believe when an endpoint is https.
base::Result<BrainChoice> parse_brains(
        const std::vector<std::string>& texts, const base::http::TlsFiles& tls);

// Null for a cell without a brain. `clock` outlives it.
std::unique_ptr<brain::api::Brain> make_brain(const BrainChoice& choice, const base::Clock& clock);

}  // namespace cell
