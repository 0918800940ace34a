// SQLite as the house uses it: one connection, prepared statements, transactions that undo
// themselves, errors by kind. Private to brain/store.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace brain::store {

class Database;

// Bound bytes are borrowed until reset() or the next step's end.
class Statement {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
  public:
    Statement() = default;

    Statement(const Database& database, sqlite3_stmt* statement)
        : database_(&database), statement_(statement) {}

    Statement& bind(int place, std::string_view bytes);
    Statement& bind(int place, std::int64_t number);

    // True: a row is there. After false or an error the statement is ready for new values.
    base::Result<bool> step();
    // For statements without rows.
    base::Result<void> run();
    // Ends a reading before its last row; bound values go.
    void reset();

    bool is_null(int column) const;
    std::string_view bytes(int column) const;  // until the next step
    std::int64_t number(int column) const;

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };

    const Database* database_ = nullptr;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One connection; one thread at a time. Stays where it is: statements point to it.
class Database {
  public:
    enum class Mode { writer, reader };

    static base::Result<std::unique_ptr<Database>> open(
            const std::string& path, Mode mode, std::chrono::milliseconds busy_timeout);

    Database(sqlite3* connection, std::string path)
        : connection_(connection), path_(std::move(path)) {}

    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    base::Result<void> run(const char* sql);
    base::Result<Statement> prepare(std::string_view sql) const;
    // The first column of the first row; Errc::not_found without a row.
    base::Result<std::string> text(std::string_view sql) const;
    base::Result<std::int64_t> number(std::string_view sql) const;

    // The connection's last failure as a sentence with the file's name.
    base::Error error(int code, std::string_view doing) const;

    sqlite3* raw() const { return connection_; }

    const std::string& path() const { return path_; }

  private:
    sqlite3* connection_ = nullptr;
    std::string path_;
};

// BEGIN IMMEDIATE … COMMIT; undone when it ends without commit().
class Transaction {
  public:
    static base::Result<std::unique_ptr<Transaction>> begin(Database& database);

    explicit Transaction(Database& database) : database_(database) {}

    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();

    base::Result<void> commit();

  private:
    Database& database_;
    bool done_ = false;
};

// What to do about a file that is damaged; the one sentence of README.md, too.
base::Error damaged(const std::string& path, std::string_view why);

}  // namespace brain::store
