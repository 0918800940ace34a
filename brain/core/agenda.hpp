// Agenda: which processes and tasks convergence must look at, now (something changed) or later (a
// back-off or an expiry ends). Used by Reign under its lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace brain::core {

// One kind of thing, by guid.
class Agenda {
  public:
    void look_now(std::string guid) { now_.insert(std::move(guid)); }

    // Replaces what was planned for it; nothing: never.
    void look_at(const std::string& guid, std::optional<std::int64_t> time) {
        const auto found = times_.find(guid);
        if (found != times_.end()) {
            later_.erase({found->second, guid});
            times_.erase(found);
        }
        if (!time) return;
        times_.emplace(guid, *time);
        later_.emplace(*time, guid);
    }

    // Up to `limit` that are due; they are forgotten here.
    std::vector<std::string> take(std::int64_t time, std::size_t limit) {
        std::vector<std::string> due;
        while (due.size() < limit && !later_.empty() && later_.begin()->first <= time) {
            now_.insert(later_.begin()->second);
            times_.erase(later_.begin()->second);
            later_.erase(later_.begin());
        }
        while (due.size() < limit && !now_.empty())
            due.push_back(std::move(now_.extract(now_.begin()).value()));
        return due;
    }

    bool waiting() const { return !now_.empty(); }

    std::optional<std::int64_t> next() const {
        if (later_.empty()) return std::nullopt;
        return later_.begin()->first;
    }

  private:
    std::set<std::string> now_;
    std::map<std::string, std::int64_t> times_;
    std::set<std::pair<std::int64_t, std::string>> later_;
};

}  // namespace brain::core
