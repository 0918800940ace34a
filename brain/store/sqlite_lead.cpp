#include "brain/store/sqlite_lead.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/file_range.hpp"

#include <fcntl.h>

#include <array>
#include <bit>

namespace brain::store {

namespace {

// Behind anything that is ever written: locks need no bytes.
constexpr std::uint64_t kGuard = std::uint64_t{1} << 20;
constexpr std::uint64_t kTerms = kGuard + 1;
constexpr std::chrono::milliseconds kTryAgain{5};

struct Lease {
    std::uint64_t term = 0;
    std::int64_t until = 0;  // nanoseconds of CLOCK_MONOTONIC
};

using LeaseBytes = std::array<char, sizeof(Lease)>;

}  // namespace

base::Result<LeadFile> LeadFile::open(const std::string& database_path) {
    auto file = TRY(base::sys::open_host(database_path + ".lead", O_RDWR | O_CREAT, 0600)
                            .context("open the file of the lead"));
    return LeadFile(std::move(file));
}

LeadFile::Guard::~Guard() {
    if (file_) (void)base::sys::unlock_byte(file_, kGuard);  // closing the file would, too
}

base::Result<LeadFile::Guard> LeadFile::guard(Moment deadline) const {
    for (;;) {
        if (TRY(base::sys::try_lock_byte(file_, kGuard))) return Guard(file_);
        if (std::chrono::steady_clock::now() >= deadline)
            return base::fail(
                    base::Errc::timeout, "another brain decides about the lead and does not end");
        // The kernel's wait for a lock has no deadline; the guard is kept for one fsync at most.
        base::pause_for(kTryAgain);
    }
}

base::Result<bool> LeadFile::is_led(std::uint64_t term) const {
    // One's own lock is not seen as another's.
    if (term == 0) return false;
    if (term != held_ && !TRY(base::sys::is_byte_locked(file_, kTerms + term))) return false;
    LeaseBytes bytes{};
    const auto count = TRY(base::sys::read_at(file_, 0, bytes));
    const auto lease = std::bit_cast<Lease>(bytes);
    if (count < bytes.size() || lease.term != term) return false;
    return std::chrono::steady_clock::now().time_since_epoch() <
           std::chrono::nanoseconds(lease.until);
}

base::Result<bool> LeadFile::hold(std::uint64_t term) {
    if (!TRY(base::sys::try_lock_byte(file_, kTerms + term))) return false;
    held_ = term;
    return true;
}

base::Result<void> LeadFile::let_go(std::uint64_t term) {
    if (held_ == term) held_ = 0;
    return base::sys::unlock_byte(file_, kTerms + term);
}

base::Result<void> LeadFile::set_lease(std::uint64_t term, Moment until) const {
    const Lease lease{
            .term = term,
            .until = std::chrono::duration_cast<std::chrono::nanoseconds>(until.time_since_epoch())
                             .count()};
    const auto bytes = std::bit_cast<LeaseBytes>(lease);
    return base::sys::write_at(file_, 0, std::string_view(bytes.data(), bytes.size()));
}

}  // namespace brain::store
