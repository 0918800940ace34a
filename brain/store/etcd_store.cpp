#include "brain/store/etcd_store.hpp"

#include "base/fail.hpp"
#include "base/uuid.hpp"
#include "brain/store/etcd_watch.hpp"
#include "brain/store/keyspace.hpp"

#include <algorithm>
#include <unordered_map>

namespace brain::store {

namespace {

// A page of a list: as many records as make about this much, by the records before them.
constexpr std::size_t kPageBytes = std::size_t{4} << 20;
constexpr std::int64_t kFirstPage = 64;
constexpr std::int64_t kMaxPage = 10'000;

std::int64_t next_page(std::size_t records, std::size_t bytes) {
    const auto each = std::max<std::size_t>(bytes / std::max<std::size_t>(records, 1), 1);
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(kPageBytes / each), 4, kMaxPage);
}

}  // namespace

EtcdStore::EtcdStore(std::shared_ptr<EtcdClient> client)
    : client_(std::move(client)),
      leader_key_(client_->config().prefix + "leader"),
      marker_key_(client_->config().prefix + "commit"),
      form_key_(client_->config().prefix + "form"),
      data_(client_->config().prefix + "data/") {}

base::Result<std::optional<std::string>> EtcdStore::get(std::string_view key) {
    TRY(check_key(key));
    TRY(settle());
    auto record = TRY(client_->record(data_ + std::string(key)));
    if (!record) return std::optional<std::string>();
    return std::optional<std::string>(std::move(record->value));
}

base::Result<void> EtcdStore::list(std::string_view prefix, const Visit& visit) {
    TRY(settle());
    EtcdRange range;
    range.key = data_ + std::string(prefix);
    // data_ ends with '/', so there always is a first key behind.
    range.end = end_of_prefix(range.key).value_or(std::string(1, '\0'));
    range.limit = kFirstPage;
    for (;;) {
        auto page = client_->range(range);
        if (!page && page.error().kind == base::Errc::exhausted && range.limit > 1) {
            range.limit = std::max<std::int64_t>(range.limit / 8, 1);  // bigger ones than before
            continue;
        }
        const auto found = TRY(std::move(page));
        range.revision = found.revision;
        if (range.revision == 0) return base::fail(base::Errc::corrupt, "etcd gave no revision");
        std::size_t bytes = 0;
        for (const auto& record : found.records) {
            bytes += record.key.size() + record.value.size();
            TRY(visit(std::string_view(record.key).substr(data_.size()), record.value));
        }
        if (!found.more || found.records.empty()) return base::ok;
        range.key = found.records.back().key + std::string(1, '\0');
        range.limit = next_page(found.records.size(), bytes);
    }
}

base::Result<void> EtcdStore::commit(Term term, std::span<const Change> changes) {
    TRY(check_changes(changes));
    const std::string& data = data_;
    const std::lock_guard lock(write_mutex_);
    std::size_t at = 0;
    do {
        // Of changes of one key in one transaction the last is what is left of them; etcd refuses
        // a key twice.
        std::vector<std::string> keys;
        std::vector<const Change*> last;
        std::unordered_map<std::string_view, std::size_t> places;
        std::size_t bytes = 0;
        for (; at < changes.size() && last.size() < kMaxTransactionChanges; ++at) {
            const auto& change = changes[at];
            const auto size =
                    data.size() + change.key.size() + (change.value ? change.value->size() : 0);
            if (!last.empty() && bytes + size > kMaxTransactionBytes) break;
            bytes += size;
            const auto [place, fresh] = places.emplace(change.key, last.size());
            if (fresh)
                last.push_back(&change);
            else
                last[place->second] = &change;
        }
        for (const auto* change : last) keys.push_back(data + change->key);
        std::vector<EtcdOperation> operations;
        for (std::size_t i = 0; i < last.size(); ++i) {
            const auto& value = last[i]->value;
            operations.push_back(EtcdOperation{
                    .kind = value ? EtcdOperation::Kind::put : EtcdOperation::Kind::remove,
                    .key = keys[i],
                    .value = value ? std::string_view(*value) : std::string_view()});
        }
        TRY(write(term, operations, {}));
    } while (at < changes.size());
    return base::ok;
}

base::Result<bool> EtcdStore::compare_and_swap(
        Term term,
        const std::string& key,
        const std::optional<std::string>& expected,
        const std::optional<std::string>& value) {
    const Change change{.key = key, .value = value};
    TRY(check_changes({&change, 1}));
    if (expected) TRY(check_value(key, *expected));
    const std::string full = data_ + key;
    EtcdCompare condition{.key = full};
    if (expected) {
        condition.target = EtcdCompare::Target::value;
        condition.value = *expected;
    }
    const EtcdOperation operation{
            .kind = value ? EtcdOperation::Kind::put : EtcdOperation::Kind::remove,
            .key = full,
            .value = value ? std::string_view(*value) : std::string_view()};
    const std::lock_guard lock(write_mutex_);
    return TRY(write(term, {operation}, condition)) == Wrote::yes;
}

