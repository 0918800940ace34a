// The JSON of etcd's v3 gateway: what is asked and what comes back, bytes as base64, 64-bit numbers
// as text. Private to brain/store.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brain::store {

struct EtcdRange {
    std::string key;
    std::string end;            // empty: the one key; "\0": all that follow
    std::int64_t limit = 0;     // 0: all
    std::int64_t revision = 0;  // 0: the newest
    bool count_only = false;
};

struct EtcdRecord {
    std::string key;
    std::string value;
    std::int64_t create_revision = 0;
    std::int64_t mod_revision = 0;
    std::int64_t lease = 0;
};

struct EtcdRecords {
    std::int64_t revision = 0;  // of the whole store, at this moment
    std::vector<EtcdRecord> records;
    bool more = false;
    std::int64_t count = 0;
};

// The condition that a key has this create or mod revision, or this value.
struct EtcdCompare {
    enum class Target : std::uint8_t { create, mod, value };
    Target target = Target::create;
    std::string key;
    std::int64_t revision = 0;
    std::string value;
};

struct EtcdOperation {
    enum class Kind : std::uint8_t { put, remove, range };
    Kind kind = Kind::put;
    std::string_view key;    // borrowed
    std::string_view value;  // put
    std::int64_t lease = 0;  // put
};

struct EtcdTransaction {
    std::vector<EtcdCompare> conditions;  // all of them
    std::vector<EtcdOperation> then;
    std::vector<EtcdOperation> otherwise;
};

struct EtcdOutcome {
    std::int64_t revision = 0;
    bool succeeded = false;
    std::vector<std::optional<EtcdRecord>> ranges;  // of the branch that ran, each of one key
};

struct EtcdEvent {
    std::string key;
    std::optional<std::string> value;  // nothing: deleted
    std::int64_t revision = 0;
};

struct EtcdNews {
    std::int64_t revision = 0;
    bool created = false;
    bool cancelled = false;
    bool fragment = false;              // more of the same revisions follows
    std::int64_t compact_revision = 0;  // not 0: what was asked for is compacted
    std::string reason;
    std::vector<EtcdEvent> events;
};

std::string to_json(const EtcdRange& range);
std::string to_json(const EtcdTransaction& transaction);
// Keys from `key` to before `end`; `start` 0: from now on.
std::string watch_json(const std::string& key, const std::string& end, std::int64_t start);

base::Result<EtcdRecords> parse_records(const base::json::Node& answer);
base::Result<EtcdOutcome> parse_outcome(const base::json::Node& answer);
base::Result<EtcdNews> parse_news(std::string_view text);
// A number of the gateway (text, or absent for 0).
base::Result<std::int64_t> number_of(const base::json::Node& object, std::string_view name);
base::Result<std::int64_t> revision_of(const base::json::Node& answer);

}  // namespace brain::store
