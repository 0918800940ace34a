// Verifies an event log from its files alone: removal, reorder, edit, truncation, foreign keys
// (OBS-04). Needs no daemon. Used by the CLI.
#pragma once

#include "base/result.hpp"
#include "security/event_log_line.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace security {

struct EventLogText {
    std::string name;
    std::string text;
};

struct EventLogFault {  // the first one
    std::string file;
    std::uint64_t line = 0;  // from 1; 0: of the file as a whole
    std::string what;
};

struct EventLogVerdict {
    std::uint64_t lines = 0;
    std::uint64_t first_seq = 0;
    std::uint64_t last_seq = 0;
    std::uint64_t checkpoints = 0;
    std::uint64_t sealed_seq = 0;  // of the last checkpoint: what is behind it has no signature yet
    std::string key;
    std::optional<EventLogFault> fault;
};

// `files` in their order. `head`: the copy of the last checkpoint, "" when there is none to compare
// with. `whole`: these are all files of the log, so that its beginning must be there or its removal
// recorded.
EventLogVerdict verify_event_log(
        const std::vector<EventLogText>& files,
        const std::string& head,
        const EventKey& key,
        bool whole);

// `path`: a log's directory, or one of its files; `key_file`: PEM, "" = the public key beside it.
base::Result<EventLogVerdict> verify_event_log_at(
        const std::string& path, const std::string& key_file);

}  // namespace security
