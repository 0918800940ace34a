#include "brain/store/sqlite_store.hpp"

#include "base/defer.hpp"
#include "base/fail.hpp"
#include "brain/store/keyspace.hpp"
#include "brain/store/sqlite_form.hpp"

#include <sqlite3.h>

namespace brain::store {

namespace {

constexpr std::string_view kGet = "SELECT value, sum FROM record WHERE key=?1";
// How often a watched file is looked at for what other processes wrote.
constexpr std::chrono::milliseconds kLookPeriod{200};

int note_log_pages(void* context, sqlite3*, const char*, int pages) {
    *static_cast<int*>(context) = pages;
    return SQLITE_OK;
}

}  // namespace

SqliteStore::Borrowed::~Borrowed() {
    if (!reader_) return;
    const std::lock_guard lock(store_->read_mutex_);
    if (store_->readers_.size() < kKeptReaders) store_->readers_.push_back(std::move(reader_));
}

SqliteStore::SqliteStore(SqliteConfig config, LeadFile lead, std::unique_ptr<Database> writer)
    : config_(std::move(config)),
      lead_(std::move(lead)),
      writer_(std::move(writer)),
      hub_(std::make_shared<WatchHub>()) {}

SqliteStore::~SqliteStore() {
    hub_->stop();  // a watch may keep the hub, but nobody looks at this store any more
}

base::Result<std::unique_ptr<Store>> SqliteStore::open(const SqliteConfig& config) {
    if (config.path.empty()) return base::fail(base::Errc::invalid, "path of the store: empty");
    auto writer = TRY(open_writer(config));
    auto lead = TRY(LeadFile::open(config.path));
    auto store = std::make_unique<SqliteStore>(config, std::move(lead), std::move(writer));
    TRY(store->prepare());
    return std::unique_ptr<Store>(std::move(store));
}

base::Result<void> SqliteStore::prepare() {
    get_ = TRY(writer_->prepare(kGet));
    put_ = TRY(
            writer_->prepare("INSERT INTO record(key, value, sum) VALUES(?1, ?2, ?3) ON CONFLICT"
                             "(key) DO UPDATE SET value=excluded.value, sum=excluded.sum"));
    remove_ = TRY(writer_->prepare("DELETE FROM record WHERE key=?1"));
    lead_row_ =
            TRY(writer_->prepare("SELECT (SELECT value FROM meta WHERE name='term'),"
                                 " (SELECT value FROM meta WHERE name='leader')"));
    write_lead_ =
            TRY(writer_->prepare("UPDATE meta SET value=CASE name WHEN 'term' THEN ?1 "
                                 "ELSE ?2 END WHERE name IN ('term', 'leader')"));
    version_ = TRY(writer_->prepare("PRAGMA data_version"));
    TRY(version_.step());
    seen_version_ = version_.number(0);
    version_.reset();
    (void)sqlite3_wal_hook(writer_->raw(), note_log_pages, &log_pages_);
    upkeep_ = std::make_unique<SqliteUpkeep>(TRY(open_reader(config_)));
    hub_->start(
            [this] {
                const std::lock_guard lock(write_mutex_);
                notice_others();
            },
            kLookPeriod);
    return base::ok;
}

base::Result<std::unique_ptr<SqliteStore::Reader>> SqliteStore::new_reader() {
    auto reader = std::make_unique<Reader>();
    reader->database = TRY(open_reader(config_));
    reader->get = TRY(reader->database->prepare(kGet));
    return reader;
}

base::Result<SqliteStore::Borrowed> SqliteStore::borrow() {
    {
        const std::lock_guard lock(read_mutex_);
        if (!readers_.empty()) {
            auto reader = std::move(readers_.back());
            readers_.pop_back();
            return Borrowed(*this, std::move(reader));
        }
    }
    return Borrowed(*this, TRY(new_reader()));
}

base::Result<std::optional<std::string>> SqliteStore::get(std::string_view key) {
    TRY(check_key(key));
    const auto reader = TRY(borrow());
    auto& statement = reader->get;
    if (!TRY(statement.bind(1, key).step())) return std::optional<std::string>();
    const base::Defer done([&statement] { statement.reset(); });
    std::string value(statement.bytes(0));
    TRY(check_sum(*reader->database, key, value, statement.number(1)));
    return std::optional<std::string>(std::move(value));
}

base::Result<void> SqliteStore::list(std::string_view prefix, const Visit& visit) {
    const auto end = end_of_prefix(prefix);
    const auto reader = TRY(borrow());
    auto statement = TRY(reader->database->prepare(
            end ? "SELECT key, value, sum FROM record WHERE key>=?1 AND key<?2 ORDER BY key"
                : "SELECT key, value, sum FROM record WHERE key>=?1 ORDER BY key"));
    statement.bind(1, prefix);
    if (end) statement.bind(2, *end);
    // One statement is one moment: a reader of the log sees what was there when it began.
    while (TRY(statement.step())) {
        const auto key = statement.bytes(0);
        const auto value = statement.bytes(1);
        TRY(check_sum(*reader->database, key, value, statement.number(2)));
        TRY(visit(key, value));
    }
    return base::ok;
}

base::Result<SqliteStore::Lead> SqliteStore::lead_row() {
    if (!TRY(lead_row_.step())) return damaged(config_.path, "the table meta is empty");
    const base::Defer done([this] { lead_row_.reset(); });
    Lead row{.term = static_cast<std::uint64_t>(lead_row_.number(0)), .name = {}};
    if (!lead_row_.is_null(1)) row.name = std::string(lead_row_.bytes(1));
    return row;
}

base::Result<void> SqliteStore::fence(Term term) {
    const auto lead = TRY(lead_row());
    if (lead.term == term.number && lead.name) return base::ok;
    return base::fail(
            base::Errc::conflict, "term {} is over: {}", term.number,
            lead.name ? base::format("'{}' leads in term {}", *lead.name, lead.term)
                      : base::format("nobody leads since term {}", lead.term));
}

base::Result<void> SqliteStore::write(const Change& change) {
    if (!change.value) return remove_.bind(1, change.key).run();
    return put_.bind(1, change.key)
            .bind(2, *change.value)
            .bind(3, sum_of(change.key, *change.value))
            .run();
}

base::Result<void> SqliteStore::commit(Term term, std::span<const Change> changes) {
    TRY(check_changes(changes));
    const std::lock_guard lock(write_mutex_);
    const auto transaction = TRY(Transaction::begin(*writer_));
    TRY(fence(term));
    for (const auto& change : changes) TRY(write(change));
    TRY(transaction->commit());
    committed(changes);
    return base::ok;
}

base::Result<std::optional<std::string>> SqliteStore::read(std::string_view key) {
    if (!TRY(get_.bind(1, key).step())) return std::optional<std::string>();
    const base::Defer done([this] { get_.reset(); });
    std::string value(get_.bytes(0));
    TRY(check_sum(*writer_, key, value, get_.number(1)));
    return std::optional<std::string>(std::move(value));
}

base::Result<bool> SqliteStore::compare_and_swap(
        Term term,
        const std::string& key,
        const std::optional<std::string>& expected,
        const std::optional<std::string>& value) {
    const Change change{.key = key, .value = value};
    TRY(check_changes({&change, 1}));
    const std::lock_guard lock(write_mutex_);
    const auto transaction = TRY(Transaction::begin(*writer_));
    TRY(fence(term));
    if (TRY(read(key)) != expected) return false;
    TRY(write(change));
    TRY(transaction->commit());
    committed({&change, 1});
    return true;
}

void SqliteStore::committed(std::span<const Change> changes) {
    notice_others();
    hub_->tell(changes);
    if (log_pages_ > kMaxLogPages) {
        (void)move_log_into_file(*writer_);  // a reader keeps the rest; the next commit tries again
    } else if (log_pages_ > kUpkeepPages) {
        upkeep_->wanted();
    }
}

// SQLite's number of the file's versions counts, on this connection, what other connections
// committed; our readers commit nothing.
void SqliteStore::notice_others() {
    const auto row = version_.step();
    if (!row || !*row) return;  // busy or broken: who reads or writes is told
    const auto version = version_.number(0);
    version_.reset();
    if (version == seen_version_) return;
    seen_version_ = version;
    hub_->break_all(base::fail(
            base::Errc::unavailable, "{}: another process has written to it", config_.path));
}

base::Result<std::unique_ptr<Store::Watch>> SqliteStore::watch(
        std::string_view prefix,
        std::function<void(const Change&)> seen,
        std::function<void(const base::Error&)> broken) {
    const std::lock_guard lock(write_mutex_);
    notice_others();  // what was before concerns the present watchers only
    return hub_->add(prefix, std::move(seen), std::move(broken));
}

base::Result<std::unique_ptr<Store>> open_sqlite(const SqliteConfig& config) {
    return SqliteStore::open(config);
}

}  // namespace brain::store
