// What an operator asks of the SQLite store: how it is, whether it is whole, a copy of it.
#include "base/defer.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/file_range.hpp"
#include "brain/store/keyspace.hpp"
#include "brain/store/sqlite_form.hpp"
#include "brain/store/sqlite_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <linux/fs.h>

#include <sqlite3.h>

namespace brain::store {

namespace {

constexpr std::size_t kMaxFindings = 100;

std::uint64_t bytes_of(const std::string& path) {
    const auto status = base::sys::stat_at(base::FdRef(AT_FDCWD), path);
    return status ? static_cast<std::uint64_t>(status->st_size) : 0;
}

// Every record against its sum and the limits of keys and values.
base::Result<void> look_at_records(const Database& database, std::vector<std::string>& found) {
    auto statement = TRY(database.prepare("SELECT key, value, sum FROM record ORDER BY key"));
    while (found.size() < kMaxFindings && TRY(statement.step())) {
        const auto key = statement.bytes(0);
        const auto value = statement.bytes(1);
        auto right = check_sum(database, key, value, statement.number(2));
        if (right) right = check_key(key);
        if (right) right = check_value(key, value);
        if (!right) found.push_back(right.error().text);
    }
    return base::ok;
}

base::Result<void> copy_pages(Database& from, Database& to) {
    auto* copy = sqlite3_backup_init(to.raw(), "main", from.raw(), "main");
    if (copy == nullptr) return to.error(sqlite3_errcode(to.raw()), "begin the copy");
    // In one step: the reader's moment holds, and writers of the log wait for no reader.
    const int stepped = sqlite3_backup_step(copy, -1);
    const int finished = sqlite3_backup_finish(copy);
    if (stepped == SQLITE_DONE && finished == SQLITE_OK) return base::ok;
    return to.error(finished == SQLITE_OK ? stepped : finished, "copy the store");
}

// "x" of "/a/x".
std::string name_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace

Health SqliteStore::health() {
    Health health{.bytes = bytes_of(config_.path) + bytes_of(config_.path + "-wal")};
    auto count = [this]() -> base::Result<std::int64_t> {
        const auto reader = TRY(borrow());
        return reader->database->number("SELECT count(*) FROM record");
    }();
    health.reachable = count.has_value();
    health.text = count ? base::format("{}: {} records", config_.path, *count) : count.error().text;
    if (count) health.records = static_cast<std::uint64_t>(*count);
    return health;
}

base::Result<std::vector<std::string>> SqliteStore::verify() {
    const auto reader = TRY(borrow());
    auto& database = *reader->database;
    std::vector<std::string> found;
    // Damage is what was asked for: a sentence, no failure of asking.
    const auto keep = [&found](base::Result<void> done) -> base::Result<void> {
        if (!done && done.error().kind == base::Errc::corrupt) {
            found.push_back(done.error().text);
            return base::ok;
        }
        return done;
    };
    TRY(keep([&]() -> base::Result<void> {
        const auto lines = TRY(look_for_damage(database, std::chrono::milliseconds{0}));
        for (const auto& line : lines) found.push_back(damaged(config_.path, line).text);
        return base::ok;
    }()));
    TRY(keep(look_at_records(database, found)));
    return found;
}

base::Result<void> SqliteStore::backup(const std::string& path) {
    const auto directory = TRY(base::sys::open_host(directory_of(path), O_RDONLY | O_DIRECTORY)
                                       .context("directory of the backup"));
    if (TRY(base::sys::exists_at(directory, name_of(path))))
        return base::fail(base::Errc::already_exists, "backup {}: exists", path);
    // Under another name until it is whole: who finds `path` finds all of it. The name is this
    // process's, so what an earlier one left half is none of ours and no hindrance.
    const auto partial = base::format("{}.{}.part", path, ::getpid());
    TRY(base::sys::remove_at(directory, name_of(partial)));
    TRY(base::sys::open_host(partial, O_RDWR | O_CREAT | O_EXCL, 0600).context("make the backup"));
    base::Defer drop([&] { (void)base::sys::remove_at(directory, name_of(partial)); });
    {
        const auto reader = TRY(borrow());
        const auto copy =
                TRY(Database::open(partial, Database::Mode::writer, config_.busy_timeout));
        TRY(copy_pages(*reader->database, *copy));
    }
    TRY(base::sys::rename_at(
            directory, name_of(partial), directory, name_of(path), RENAME_NOREPLACE));
    drop.dismiss();
    return base::sys::sync(directory);
}

}  // namespace brain::store
