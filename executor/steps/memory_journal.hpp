// MemoryJournal: a Journal that lives as long as it does. Used by steps whose parts need no memory
// over a restart (probes of a monitor) and by tests.
#pragma once

#include "base/clock.hpp"
#include "executor/steps/journal.hpp"

#include <functional>
#include <map>
#include <string>

namespace executor {

class MemoryJournal final : public Journal {
  public:
    explicit MemoryJournal(const base::Clock& clock) : clock_(clock) {}

    std::optional<std::chrono::system_clock::time_point> begun(
            std::string_view path) const override {
        const auto found = begun_.find(path);
        if (found == begun_.end()) return std::nullopt;
        return found->second;
    }

    std::optional<Outcome> finished(std::string_view path) const override {
        const auto found = finished_.find(path);
        if (found == finished_.end()) return std::nullopt;
        return found->second;
    }

    void begin(std::string_view path) override {
        begun_.try_emplace(std::string(path), clock_.wall());
    }

    void finish(std::string_view path, const Outcome& outcome) override {
        finished_.insert_or_assign(std::string(path), outcome);
    }

    const std::map<std::string, Outcome, std::less<>>& all_finished() const { return finished_; }

  private:
    const base::Clock& clock_;
    std::map<std::string, std::chrono::system_clock::time_point, std::less<>> begun_;
    std::map<std::string, Outcome, std::less<>> finished_;
};

}  // namespace executor
