// The form of the SQLite file: its tables, its version, how older forms become the present one, and
// the look at it when it is opened. Private to brain/store.
#pragma once

#include "brain/store/sqlite_database.hpp"
#include "brain/store/store.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace brain::store {

// How long opening looks for damage at most; a big file is then looked at in part, verify() reads
// all of it.
inline constexpr std::chrono::milliseconds kLookAtOpen{1'000};
inline constexpr std::int64_t kForm = 1;  // of the tables; a higher one is a newer braind's

// Makes the file (mode 0600) and its tables where there are none; the connection that writes.
base::Result<std::unique_ptr<Database>> open_writer(const SqliteConfig& config);
base::Result<std::unique_ptr<Database>> open_reader(const SqliteConfig& config);

// SQLite's own look at its pages and order. `limit` 0: as long as it takes.
base::Result<std::vector<std::string>> look_for_damage(
        Database& database, std::chrono::milliseconds limit);

// SQLite keeps no sums of its pages: a flipped bit in a value would pass.
std::int64_t sum_of(std::string_view key, std::string_view value);
base::Result<void> check_sum(
        const Database& database, std::string_view key, std::string_view value, std::int64_t sum);

// "." for a path without a slash.
std::string directory_of(const std::string& path);

}  // namespace brain::store
