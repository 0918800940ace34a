// Who leads on one file. The term's row fences commits; LeadFile says who may take the next one.
#include "base/clock.hpp"
#include "base/defer.hpp"
#include "base/fail.hpp"
#include "brain/store/sqlite_store.hpp"

#include <algorithm>

namespace brain::store {

namespace {

constexpr std::size_t kMaxName = 1024;
constexpr std::chrono::milliseconds kLookAgain{50};

LeadFile::Moment now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

base::Result<void> SqliteStore::write_lead(
        std::uint64_t term, std::optional<std::string_view> name) {
    write_lead_.bind(1, static_cast<std::int64_t>(term));
    if (name) write_lead_.bind(2, *name);  // left alone it is NULL
    return write_lead_.run();
}

base::Result<std::optional<Term>> SqliteStore::take_lead(
        const std::string& name, LeadFile::Moment lease_until) {
    const auto present = TRY(lead_row());
    if (present.name && TRY(lead_.is_led(present.term))) return std::optional<Term>();
    const auto next = present.term + 1;
    // Before the row: from the first moment on, the term is a living leader's.
    const auto before = lead_.held();
    if (!TRY(lead_.hold(next))) return std::optional<Term>();
    if (before != 0) (void)lead_.let_go(before);  // its time is over, also when it was ours
    auto give_back = base::Defer([this, next] { (void)lead_.let_go(next); });
    const auto transaction = TRY(Transaction::begin(*writer_));
    if (TRY(lead_row()).term != present.term) return std::optional<Term>();
    TRY(write_lead(next, name));
    TRY(transaction->commit());
    TRY(lead_.set_lease(next, lease_until));
    give_back.dismiss();
    return std::optional<Term>(Term{.number = next});
}

base::Result<std::optional<Term>> SqliteStore::campaign(
        const std::string& name,
        std::chrono::milliseconds time_to_live,
        std::chrono::milliseconds patience) {
    if (name.size() > kMaxName)
        return base::fail(
                base::Errc::invalid, "name of a leader: {} bytes, at most {}", name.size(),
                kMaxName);
    if (time_to_live.count() <= 0)
        return base::fail(
                base::Errc::invalid, "time to live of a leader: {} ms, at least 1",
                time_to_live.count());
    const auto deadline = now() + patience;
    for (;;) {
        {
            const std::lock_guard lock(write_mutex_);
            const auto guard = TRY(lead_.guard(now() + config_.busy_timeout));
            const auto term = TRY(take_lead(name, now() + time_to_live));
            if (term) {
                time_to_live_ = time_to_live;
                return term;
            }
        }
        const auto left = deadline - now();
        if (left <= left.zero()) return std::optional<Term>();
        // The end of a lease is nothing but time, and the end of a process is told by no event of a
        // file. This is one look at a lock and a row.
        base::pause_for(std::min<std::chrono::nanoseconds>(left, kLookAgain));
    }
}

base::Result<void> SqliteStore::keep_lead(Term term) {
    const std::lock_guard lock(write_mutex_);
    // Under the guard: nobody takes the lead between the look at the row and the longer lease.
    const auto guard = TRY(lead_.guard(now() + config_.busy_timeout));
    auto led = fence(term);
    if (led && lead_.held() != term.number)
        led = base::fail(base::Errc::conflict, "term {} is not this store's", term.number);
    if (!led) {
        if (led.error().kind == base::Errc::conflict) (void)lead_.let_go(term.number);
        return led;
    }
    return lead_.set_lease(term.number, now() + time_to_live_);
}

base::Result<void> SqliteStore::resign(Term term) {
    const std::lock_guard lock(write_mutex_);
    if (lead_.held() != term.number) return base::ok;
    const auto guard = TRY(lead_.guard(now() + config_.busy_timeout));
    // Whatever becomes of the row (a full disk), the next one need not wait.
    const base::Defer free([this, term] { (void)lead_.let_go(term.number); });
    const auto transaction = TRY(Transaction::begin(*writer_));
    const auto present = TRY(lead_row());
    if (present.term != term.number || !present.name) return base::ok;
    TRY(write_lead(term.number, {}));
    return transaction->commit();
}

base::Result<std::optional<Leader>> SqliteStore::leader() {
    const std::lock_guard lock(write_mutex_);
    const auto present = TRY(lead_row());
    if (!present.name) return std::optional<Leader>();
    if (!TRY(lead_.is_led(present.term))) return std::optional<Leader>();
    return std::optional<Leader>(
            Leader{.term = Term{.number = present.term}, .name = *present.name});
}

}  // namespace brain::store
