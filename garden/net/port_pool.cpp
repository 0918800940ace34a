#include "garden/net/port_pool.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"

#include <algorithm>
#include <set>
#include <vector>

namespace garden::net {

using base::Errc;

namespace {

constexpr std::uint32_t kLastPort = 65'535;

struct Span {
    std::uint16_t first = 0, last = 0;
};

// Nothing of a text that is no list of ranges: the order is lost then, no port is.
std::vector<Span> parse_order(std::string_view text) {
    std::vector<Span> spans;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const auto item = text.substr(0, comma);
        text.remove_prefix(std::min(comma + 1, text.size()));
        const auto dash = item.find('-');
        const auto first = base::parse_number<std::uint16_t>(item.substr(0, dash), "port");
        const auto last = dash == std::string_view::npos ? first
                                                         : base::parse_number<std::uint16_t>(
                                                                   item.substr(dash + 1), "port");
        if (!first || !last || *first > *last) return {};
        spans.push_back({.first = *first, .last = *last});
    }
    return spans;
}

}  // namespace

base::Result<PortPool> PortPool::make(std::uint32_t start, std::uint32_t size) {
    if (start == 0 || start > kLastPort || size > kLastPort || start + size > kLastPort) {
        return base::fail(
                Errc::invalid,
                "port pool: start {} and size {}: a start from 1, and a sum of at most {}, are "
                "needed",
                start, size, kLastPort);
    }
    PortPool pool(static_cast<std::uint16_t>(start), static_cast<std::uint16_t>(size));
    pool.restore("");
    return pool;
}

base::Result<std::uint16_t> PortPool::take(std::string_view owner, const Busy& busy) {
    for (auto left = queue_.size(); left > 0; --left) {
        const std::uint16_t port = queue_.front();
        queue_.pop_front();
        if (busy(port)) {
            queue_.push_back(port);  // a service of the host came first
            continue;
        }
        owners_.emplace(port, owner);
        return port;
    }
    return base::fail(Errc::exhausted, "port pool is exhausted");
}

base::Result<void> PortPool::take(std::uint16_t port, std::string_view owner, const Busy& busy) {
    const auto known = owners_.find(port);
    if (known != owners_.end()) {
        return base::fail(
                Errc::conflict, "host port {} is mapped to {} container already", port,
                known->second == owner ? "this" : "another");
    }
    if (busy(port)) {
        return base::fail(
                Errc::conflict, "host port {} is in use by a service of the host itself", port);
    }
    return adopt(port, owner);
}

base::Result<void> PortPool::adopt(std::uint16_t port, std::string_view owner) {
    const auto [known, fresh] = owners_.emplace(port, owner);
    if (!fresh && known->second != owner)
        return base::fail(Errc::conflict, "host port {} is mapped to another container", port);
    if (fresh && in_pool(port)) std::erase(queue_, port);
    return base::ok;
}

void PortPool::give(std::uint16_t port, std::string_view owner) {
    const auto known = owners_.find(port);
    if (known == owners_.end() || known->second != owner) return;
    owners_.erase(known);
    if (in_pool(port)) queue_.push_back(port);
}

std::string PortPool::order() const {
    std::string text;
    for (std::size_t i = 0; i < queue_.size();) {
        std::size_t end = i + 1;
        while (end < queue_.size() && queue_[end] == queue_[end - 1] + 1) ++end;
        if (!text.empty()) text += ',';
        text += std::to_string(queue_[i]);
        if (end - i > 1) text += '-' + std::to_string(queue_[end - 1]);
        i = end;
    }
    return text;
}

void PortPool::restore(std::string_view order) {
    std::set<std::uint16_t> left;
    for (std::uint32_t i = 0; i < size_; ++i) {
        const auto port = static_cast<std::uint16_t>(start_ + i);
        if (!owners_.contains(port)) left.insert(port);
    }
    queue_.clear();
    const auto spans = parse_order(order);
    for (const Span& span : spans) {
        for (std::uint32_t port = span.first; port <= span.last; ++port) {
            if (left.erase(static_cast<std::uint16_t>(port)) > 0)
                queue_.push_back(static_cast<std::uint16_t>(port));
        }
    }
    queue_.insert(queue_.end(), left.begin(), left.end());
}

}  // namespace garden::net
