// Rollback: undo steps registered before each change of the world, run backwards unless committed.
// Used by appliers.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace base {

class Rollback {
  public:
    Rollback() = default;

    Rollback(Rollback&& other) noexcept : steps_(std::exchange(other.steps_, {})) {}

    Rollback& operator=(Rollback&&) = delete;
    Rollback(const Rollback&) = delete;
    Rollback& operator=(const Rollback&) = delete;

    ~Rollback() { run(); }

    // `undo` must succeed when the step it undoes never happened.
    void add(std::function<void()> undo) { steps_.push_back(std::move(undo)); }

    void commit() { steps_.clear(); }

    void run() {
        while (!steps_.empty()) {
            auto undo = std::move(steps_.back());
            steps_.pop_back();
            undo();
        }
    }

  private:
    std::vector<std::function<void()>> steps_;
};

}  // namespace base
