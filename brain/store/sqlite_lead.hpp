// Who leads on one SQLite file, beside the file: `<path>.lead`. The term's number is in the
// database (meta) and fences every commit; here is who may take the next one. Private to
// brain/store.
//
//   byte kGuard locked      somebody decides about the lead; for milliseconds
//   byte kTerms + N locked  the leader of term N lives (the kernel unlocks when its process ends)
//   bytes 0-15              the term and until when its leader holds it (CLOCK_MONOTONIC)
//
// A dead leader's term may be taken at once, a living one's when it has not been kept for its time.
// The lease is no row of the database: who keeps it needs neither an fsync nor space on the disk.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace brain::store {

class LeadFile {
  public:
    using Moment = std::chrono::steady_clock::time_point;

    static base::Result<LeadFile> open(const std::string& database_path);

    // Held until the answer is destroyed; Errc::timeout at `deadline` (a stopped process has it).
    class Guard {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
      public:
        explicit Guard(base::FdRef file) : file_(file) {}

        Guard(Guard&& other) noexcept : file_(std::exchange(other.file_, base::FdRef())) {}

        Guard& operator=(Guard&&) = delete;
        ~Guard();

      private:
        base::FdRef file_;
    };

    base::Result<Guard> guard(Moment deadline) const;

    // Is the leader of `term` alive and in its time?
    base::Result<bool> is_led(std::uint64_t term) const;
    // False: another has it.
    base::Result<bool> hold(std::uint64_t term);
    base::Result<void> let_go(std::uint64_t term);
    // Under the guard.
    base::Result<void> set_lease(std::uint64_t term, Moment until) const;

    // The last term that hold() gave and let_go() did not take back; 0: none.
    std::uint64_t held() const { return held_; }

  private:
    explicit LeadFile(base::Fd file) : file_(std::move(file)) {}

    base::Fd file_;
    std::uint64_t held_ = 0;
};

}  // namespace brain::store
