// A piece of the event log, as `GET /cloche/v1/audit/log` answers it. Used by garden/server and the
// client.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace garden::api {

struct EventLogPage {
    std::vector<std::string> lines;  // exactly as in the log: they can be verified
    std::uint64_t last_seq = 0;
    std::uint64_t lost = 0;
    std::string error;
    std::string key;  // id of the key that signs
};

void to_json(base::json::Writer& w, const EventLogPage& v);
base::Result<void> from_json(const base::json::Node& node, EventLogPage& v);

}  // namespace garden::api
