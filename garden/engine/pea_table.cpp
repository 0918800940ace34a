#include "base/fail.hpp"
#include "garden/engine/peas.hpp"

#include <algorithm>

namespace garden {

base::Result<void> PeaTable::begin(std::string process_id, PeaRecord record) {
    const std::lock_guard lock(mutex_);
    if (closed_) return base::fail(base::Errc::conflict, "container already being destroyed");
    const auto name = record.name;
    peas_.emplace(
            name,
            Pea{.process_id = std::move(process_id), .record = std::move(record), .group = {}});
    ++beginning_;
    return base::ok;
}

void PeaTable::begun() {
    const std::lock_guard lock(mutex_);
    --beginning_;
    changed_.notify_all();
}

void PeaTable::adopt(Pea pea) {
    const std::lock_guard lock(mutex_);
    const auto name = pea.record.name;
    peas_.emplace(name, std::move(pea));
}

void PeaTable::set_group(const std::string& name, std::shared_ptr<cgroup::Group> group) {
    const std::lock_guard lock(mutex_);
    const auto it = peas_.find(name);
    if (it != peas_.end()) it->second.group = std::move(group);
}

std::optional<Pea> PeaTable::find(const std::string& process_id) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, pea] : peas_) {
        if (pea.process_id == process_id && !pea.ended) return pea;
    }
    return std::nullopt;
}

std::optional<Pea> PeaTable::end(const std::string& process_id) {
    const std::lock_guard lock(mutex_);
    for (auto& [name, pea] : peas_) {
        if (pea.process_id != process_id || pea.ended) continue;
        pea.ended = true;
        return pea;
    }
    return std::nullopt;
}

std::vector<Pea> PeaTable::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<Pea> all;
    for (const auto& [name, pea] : peas_) all.push_back(pea);
    return all;
}

void PeaTable::remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (peas_.erase(name) == 0) return;
    past_.push_back(name);
    if (past_.size() > kPast) past_.erase(past_.begin());
}

void PeaTable::close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    changed_.wait(lock, [this] { return beginning_ == 0; });
}

std::vector<std::string> PeaTable::names() const {
    const std::lock_guard lock(mutex_);
    auto names = past_;
    for (const auto& [name, pea] : peas_) names.push_back(name);
    return names;
}

}  // namespace garden
