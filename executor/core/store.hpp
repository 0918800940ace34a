// Store: what celld keeps of its containers on disk, so that a killed one takes them up again. One
// directory per container: `record` (whole, replaced atomically) and `journal` (of its steps,
// appended). Written without fsync: a machine that loses power loses the containers, too (ADR 2).
// Used by executor/core. Safe from any thread for different containers.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "executor/api/types.hpp"
#include "executor/steps/journal.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace executor {

inline constexpr std::size_t kMaxRecordBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxJournalBytes = std::size_t{1} << 20;

struct Record {
    api::Container container;
    bool stop = false;                      // somebody asked for it
    std::vector<std::string> dependencies;  // directories of the cache it has mounted
};

void to_json(base::json::Writer& w, const Record& v);
base::Result<void> from_json(const base::json::Node& node, Record& v);

class JournalFile;

class Store {
  public:
    struct Damage {
        std::string guid;
        base::Error error;
    };

    struct Loaded {
        std::vector<Record> records;
        std::vector<Damage> damaged;  // set aside under `.damaged/`, so that a person can look
    };

    // Makes the directory, 0700.
    static base::Result<Store> open(const std::string& directory);

    base::Result<Loaded> load();
    base::Result<void> save(const Record& record);
    base::Result<void> erase(std::string_view guid);
    // `complain` hears of writes that failed: a full disk must not stop a step.
    base::Result<std::unique_ptr<JournalFile>> journal(
            std::string_view guid, std::function<void(const base::Error&)> complain);
    // A directory of the container's own for files that are mounted into it; removed by erase().
    base::Result<std::string> directory_for(std::string_view guid, std::string_view name);

  private:
    Store(std::string path, base::Fd root) : path_(std::move(path)), root_(std::move(root)) {}

    std::string path_;
    base::Fd root_;  // …/containers
};

class JournalFile final : public Journal {
  public:
    JournalFile(base::Fd directory, std::function<void(const base::Error&)> complain)
        : directory_(std::move(directory)), complain_(std::move(complain)) {}

    base::Result<void> load();

    std::optional<std::chrono::system_clock::time_point> begun(
            std::string_view path) const override;
    std::optional<Outcome> finished(std::string_view path) const override;
    void begin(std::string_view path) override;
    void finish(std::string_view path, const Outcome& outcome) override;

  private:
    struct Line {
        std::optional<std::int64_t> begun;  // ns since 1970
        std::optional<Outcome> outcome;
    };

    void append(std::string_view path, const Line& line);
    base::Result<void> write(const std::string& text);
    base::Result<void> compact();

    base::Fd directory_;
    std::function<void(const base::Error&)> complain_;
    base::Fd file_;
    std::size_t bytes_ = 0;
    mutable std::mutex mutex_;
    std::map<std::string, Line, std::less<>> lines_;
};

}  // namespace executor
