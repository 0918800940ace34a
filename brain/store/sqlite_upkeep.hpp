// Brings what the write-ahead log has into the database file, behind the writers, on a thread and a
// connection of its own. Used by the SQLite driver.
#pragma once

#include "brain/store/sqlite_database.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace brain::store {

// In pages of the log. Behind the first, the thread works; behind the second it cannot keep up, and
// the writer does the rest itself: only a log that is wholly in the file begins anew.
inline constexpr int kUpkeepPages = 2'000;
inline constexpr int kMaxLogPages = 20'000;

class SqliteUpkeep {
  public:
    explicit SqliteUpkeep(std::unique_ptr<Database> database);

    void wanted();  // returns at once

  private:
    void loop(const std::stop_token& stop);

    std::unique_ptr<Database> database_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool wanted_ = false;
    std::jthread thread_;  // last: it ends before what it uses
};

// As much as nobody reads; true when all of the log is in the file.
bool move_log_into_file(Database& database);

}  // namespace brain::store
