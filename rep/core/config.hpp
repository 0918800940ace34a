// How a rep is set up: its cell, its times, its bounds, and who hears of its failures. Used by
// `celld` and the rep's parts.
#pragma once

#include "base/error.hpp"
#include "rep/plan/cell.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace rep::core {

// Something that a person may want to read in a log; this library does not log.
struct Note {
    std::string what;  // "bulk round", "claim_actual_lrp", …
    std::string guid;  // of the container, or empty
    base::Error error;
};

struct Times {
    std::chrono::milliseconds bulk{30'000};
    std::chrono::milliseconds bulk_evacuating{10'000};
    std::chrono::milliseconds retry{5'000};  // after a round or an operation that could not be done
    // A task's result that the executor cannot hand out now is waited for this long.
    std::chrono::milliseconds result{300'000};
    std::chrono::milliseconds presence{5'000};
    std::chrono::milliseconds presence_ttl{15'000};
};

struct EvacuationTimes {
    std::chrono::milliseconds poll{1'000};
    // From the beginning of the evacuation. After its budget an LRP that has no replacement yet, or
    // a task, is given up: one stuck app does not hold the machine for the whole timeout.
    std::chrono::milliseconds lrp_budget{600'000};
    std::chrono::milliseconds task_budget{600'000};
    std::chrono::milliseconds timeout{600'000};  // the hard end; then cleanup
    std::chrono::milliseconds cleanup{20'000};   // graceful interval + proxy reload + 5 s
};

struct Config {
    plan::Cell cell;
    // Of the presence lease. A restarted rep that keeps its owner renews its own lease; another
    // owner waits until the old lease is over. "": a random one.
    std::string owner;
    Times times;
    EvacuationTimes evacuation;
    std::size_t parallel_operations = 32;
    std::function<void(const Note&)> on_note;  // any thread, must be quick; may be empty
};

}  // namespace rep::core
