#include "brain/store/sqlite_form.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/file_range.hpp"
#include "brain/store/keyspace.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include <sqlite3.h>
#include <zlib.h>

namespace brain::store {

namespace {

// "clch": files of other programs are refused, not filled.
constexpr std::int64_t kApplication = 0x636c'6368;

// Step i makes form i + 1 of form i, in the transaction of all of them.
// WITHOUT ROWID: one tree, so that a change touches one leaf. Keys and values are bytes: a BLOB
// compares by memcmp, whatever SQL thinks of '%', '_' or '*'.
// meta: form, term (of the last leader), leader (NULL: it resigned).
constexpr const char* kSteps[] = {
        "CREATE TABLE record(key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL,"
        " sum INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;"
        "INSERT INTO meta VALUES('form', 0), ('term', 0), ('leader', NULL);",
};
static_assert(std::size(kSteps) == static_cast<std::size_t>(kForm));

base::Result<void> make_file(const std::string& path) {
    const auto directory = TRY(base::sys::open_host(directory_of(path), O_RDONLY | O_DIRECTORY)
                                       .context("directory of the store"));
    // Only a new one is opened here: closing a descriptor of a file that SQLite has open in this
    // process would drop its POSIX locks. Records hold secrets of applications, so 0600.
    auto made = base::sys::open_host(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!made && made.error().kind == base::Errc::already_exists) return base::ok;
    TRY(std::move(made).context("make the store"));
    return base::sys::sync(directory);
}

base::Result<std::int64_t> form_of(const Database& database) {
    if (TRY(database.number("SELECT count(*) FROM sqlite_schema")) == 0) return 0;
    if (TRY(database.number("PRAGMA application_id")) != kApplication)
        return base::fail(
                base::Errc::invalid, "{}: a database of another program, not a store of braind",
                database.path());
    return database.number("SELECT value FROM meta WHERE name='form'");
}

base::Result<void> bring_up_to_date(Database& database) {
    if (TRY(form_of(database)) == kForm) return base::ok;
    const auto transaction = TRY(Transaction::begin(database));
    const auto form = TRY(form_of(database));  // another brain may have been quicker
    if (form > kForm)
        return base::fail(
                base::Errc::unsupported,
                "{}: form {} of the store, this braind knows forms up to {}; hint: install the "
                "braind that wrote it, or a newer one",
                database.path(), form, kForm);
    if (form == kForm) return base::ok;
    if (form == 0)
        TRY(database.run(base::format("PRAGMA application_id={}", kApplication).c_str()));
    for (auto step = form; step < kForm; ++step)
        TRY(database.run(kSteps[static_cast<std::size_t>(step)]));
    TRY(database.run(base::format("UPDATE meta SET value={} WHERE name='form'", kForm).c_str()));
    return transaction->commit();
}

// Interrupts a connection's long statement, unless it ended before.
class Limit {
  public:
    Limit(sqlite3* connection, std::chrono::milliseconds limit)
        : thread_([this, connection, limit](const std::stop_token& stop) {
              std::unique_lock lock(mutex_);
              if (!changed_.wait_for(lock, stop, limit, [&stop] { return stop.stop_requested(); }))
                  sqlite3_interrupt(connection);
          }) {}

  private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::jthread thread_;  // last: it ends before what it uses
};

base::Result<std::vector<std::string>> findings(Database& database, const char* sql) {
    std::vector<std::string> found;
    auto statement = TRY(database.prepare(sql));
    for (;;) {
        auto row = statement.step();
        if (!row && row.error().kind == base::Errc::cancelled) return found;
        if (!TRY(std::move(row))) return found;
        std::string line(statement.bytes(0));
        if (line != "ok") found.push_back(std::move(line));
    }
}

}  // namespace

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

base::Result<std::vector<std::string>> look_for_damage(
        Database& database, std::chrono::milliseconds limit) {
    if (limit.count() == 0) return findings(database, "PRAGMA integrity_check(100)");
    const Limit until(database.raw(), limit);
    return findings(database, "PRAGMA quick_check(1)");
}

base::Result<std::unique_ptr<Database>> open_writer(const SqliteConfig& config) {
    TRY(make_file(config.path));
    auto database = TRY(Database::open(config.path, Database::Mode::writer, config.busy_timeout));
    const auto journal = TRY(database->text("PRAGMA journal_mode=WAL"));
    if (journal != "wal")
        return base::fail(
                base::Errc::unsupported,
                "{}: no write-ahead log here (journal mode '{}'): the file system lacks shared "
                "memory maps or locks",
                config.path, journal);
    // FULL: each commit waits for its fsync, a success is durable. The log goes into the file by
    // SqliteUpkeep, not in the middle of somebody's commit.
    TRY(
            database->run("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
                          "PRAGMA cache_size=-16384"));
    TRY(bring_up_to_date(*database));
    const auto damage = TRY(look_for_damage(*database, kLookAtOpen));
    if (!damage.empty()) return damaged(config.path, damage.front());
    return database;
}

base::Result<std::unique_ptr<Database>> open_reader(const SqliteConfig& config) {
    return Database::open(config.path, Database::Mode::reader, config.busy_timeout);
}

std::int64_t sum_of(std::string_view key, std::string_view value) {
    auto sum = ::crc32_z(0, nullptr, 0);
    // zlib's first argument after the start; a null pointer would start anew.
    if (!key.empty()) sum = ::crc32_z(sum, reinterpret_cast<const Bytef*>(key.data()), key.size());
    if (!value.empty())
        sum = ::crc32_z(sum, reinterpret_cast<const Bytef*>(value.data()), value.size());
    return static_cast<std::int64_t>(sum);
}

base::Result<void> check_sum(
        const Database& database, std::string_view key, std::string_view value, std::int64_t sum) {
    if (sum == sum_of(key, value)) return base::ok;
    return damaged(
            database.path(), base::format("record '{}' is not what was written", printable(key)));
}

}  // namespace brain::store
