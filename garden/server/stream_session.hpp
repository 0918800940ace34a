// What the two files of Streams share: one connection, and the inbox. Private to garden/server.
#pragma once

#include "base/json.hpp"
#include "garden/server/streams.hpp"

#include <unistd.h>

#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace garden::server {

inline constexpr std::size_t kInputBytes =
        256 * 1024;  // more waits in the client's socket: back-pressure

// Epoll keys: session id, and which of its descriptors.
constexpr std::uint64_t socket_key(std::uint64_t id) {
    return id << 1U;
}

constexpr std::uint64_t input_key(std::uint64_t id) {
    return (id << 1U) | 1U;
}

struct Streams::Session {
    std::uint64_t id = 0;
    std::string stream_id;
    Stream stream;
    base::json::ValueSplitter splitter{kMaxMessageBytes};
    std::string input;  // for the process, not yet written
    std::size_t input_at = 0;
    bool input_ends = false;  // EOF follows what is in `input`
    bool input_watched = false;
    bool finished = false;     // the final message is out: only lingering
    std::size_t controls = 0;  // in the lane, not yet done
    bool watched = false;      // known to epoll
    std::uint32_t watched_for = 0;

    std::size_t pending() const { return input.size() - input_at; }

    bool congested() const { return pending() >= kInputBytes || controls >= kMaxControls; }
};

struct Streams::Waiting {
    std::set<std::uint64_t> sessions;
};

// Lives as long as anybody may still call: the engine keeps waits beyond the Streams.
struct Streams::Inbox {
    struct Exit {
        std::set<std::uint64_t> sessions;
        base::Result<std::int32_t> code;
    };

    struct Outputs {
        Handle handle;
        std::uint64_t attachment = 0;
        unsigned asked = 0;      // 1 stdout, 2 stderr: each once
        unsigned connected = 0;  // the shim has it
    };

    std::mutex mutex;
    int wake = -1;  // -1: nobody listens any more
    bool stopping = false;
    std::vector<std::unique_ptr<Session>> arrivals;
    std::vector<Exit> exits;
    std::vector<std::uint64_t> controls_done;
    std::map<std::pair<Handle, std::string>, std::shared_ptr<Waiting>> waiting;
    std::map<std::string, Outputs> outputs;  // by stream id

    void ring() const {
        const std::uint64_t one = 1;
        if (wake >= 0) (void)!::write(wake, &one, sizeof one);  // a full counter rings as well
    }
};

}  // namespace garden::server
