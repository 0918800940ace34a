#include "brain/store/sqlite_upkeep.hpp"

#include <sqlite3.h>

namespace brain::store {

bool move_log_into_file(Database& database) {
    int in_log = 0;
    int moved = 0;
    // PASSIVE waits for nobody. A failure (a full disk) loses nothing: the log keeps it, the next
    // one tries again, and a commit that finds no space says so itself.
    const int code = sqlite3_wal_checkpoint_v2(
            database.raw(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    return code == SQLITE_OK && in_log == moved;
}

SqliteUpkeep::SqliteUpkeep(std::unique_ptr<Database> database)
    : database_(std::move(database)),
      thread_([this](const std::stop_token& stop) { loop(stop); }) {}

void SqliteUpkeep::wanted() {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
    changed_.notify_all();
}

void SqliteUpkeep::loop(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return wanted_; })) {
        wanted_ = false;
        lock.unlock();
        (void)move_log_into_file(*database_);  // what is left waits for the next time
        lock.lock();
    }
}

}  // namespace brain::store
