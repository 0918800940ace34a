#include "garden/engine/registry.hpp"

#include "base/fail.hpp"

namespace garden {

base::Result<std::shared_ptr<Container>> Registry::add(const Handle& handle) {
    const std::lock_guard lock(mutex_);
    if (containers_.contains(handle)) {
        return base::fail(base::Errc::already_exists, "Handle '{}' already in use", handle.get());
    }
    if (limit_ != 0 && containers_.size() >= limit_)
        return base::fail(base::Errc::exhausted, "max containers reached");
    return containers_.emplace(handle, std::make_shared<Container>(handle)).first->second;
}

void Registry::adopt(std::shared_ptr<Container> container) {
    const std::lock_guard lock(mutex_);
    containers_.emplace(container->handle, container);
}

base::Result<std::shared_ptr<Container>> Registry::find(const Handle& handle) const {
    const std::lock_guard lock(mutex_);
    const auto it = containers_.find(handle);
    if (it == containers_.end())
        return base::fail(base::Errc::not_found, "unknown handle: {}", handle.get());
    return it->second;
}

void Registry::remove(const Handle& handle) {
    const std::lock_guard lock(mutex_);
    containers_.erase(handle);
}

std::vector<std::shared_ptr<Container>> Registry::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Container>> all;
    all.reserve(containers_.size());
    for (const auto& [handle, container] : containers_) all.push_back(container);
    return all;
}

}  // namespace garden
