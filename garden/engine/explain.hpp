// Why something was refused in a container, or would be: what is asked, and what is answered
// (docs/api.md). Plain values; used by engine.hpp and garden/server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace garden {

// At most one of `call`, `path`, `device` and `connect`; without any, what was refused lately.
struct ExplainRequest {
    std::string call;      // "mount"
    std::string path;      // absolute, in the container
    std::string device;    // "c 1:3"
    std::string connect;   // "10.0.0.1:80"
    std::string access;    // of path and device: "read", "write", of device also "make"; "" = any
    std::string protocol;  // of connect; "" = tcp
    std::string process;   // whose capabilities count; "" = those of root of the container
};

struct Explained {
    std::string question;     // "call mount", "connect to 10.0.0.1:80 by tcp"
    std::uint64_t count = 0;  // how often it was refused lately; 0 = it was asked about
    bool refused = false;     // by something that we know
    std::string layer;        // "filter", "capability", …, "network", "none"
    std::string rule;         // of the security model
    std::string seen_as;      // "EPERM"
    std::string because;
    std::string remedy;
};

struct ExplainReport {
    std::vector<Explained> explanations;
    std::vector<std::string> notes;  // what could not be looked at
};

}  // namespace garden
