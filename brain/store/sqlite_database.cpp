#include "brain/store/sqlite_database.hpp"

#include "base/fail.hpp"

#include <errno.h>

#include <utility>

#include <sqlite3.h>

namespace brain::store {

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    (void)sqlite3_finalize(statement);  // tells the last step's failure again
}

Statement& Statement::bind(int place, std::string_view bytes) {
    // A null pointer would be SQL's NULL, which is not an empty value. A failure here (out of
    // memory) is the step's failure: the statement then has NULL where the table takes none.
    const char* data = bytes.empty() ? "" : bytes.data();
    (void)sqlite3_bind_blob64(statement_.get(), place, data, bytes.size(), SQLITE_STATIC);
    return *this;
}

Statement& Statement::bind(int place, std::int64_t number) {
    (void)sqlite3_bind_int64(statement_.get(), place, number);  // as above
    return *this;
}

base::Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) {
        reset();
        return false;
    }
    auto error = database_->error(code, "");
    reset();
    return error;
}

base::Result<void> Statement::run() {
    TRY(step());
    reset();
    return base::ok;
}

void Statement::reset() {
    (void)sqlite3_reset(statement_.get());  // tells the last step's failure again
    (void)sqlite3_clear_bindings(statement_.get());
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::string_view Statement::bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_.get(), column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return data == nullptr ? std::string_view()
                           : std::string_view(static_cast<const char*>(data), size);
}

std::int64_t Statement::number(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

base::Error damaged(const std::string& path, std::string_view why) {
    return base::fail(
            base::Errc::corrupt,
            "{}: damaged: {}; hint: stop braind, then: sqlite3 {} .recover | sqlite3 {}.recovered",
            path, why, path, path);
}

namespace {

base::Errc kind_of(int code, int system) {
    switch (code & 0xff) {
        case SQLITE_FULL:
            return base::Errc::exhausted;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return base::Errc::timeout;
        case SQLITE_INTERRUPT:
            return base::Errc::cancelled;
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_AUTH:
            return base::Errc::denied;
        case SQLITE_CANTOPEN:
            return system == 0 ? base::Errc::unavailable : base::errc_of_errno(system);
        case SQLITE_TOOBIG:
        case SQLITE_RANGE:
            return base::Errc::invalid;
        case SQLITE_IOERR:
            // The disk may be full where SQLite asks for its shared memory or syncs.
            return system == ENOSPC || system == EDQUOT ? base::Errc::exhausted
                                                        : base::Errc::unavailable;
        default:
            return base::Errc::internal;
    }
}

}  // namespace

base::Error Database::error(int code, std::string_view doing) const {
    const std::string reason =
            connection_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection_);
    if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
        return damaged(path_, reason);
    const int system = connection_ == nullptr ? 0 : sqlite3_system_errno(connection_);
    auto text = base::format("{}: {}{}{}", path_, doing, doing.empty() ? "" : ": ", reason);
    if ((code & 0xff) == SQLITE_BUSY) text += " (another program keeps it for writing)";
    if (((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN) && system != 0)
        text += ": " + base::errno_text(system);
    return base::Error{
            .kind = kind_of(code, system),
            .sys = system,
            .text = std::move(text),
            .where = base::Where::here()};
}

base::Result<std::unique_ptr<Database>> Database::open(
        const std::string& path, Mode mode, std::chrono::milliseconds busy_timeout) {
    sqlite3* raw = nullptr;
    // One thread at a time uses a connection, so SQLite needs no lock of its own.
    const int code = sqlite3_open_v2(
            path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    auto database = std::make_unique<Database>(raw, path);
    if (code != SQLITE_OK) return database->error(code, "open");
    (void)sqlite3_extended_result_codes(raw, 1);
    (void)sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()));
    TRY(database->run(
            "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
            "PRAGMA temp_store=MEMORY"));
    if (mode == Mode::reader) TRY(database->run("PRAGMA query_only=ON"));
    return database;
}

Database::~Database() {
    (void)sqlite3_close_v2(connection_);  // waits for statements, if one is left
}

base::Result<void> Database::run(const char* sql) {
    const int code = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code, "");
    return base::ok;
}

base::Result<Statement> Database::prepare(std::string_view sql) const {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(
            connection_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
            &statement, nullptr);
    if (code != SQLITE_OK) return error(code, "");
    return Statement(*this, statement);
}

base::Result<std::string> Database::text(std::string_view sql) const {
    auto statement = TRY(prepare(sql));
    if (!TRY(statement.step()))
        return base::fail(base::Errc::not_found, "{}: no answer to: {}", path_, sql);
    return std::string(statement.bytes(0));
}

base::Result<std::int64_t> Database::number(std::string_view sql) const {
    auto statement = TRY(prepare(sql));
    if (!TRY(statement.step()))
        return base::fail(base::Errc::not_found, "{}: no answer to: {}", path_, sql);
    return statement.number(0);
}

base::Result<std::unique_ptr<Transaction>> Transaction::begin(Database& database) {
    // IMMEDIATE: the write lock comes first, so that what is read in it holds until the end.
    TRY(database.run("BEGIN IMMEDIATE"));
    return std::make_unique<Transaction>(database);
}

Transaction::~Transaction() {
    if (done_ || sqlite3_get_autocommit(database_.raw()) != 0) return;
    // A failure leaves nothing behind either: the log's frames have no end mark.
    (void)database_.run("ROLLBACK");
}

base::Result<void> Transaction::commit() {
    TRY(database_.run("COMMIT"));
    done_ = true;
    return base::ok;
}

}  // namespace brain::store
