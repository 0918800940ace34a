// Leases: until when each cell counts as present, on the monotonic clock (a jump of the wall clock
// loses no cell). Renewing one writes nothing anywhere. Used by Reign under its lock.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace brain::core {

class Leases {
  public:
    using Time = std::chrono::steady_clock::time_point;

    void renew(const std::string& cell_id, Time until) {
        drop(cell_id);
        by_cell_.emplace(cell_id, until);
        by_time_.emplace(until, cell_id);
    }

    void drop(const std::string& cell_id) {
        const auto found = by_cell_.find(cell_id);
        if (found == by_cell_.end()) return;
        by_time_.erase({found->second, cell_id});
        by_cell_.erase(found);
    }

    bool alive(const std::string& cell_id, Time now) const {
        const auto found = by_cell_.find(cell_id);
        return found != by_cell_.end() && found->second > now;
    }

    std::vector<std::string> expired(Time now) const {
        std::vector<std::string> cells;
        for (const auto& [until, cell_id] : by_time_) {
            if (until > now) break;
            cells.push_back(cell_id);
        }
        return cells;
    }

    std::optional<Time> next() const {
        if (by_time_.empty()) return std::nullopt;
        return by_time_.begin()->first;
    }

  private:
    std::map<std::string, Time> by_cell_;
    std::set<std::pair<Time, std::string>> by_time_;
};

}  // namespace brain::core
