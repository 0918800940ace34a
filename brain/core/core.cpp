#include "brain/core/core.hpp"

#include "base/defer.hpp"
#include "base/fail.hpp"

#include <algorithm>

namespace brain::core {

using base::Errc;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kStoreRetry{500};
constexpr milliseconds kCampaignPatience{1'000};

std::int64_t ticks(std::chrono::steady_clock::time_point time) {
    return time.time_since_epoch().count();
}

}  // namespace

Core::Core(Config config, store::Store& store, Effects& effects, const base::Clock& clock)
    : config_(std::move(config)),
      store_(store),
      effects_(effects),
      clock_(clock),
      leads_until_(std::make_shared<std::atomic<std::int64_t>>(0)) {}

Core::~Core() {
    stop();
}

void Core::start() {
    thread_ = std::thread([this] { lead_loop(); });
}

void Core::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

bool Core::pause(milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [&] { return stopping_; });
    return !stopping_;
}

void Core::stand_by(Role role, std::string text) {
    // Asked without the lock: a store that hangs must not hold up who asks how we stand.
    std::string leader;
    if (role == Role::standby)
        if (const auto known = store_.leader(); known && *known) leader = (*known)->name;
    const std::lock_guard lock(mutex_);
    standing_ = {.role = role, .leader = std::move(leader), .text = std::move(text), .term = 0};
}

void Core::lead_loop() {
    while (pause(milliseconds(0))) {
        const auto asked = clock_.monotonic();
        const auto won = store_.campaign(config_.name, config_.lead_time, kCampaignPatience);
        if (!won) {
            stand_by(Role::blind, "the store does not answer: " + won.error().text);
            if (!pause(kStoreRetry)) return;
        } else if (!*won) {
            stand_by(Role::standby, "another brain leads");
        } else {
            *leads_until_ = ticks(asked + config_.lead_time);
            lead(**won);
        }
    }
}

// From the first moment the lead is kept by a thread of its own: reading a large store takes longer
// than a lead lasts.
void Core::lead(store::Term term) {
    {
        const std::lock_guard lock(mutex_);
        lost_ = false;
    }
    std::thread keeper([&] { keep_loop(term); });
    const auto still_leads = [until = leads_until_, &clock = clock_] {
        return ticks(clock.monotonic()) < until->load();
    };
    auto reign = Reign::begin(config_, store_, term, effects_, clock_, still_leads);
    if (reign) {
        std::unique_lock lock(mutex_);
        reign_ = *reign;
        standing_ = {
                .role = Role::leader,
                .leader = config_.name,
                .text = "this brain leads",
                .term = term.number};
        while (!stopping_ && !lost_ && !(*reign)->broken())
            changed_.wait_for(lock, milliseconds(100));
        reign_.reset();
        standing_ = {.role = Role::starting, .leader = "", .text = "the lead is over", .term = 0};
    } else {
        stand_by(Role::blind, reign.error().text);
    }
    {
        const std::lock_guard lock(mutex_);
        lost_ = true;
        changed_.notify_all();
    }
    keeper.join();
    if (reign) {
        const auto broken = (*reign)->broken();
        (*reign)->end(broken ? broken->text : "this brain does not lead any more");
        effects_.forget_everything();
    }
    // Best effort: an unreachable store lets the lead expire.
    (void)store_.resign(term);
    if (!reign) pause(kStoreRetry);
}

void Core::keep_loop(store::Term term) {
    std::unique_lock lock(mutex_);
    while (!lost_) {
        changed_.wait_for(lock, config_.lead_time / 4, [&] { return lost_; });
        if (lost_) return;
        lock.unlock();
        const auto asked = clock_.monotonic();
        const auto kept = store_.keep_lead(term);
        if (kept) *leads_until_ = ticks(asked + config_.lead_time);
        const bool over = (!kept && kept.error().kind == Errc::conflict) ||
                          ticks(clock_.monotonic()) >= leads_until_->load();
        lock.lock();
        if (over) {
            lost_ = true;
            changed_.notify_all();
        }
    }
}

Standing Core::standing() const {
    const std::lock_guard lock(mutex_);
    return standing_;
}

std::optional<Figures> Core::figures() const {
    const auto current = reign();
    if (!current) return std::nullopt;
    return (*current)->figures();
}

base::Result<void> Core::converge_now() {
    TRY(reign())->converge_now();
    return base::ok;
}

base::Result<std::shared_ptr<Reign>> Core::reign() const {
    const std::lock_guard lock(mutex_);
    if (reign_) return reign_;
    if (!standing_.leader.empty() && standing_.leader != config_.name)
        return base::fail(Errc::unavailable, "{}: {}", standing_.text, standing_.leader);
    return base::fail(
            Errc::unavailable, "no brain leads here{}{}", standing_.text.empty() ? "" : ": ",
            standing_.text);
}

base::Result<void> Core::decide(const Reign::Rule& rule) {
    const auto current = TRY(reign());
    return current->decide(rule);
}

base::Result<std::vector<api::CellPresence>> Core::cells() {
    return list_cells();
}

}  // namespace brain::core
