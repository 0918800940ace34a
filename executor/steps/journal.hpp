// Journal: what a restarted celld has to know of the steps of one container, to go on where it was.
// Written before the world changes (begin) and after it has (finish). Implemented by executor/core;
// used by leaf steps. Paths are places in the step tree: "setup", "run/0/1", "monitor".
#pragma once

#include "executor/steps/outcome.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace executor {

class Journal {
  public:
    virtual ~Journal() = default;
    // Wall-clock time of the first begin() of this path, in this life or an earlier one.
    virtual std::optional<std::chrono::system_clock::time_point> begun(
            std::string_view path) const = 0;
    virtual std::optional<Outcome> finished(std::string_view path) const = 0;
    // Idempotent. Durable against kill -9 when they return; a failure to write is told by the
    // journal's owner, the step goes on.
    virtual void begin(std::string_view path) = 0;
    virtual void finish(std::string_view path, const Outcome& outcome) = 0;
};

}  // namespace executor
