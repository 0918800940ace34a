// Why something is refused in a container, as `POST /cloche/v1/containers/:handle/explain` is asked
// and answers. Used by garden/server and the client. All names snake_case.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace garden::api {

// At most one of the first four; "" = not given.
struct ExplainRequest {
    std::string call, path, device, connect;
    std::string access, protocol, process;
};

struct Explanation {  // all members always present
    std::string question;
    std::uint64_t count = 0;  // of refusals; 0 = it was asked about
    bool refused = false;
    std::string layer;
    std::string rule;
    std::string seen_as;
    std::string because;
    std::string remedy;
};

struct ExplainAnswer {
    std::vector<Explanation> explanations;
    std::vector<std::string> notes;
};

void to_json(base::json::Writer& w, const ExplainRequest& v);
void to_json(base::json::Writer& w, const Explanation& v);
void to_json(base::json::Writer& w, const ExplainAnswer& v);

base::Result<void> from_json(const base::json::Node& node, ExplainRequest& v);
base::Result<void> from_json(const base::json::Node& node, Explanation& v);
base::Result<void> from_json(const base::json::Node& node, ExplainAnswer& v);

}  // namespace garden::api