base::Result<EtcdStore::Wrote> EtcdStore::write(
        Term term,
        const std::vector<EtcdOperation>& operations,
        const std::optional<EtcdCompare>& condition) {
    // etcd says 0 of a key that is not there: nobody's term.
    if (term.number == 0) return base::fail(base::Errc::conflict, "term 0 is nobody's");
    const auto deadline = std::chrono::steady_clock::now() + client_->config().timeout;
    for (;;) {
        if (marker_term_ != term.number) TRY(read_marker(term));
        auto wrote = write_once(term, operations, condition);
        if (!wrote) {
            marker_term_ = 0;
            const auto kind = wrote.error().kind;
            if (kind == base::Errc::unavailable || kind == base::Errc::timeout) {
                unsettled_term_ = term;
                unsettled_ = true;
            }
            return std::move(wrote).error();
        }
        if (*wrote) {
            // Behind a newer marker a lost transaction can happen no more.
            if (**wrote == Wrote::yes) unsettled_ = false;
            return **wrote;
        }
        // The marker was another one: a lost transaction of before. Ours has not happened.
        marker_term_ = 0;
        if (std::chrono::steady_clock::now() >= deadline)
            return base::fail(
                    base::Errc::unavailable, "another process writes the marker {}", marker_key_);
    }
}

base::Result<std::optional<EtcdStore::Wrote>> EtcdStore::write_once(
        Term term,
        const std::vector<EtcdOperation>& operations,
        const std::optional<EtcdCompare>& condition) {
    const auto id = base::format("{}.{}", term.number, base::random_uuid());
    EtcdTransaction transaction;
    transaction.conditions = {
            {.target = EtcdCompare::Target::create,
             .key = leader_key_,
             .revision = static_cast<std::int64_t>(term.number)},
            {.target = EtcdCompare::Target::mod, .key = marker_key_, .revision = marker_revision_}};
    if (condition) transaction.conditions.push_back(*condition);
    transaction.then.push_back({.kind = EtcdOperation::Kind::put, .key = marker_key_, .value = id});
    transaction.then.insert(transaction.then.end(), operations.begin(), operations.end());
    for (const auto* key : {&marker_key_, &leader_key_})
        transaction.otherwise.push_back({.kind = EtcdOperation::Kind::range, .key = *key});
    const auto outcome = TRY(client_->transact(transaction));
    if (outcome.succeeded) {
        marker_revision_ = outcome.revision;
        return std::optional<Wrote>(Wrote::yes);
    }
    if (outcome.ranges.size() != 2)
        return base::fail(base::Errc::corrupt, "etcd: {} answers of 2", outcome.ranges.size());
    const auto& marker = outcome.ranges[0];
    const auto& leader = outcome.ranges[1];
    // Sent twice, and the first was it.
    if (marker && marker->value == id) {
        marker_revision_ = marker->mod_revision;
        return std::optional<Wrote>(Wrote::yes);
    }
    if (!leader || leader->create_revision != static_cast<std::int64_t>(term.number))
        return base::fail(
                base::Errc::conflict, "term {} is over: {}", term.number,
                leader ? base::format(
                                 "'{}' leads in term {}", leader->value, leader->create_revision)
                       : "nobody leads");
    if ((marker ? marker->mod_revision : 0) != marker_revision_) return std::optional<Wrote>();
    return std::optional<Wrote>(Wrote::differs);
}

base::Result<void> EtcdStore::read_marker(Term term) {
    const auto marker = TRY(client_->record(marker_key_));
    marker_revision_ = marker ? marker->mod_revision : 0;
    marker_term_ = term.number;
    return base::ok;
}

base::Result<void> EtcdStore::settle() {
    if (!unsettled_) return base::ok;
    const std::lock_guard lock(write_mutex_);
    if (!unsettled_) return base::ok;
    // An empty transaction: only a new marker. Its own end may stay unknown, too; then this store
    // is still unsettled, and the reader is told so.
    unsettled_ = false;
    auto done = write(unsettled_term_, {}, {});
    // Its term is over: then it can happen no more either.
    if (done || done.error().kind == base::Errc::conflict) return base::ok;
    unsettled_ = true;
    return base::fail(
            done.error().kind, "what became of an earlier commit is not known yet: {}",
            done.error().text);
}

base::Result<std::unique_ptr<Store::Watch>> EtcdStore::watch(
        std::string_view prefix,
        std::function<void(const Change&)> seen,
        std::function<void(const base::Error&)> broken) {
    return EtcdWatch::open(
            client_, EtcdWatch::Plan{
                             .all = client_->config().prefix,
                             .marker = marker_key_,
                             .data = data_,
                             .prefix = std::string(prefix),
                             .seen = std::move(seen),
                             .broken = std::move(broken)});
}

base::Result<std::unique_ptr<Store>> open_etcd(const EtcdConfig& config) {
    if (config.prefix.size() > kMaxKey)
        return base::fail(
                base::Errc::invalid, "etcd prefix: {} bytes, at most {}", config.prefix.size(),
                kMaxKey);
    auto client = TRY(EtcdClient::open(config));
    return std::unique_ptr<Store>(std::make_unique<EtcdStore>(std::move(client)));
}

}  // namespace brain::store
