// What an operator asks of etcd: how it is, and whether its members have the same.
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "brain/store/etcd_store.hpp"
#include "brain/store/keyspace.hpp"

#include <map>

namespace brain::store {

namespace {

constexpr std::size_t kMaxFindings = 100;

struct Alarms {
    std::string text;  // "" when there is none
};

// "NOSPACE" and "CORRUPT" of any member.
base::Result<Alarms> alarms_of(EtcdClient& client) {
    const auto answer = TRY(client.ask("maintenance/alarm", R"({"action":"GET"})"));
    Alarms alarms;
    const auto list = TRY(answer.root().find("alarms"));
    if (!list) return alarms;
    const auto nodes = TRY(list->elements());
    for (const auto& node : nodes) {
        const auto word = TRY(node.find("alarm"));
        alarms.text += " alarm " + (word ? TRY(word->string()) : std::string("NONE"));
    }
    return alarms;
}

struct Hash {
    std::int64_t hash = 0;
    std::int64_t compacted = 0;
};

base::Result<Hash> hash_of(EtcdClient& client, std::size_t endpoint, std::int64_t revision) {
    base::json::Writer body;
    body.begin_object().member("revision", std::to_string(revision)).end_object();
    const auto answer = TRY(client.ask_one(endpoint, "maintenance/hash", body.take()));
    Hash hash;
    hash.hash = TRY(number_of(answer.root(), "hash"));
    hash.compacted = TRY(number_of(answer.root(), "compact_revision"));
    return hash;
}

}  // namespace

Health EtcdStore::health() {
    Health health;
    const auto ask = [&]() -> base::Result<void> {
        EtcdRange range{.key = data_, .end = end_of_prefix(data_).value_or(std::string(1, '\0'))};
        range.count_only = true;
        const auto counted = TRY(client_->range(range));
        health.records = static_cast<std::uint64_t>(counted.count);
        const auto status = TRY(client_->ask("maintenance/status", "{}"));
        health.bytes = static_cast<std::uint64_t>(TRY(number_of(status.root(), "dbSize")));
        const auto version = TRY(status.root().find("version"));
        health.text = base::format(
                "etcd {}: {} records", version ? TRY(version->string()) : std::string("?"),
                health.records);
        const auto alarms = TRY(alarms_of(*client_));
        if (!alarms.text.empty()) health.text += ";" + alarms.text;
        return base::ok;
    };
    const auto asked = ask();
    health.reachable = asked.has_value();
    if (!asked) health.text = asked.error().text;
    return health;
}

base::Result<std::vector<std::string>> EtcdStore::verify() {
    std::vector<std::string> found;
    const auto add = [&found](std::string text) {
        if (found.size() < kMaxFindings) found.push_back(std::move(text));
    };
    TRY(list("", [&](std::string_view key, std::string_view value) -> base::Result<void> {
        auto right = check_key(key);
        if (right) right = check_value(key, value);
        if (!right) add(right.error().text);
        return base::ok;
    }));
    // The same hash of the same revision on each member that answers.
    const auto now = TRY(client_->range({.key = marker_key_, .end = {}}));
    std::map<std::int64_t, std::pair<std::int64_t, std::string>> hashes;  // by compacted revision
    for (std::size_t i = 0; i < client_->endpoints(); ++i) {
        const auto hash = hash_of(*client_, i, now.revision);
        if (!hash) {
            add(base::format("endpoint {}: {}", client_->endpoint(i), hash.error().text));
            continue;
        }
        const auto [first, fresh] =
                hashes.emplace(hash->compacted, std::pair(hash->hash, client_->endpoint(i)));
        if (!fresh && first->second.first != hash->hash)
            add(base::format(
                    "endpoints {} and {} differ at revision {}", first->second.second,
                    client_->endpoint(i), now.revision));
    }
    const auto alarms = TRY(alarms_of(*client_));
    if (!alarms.text.empty()) add("etcd:" + alarms.text);
    return found;
}

base::Result<void> EtcdStore::backup(const std::string&) {
    return base::fail(
            base::Errc::unsupported,
            "backup: etcd keeps its own; hint: etcdctl snapshot save FILE");
}

}  // namespace brain::store
