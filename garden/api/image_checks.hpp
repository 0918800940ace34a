// POST /cloche/v1/images/verify: unpacked layers compared with what was unpacked. Used by
// garden/server, the client and cli.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace garden::api {

struct LayerCheck {
    std::string diff_id;
    std::string state;  // good, damaged, unsealed, missing
    std::vector<std::string> images;
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    std::uint64_t differences = 0;
    std::vector<std::string> findings;
};

struct VerifyAnswer {
    bool good = true;  // nothing is damaged or missing
    std::vector<LayerCheck> layers;
};

void to_json(base::json::Writer& w, const LayerCheck& v);
void to_json(base::json::Writer& w, const VerifyAnswer& v);
base::Result<void> from_json(const base::json::Node& node, LayerCheck& v);
base::Result<void> from_json(const base::json::Node& node, VerifyAnswer& v);

}  // namespace garden::api
