// What a container was refused, as `GET /cloche/v1/containers/:handle/denials` answers it (SC-21).
// Used by garden/server and the client. All names snake_case, all members always present.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace garden::api {

struct DenialCount {
    std::string call;
    std::string architecture;
    std::string action;
    std::uint64_t count = 0;
    std::string first;  // RFC 3339
    std::string last;
};

struct DenialSample {
    std::string call;
    std::string command;  // as the process calls itself: chosen by it
    std::string executable;
    std::int32_t pid = 0;  // in the container; 0: it was gone when we looked
    std::uint32_t uid = 0;
    std::string time;
};

struct DenialHost {  // the reader of records, for the whole host
    bool available = false;
    std::string why;
    std::uint64_t unresolved = 0;
    std::uint64_t lost = 0;
};

struct Denials {
    std::string since;
    std::uint64_t total = 0;
    std::uint64_t other = 0;
    std::uint64_t suppressed = 0;
    std::vector<DenialCount> calls;
    std::vector<DenialSample> samples;
    DenialHost host;
};

void to_json(base::json::Writer& w, const DenialCount& v);
void to_json(base::json::Writer& w, const DenialSample& v);
void to_json(base::json::Writer& w, const DenialHost& v);
void to_json(base::json::Writer& w, const Denials& v);

base::Result<void> from_json(const base::json::Node& node, DenialCount& v);
base::Result<void> from_json(const base::json::Node& node, DenialSample& v);
base::Result<void> from_json(const base::json::Node& node, DenialHost& v);
base::Result<void> from_json(const base::json::Node& node, Denials& v);

}  // namespace garden::api
