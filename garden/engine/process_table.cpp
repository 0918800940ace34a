#include "garden/engine/process_table.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace garden {

base::Result<void> ProcessTable::reserve(ProcessRow row, bool terminal, bool internal) {
    const std::lock_guard lock(mutex_);
    const auto id = row.id;
    const auto [it, added] = entries_.try_emplace(
            id, Entry{.row = std::move(row),
                      .terminal = terminal,
                      .internal = internal,
                      .exit_order = 0,
                      .waiters = {}});
    if (!added) return base::fail(base::Errc::already_exists, "process ID '{}' already in use", id);
    return base::ok;
}

void ProcessTable::drop(const std::string& id) {
    const std::lock_guard lock(mutex_);
    entries_.erase(id);
}

void ProcessTable::started(const std::string& id, std::int32_t host_pid) {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(id);
    if (it != entries_.end()) it->second.row.host_pid = host_pid;
}

void ProcessTable::adopt(ProcessRow row, bool terminal, bool internal) {
    const std::lock_guard lock(mutex_);
    const auto id = row.id;
    auto& entry = entries_[id];
    const bool known_exit = entry.row.exited;  // a replayed exit may have arrived first
    const auto code = entry.row.exit_code;
    entry.row = std::move(row);
    if (known_exit) {
        entry.row.exited = true;
        entry.row.exit_code = code;
    }
    entry.terminal = terminal;
    entry.internal = internal;
}

void ProcessTable::exited(const std::string& id, std::int32_t exit_code) {
    std::vector<Done> waiters;
    {
        const std::lock_guard lock(mutex_);
        auto& entry = entries_[id];
        if (entry.row.exited) return;  // replayed after a re-join
        entry.row.id = id;
        entry.row.exited = true;
        entry.row.exit_code = exit_code;
        entry.exit_order = ++exits_;
        waiters.swap(entry.waiters);
    }
    for (auto& done : waiters) done(exit_code);
}

void ProcessTable::end_all(std::int32_t exit_code) {
    std::vector<Done> waiters;
    {
        const std::lock_guard lock(mutex_);
        ended_ = exit_code;
        for (auto& [id, entry] : entries_) {
            if (entry.row.exited) continue;
            entry.row.exited = true;
            entry.row.exit_code = exit_code;
            entry.exit_order = ++exits_;
            std::move(entry.waiters.begin(), entry.waiters.end(), std::back_inserter(waiters));
            entry.waiters.clear();
        }
    }
    for (auto& done : waiters) done(exit_code);
}

void ProcessTable::wait(const std::string& id, Done done) {
    base::Result<std::int32_t> answer = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto it = entries_.find(id);
        if (it == entries_.end()) {
            answer = base::fail(base::Errc::not_found, "unknown process: {}", id);
        } else if (it->second.row.exited) {
            answer = it->second.row.exit_code;
        } else if (ended_) {
            answer = *ended_;
        } else {
            it->second.waiters.push_back(std::move(done));
            return;
        }
    }
    done(std::move(answer));
}

bool ProcessTable::contains(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(id);
    return it != entries_.end() && !it->second.internal;
}

bool ProcessTable::has_exited(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(id);
    return it != entries_.end() && it->second.row.exited;
}

bool ProcessTable::terminal(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(id);
    return it != entries_.end() && it->second.terminal;
}

std::vector<ProcessRow> ProcessTable::rows() const {
    const std::lock_guard lock(mutex_);
    std::vector<ProcessRow> rows;
    for (const auto& [id, entry] : entries_) {
        if (!entry.internal) rows.push_back(entry.row);
    }
    return rows;
}

std::vector<std::string> ProcessTable::take_stale(std::size_t keep) {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::uint64_t, std::string>> exited;
    for (const auto& [id, entry] : entries_) {
        if (entry.row.exited && !entry.internal) exited.emplace_back(entry.exit_order, id);
    }
    std::vector<std::string> stale;
    if (exited.size() <= keep) return stale;
    std::sort(exited.begin(), exited.end());
    for (std::size_t i = 0; i + keep < exited.size(); ++i) {
        stale.push_back(std::move(exited[i].second));
        entries_.erase(stale.back());
    }
    return stale;
}

}  // namespace garden
