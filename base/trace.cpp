#include "base/trace.hpp"

#include <algorithm>
#include <utility>

namespace base::trace {

namespace {

std::string& slot() {
    static thread_local std::string id;
    return id;
}

}  // namespace

bool is_valid(std::string_view id) {
    // Not isalnum(): the locale has no say in what a log line may hold.
    const auto harmless = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("-_.:").find(c) != std::string_view::npos;
    };
    return !id.empty() && id.size() <= kMaxBytes && std::ranges::all_of(id, harmless);
}

const std::string& current() {
    return slot();
}

Scope::Scope(std::string id) : before_(std::exchange(slot(), std::move(id))) {}

Scope::~Scope() {
    slot() = std::move(before_);
}

std::function<void()> carried(std::function<void()> job) {
    if (current().empty()) return job;
    return [id = current(), job = std::move(job)] {
        const Scope scope(id);
        job();
    };
}

}  // namespace base::trace
