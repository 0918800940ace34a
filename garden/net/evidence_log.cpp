#include "garden/net/evidence_log.hpp"

#include <algorithm>
#include <utility>

namespace garden::net {

namespace {

// The client's port is new with every attempt and says nothing.
bool same(const Connection& entry, const Connection& other) {
    PacketFields a = entry.packet, b = other.packet;
    a.source_port = b.source_port = std::nullopt;
    return entry.reason == other.reason && entry.source_mac == other.source_mac && a == b;
}

}  // namespace

void ConnectionLog::add(const std::string& id, const Addresses& addresses) {
    const std::lock_guard lock(mutex_);
    containers_.try_emplace(id).first->second.addresses = addresses;
    by_address_.insert_or_assign(addresses.v4, id);
    if (addresses.v6) by_address_.insert_or_assign(*addresses.v6, id);
}

void ConnectionLog::remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found = containers_.find(id);
    if (found == containers_.end()) return;
    const auto forget = [&](const Address& address) {
        const auto at = by_address_.find(address);
        if (at != by_address_.end() && at->second == id) by_address_.erase(at);
    };
    forget(found->second.addresses.v4);
    if (found->second.addresses.v6) forget(*found->second.addresses.v6);
    containers_.erase(found);
}

// By the id when the rule knew it; else by the address on the container's side, which anti-spoofing
// has checked before.
ConnectionLog::Container* ConnectionLog::owner_of(
        const LogRecord& record, std::string_view& reason) {
    reason = record.prefix;
    while (reason.ends_with(' ')) reason.remove_suffix(1);
    const auto space = reason.find(' ');
    if (space != std::string_view::npos) {
        const auto found = containers_.find(reason.substr(0, space));
        reason.remove_prefix(space + 1);
        return found == containers_.end() ? nullptr : &found->second;
    }
    const auto& address =
            reason == word(Refusal::inbound) ? record.packet.destination : record.packet.source;
    if (!address) return nullptr;
    const auto owner = by_address_.find(*address);
    return owner == by_address_.end() ? nullptr : &containers_.at(owner->second);
}

void ConnectionLog::note(const LogRecord& record, std::chrono::system_clock::time_point now) {
    const std::lock_guard lock(mutex_);
    std::string_view reason;
    Container* container = owner_of(record, reason);
    if (container == nullptr) return;
    Connection fresh{
            .sequence = ++sequence_,
            .first = now,
            .last = now,
            .inbound = reason == word(Refusal::inbound),
            .allowed = reason == "allowed",
            .reason = std::string(reason),
            .packet = record.packet,
            .source_mac = record.source_mac,
            .count = 1};
    auto& entries = container->entries;
    const auto known = std::find_if(entries.begin(), entries.end(), [&](const Connection& entry) {
        return same(entry, fresh);
    });
    if (known != entries.end()) {
        fresh.first = known->first;
        fresh.count += known->count;
        entries.erase(known);
    } else if (entries.size() == kMaxConnections) {
        container->forgotten += entries.front().count;
        entries.pop_front();
    }
    entries.push_back(std::move(fresh));
    changed_.notify_all();
}

void ConnectionLog::note_lost(std::uint64_t records) {
    const std::lock_guard lock(mutex_);
    lost_ += records;
}

ConnectionLog::View ConnectionLog::read(const std::string& id, std::uint64_t after) const {
    const std::lock_guard lock(mutex_);
    View view{.connections = {}, .forgotten = 0, .lost = lost_};
    const auto found = containers_.find(id);
    if (found == containers_.end()) return view;
    view.forgotten = found->second.forgotten;
    for (const Connection& entry : found->second.entries) {
        if (entry.sequence > after) view.connections.push_back(entry);
    }
    return view;
}

std::uint64_t ConnectionLog::lost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
}

void ConnectionLog::wait(std::uint64_t after, std::chrono::milliseconds patience) const {
    std::unique_lock lock(mutex_);
    (void)changed_.wait_for(lock, patience, [&] { return sequence_ > after; });
}

}  // namespace garden::net
