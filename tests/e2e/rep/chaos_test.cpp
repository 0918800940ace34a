// Executor and rep killed again and again at random points: records and containers agree
// afterwards, every task has its one right result (executor-rep §21, §23).
#include "base/parse.hpp"
#include "tests/e2e/rep/cell.hpp"
#include "tests/support/needs.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

using namespace test;
using brain::api::LrpState;
using brain::api::TaskState;

namespace {

constexpr int kRounds = 20;
constexpr std::size_t kApps = 15;
constexpr int kTasks = 15;  // new ones in each round

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise
                           : base::parse_number<std::uint64_t>(text, name).value_or(otherwise);
}

class Chaos {
  public:
    explicit Chaos(std::uint64_t seed) : random_(seed) {}

    void round(int number);

  private:
    int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }

    void pause() { std::this_thread::sleep_for(milliseconds(below(400))); }

    void change(int number);
    void strike();
    void deliver();
    void mend();
    std::string unsettled();
    void check();

    std::mt19937_64 random_;
    std::set<std::string> apps_, removed_, tasks_;
    Cell cell_;
};

void Chaos::change(int number) {
    for (int i = 0; i < 2 && apps_.size() == kApps; ++i) {
        const auto chosen = std::next(apps_.begin(), below(static_cast<int>(apps_.size())));
        REQUIRE(cell_.brain().remove_desired_lrp(*chosen));
        removed_.insert(*chosen);
        apps_.erase(chosen);
    }
    for (int i = 0; apps_.size() < kApps; ++i) {
        const auto guid = base::format("app-{}-{}", number, i);
        REQUIRE(cell_.brain().desire_lrp(app(guid, kForever)));
        apps_.insert(guid);
    }
    for (int i = 0; i < kTasks; ++i) {
        const auto guid = base::format("task-{}-{}", number, i);
        // Appended: a second run in the same container would show.
        const auto script = base::format("usleep {}; echo -n {} >>/tmp/r", below(600'000), guid);
        REQUIRE(cell_.brain().desire_task(job(guid, script, "/tmp/r")));
        tasks_.insert(guid);
    }
}

// One delivery, which may meet a rep or an executor that is not there.
void Chaos::deliver() {
    try {
        (void)cell_.place();
    } catch (const std::runtime_error&) {
        return;  // again later, as an auctioneer does
    }
}

void Chaos::strike() {
    const int what = below(3);
    // Between any two words with the brain.
    if (what != 0 && below(2) == 0) cell_.link().dies_after = below(40);
    std::thread other([&] { deliver(); });
    pause();
    if (what != 1) cell_.kill_executor();
    const bool garden = from_environment("CLOCHE_E2E_GARDEN", 0) != 0 && below(3) == 0;
    if (garden) cell_.garden().kill9();
    other.join();
    if (garden) cell_.garden().start();
    if (what != 0) {
        pause();
        cell_.kill_rep();
    }
    pause();
    if (what != 1) cell_.start_executor();
    if (what != 0) cell_.start_rep();
    deliver();
}

// What convergence does: missing records come back, instances nobody wants are stopped.
void Chaos::mend() {
    for (const auto& guid : apps_) {
        if (!cell_.records(guid).empty()) continue;
        brain::api::ActualLrp lrp;
        lrp.key = {.process_guid = guid, .index = 0, .domain = "apps"};
        lrp.state = LrpState::unclaimed;
        cell_.brain().put(lrp);
    }
    for (const auto& guid : removed_)
        for (const auto& lrp : cell_.records(guid))
            if (!lrp.instance.empty())
                (void)cell_.http().stop_lrp(guid, lrp.instance.instance_guid);
    deliver();
}

// "" when everything is as it should be.
std::string Chaos::unsettled() {
    std::vector<std::string> wanted;
    for (const auto& guid : apps_) {
        const auto lrp = cell_.record(guid);
        if (lrp.state != LrpState::running)
            return guid + " is " + std::string(to_string(lrp.state));
        wanted.push_back(lrp.instance.instance_guid);
    }
    for (const auto& guid : tasks_)
        if (const auto task = cell_.task(guid); task.state != TaskState::completed)
            return guid + " is " + std::string(to_string(task.state));
    for (const auto& guid : removed_)
        if (!cell_.records(guid).empty()) return guid + " still has a record";
    std::ranges::sort(wanted);
    std::vector<std::string> there;
    for (const auto& c : cell_.containers()) there.push_back(c.guid);
    std::ranges::sort(there);
    if (there != wanted) return base::format("{} containers, not {}", there.size(), wanted.size());
    if (cell_.handles() != wanted) return "gardend's handles differ from the executor's";
    return {};
}

void Chaos::check() {
    for (const auto& guid : apps_) {
        const auto lrp = cell_.record(guid);
        INFO(guid << " " << lrp.crash_reason);
        CHECK(lrp.crash_count == 0);
        CHECK(lrp.instance.cell_id == kCellId);
    }
    for (const auto& guid : tasks_) {
        const auto task = cell_.task(guid);
        INFO(guid << " " << task.failure_reason << " " << task.rejection_reason);
        CHECK_FALSE(task.failed);
        CHECK(task.result == guid);
    }
    tasks_.clear();
    removed_.clear();
    const auto state = cell_.http().state();
    REQUIRE(state);
    CHECK(state->available_resources.containers ==
          state->total_resources.containers - static_cast<std::int64_t>(kApps));
    CHECK(state->available_resources.memory_mb ==
          state->total_resources.memory_mb - 32 * static_cast<std::int64_t>(kApps));
}

void Chaos::round(int number) {
    change(number);
    strike();
    if (below(2) == 0) strike();
    std::string why;
    const bool settled = soon([&] {
        mend();
        why = unsettled();
        return why.empty();
    });
    INFO("round " << number << ": " << why << "\n" << cell_.log_tail());
    REQUIRE(settled);
    check();
}

}  // namespace

TEST_CASE("nothing is lost or doubled when executor and rep are killed at random") {
    NEEDS(root, nft);
    const auto seed = from_environment("CLOCHE_E2E_SEED", std::random_device{}());
    const auto rounds = static_cast<int>(from_environment("CLOCHE_E2E_ROUNDS", kRounds));
    std::cout << "CLOCHE_E2E_SEED=" << seed << std::endl;
    Chaos chaos(seed);
    for (int i = 0; i < rounds; ++i) chaos.round(i);
}
