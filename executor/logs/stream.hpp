// LogStream: where the output and the messages of one container go (executor-rep §10): split into
// lines, limited by rate, kept for "recent", handed to followers. Used by steps, checks and core.
// Safe from any thread; never blocks.
#pragma once

#include "executor/api/log_record.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace executor {

using LogKind = api::LogKind;

class LogStream {
  public:
    virtual ~LogStream() = default;
    // Raw output of a process; lines may come in pieces. Each (source, kind) is its own line
    // splitter. `source` "" = the container's default.
    virtual void write(std::string_view source, LogKind kind, std::string_view bytes) = 0;
    // One whole line of ours.
    virtual void say(std::string_view source, LogKind kind, std::string_view line) = 0;
    // The process of this source has ended: what is left without a newline is a line.
    virtual void flush(std::string_view source) = 0;
};

}  // namespace executor
