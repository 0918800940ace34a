// The brain in memory behind a connection that a test can cut, with counters. Used by the tests of
// the rep.
#pragma once

#include "base/fail.hpp"
#include "rep/core/memory_brain.hpp"

#include <atomic>

namespace test {

class FlakyBrain final : public brain::api::Brain {
  public:
    explicit FlakyBrain(rep::core::MemoryBrain& inner) : inner_(inner) {}

    std::atomic<bool> away = false;
    std::atomic<int> fail_one_in = 0;  // 0: none
    std::atomic<int> dies_after = -1;  // calls that still work; -1: any number
    std::atomic<int> calls = 0;        // presence not counted
    std::atomic<int> syncs = 0;
    std::atomic<int> presences = 0;

    using Key = brain::api::LrpKey;
    using Instance = brain::api::InstanceKey;
    using Nothing = base::Result<void>;
    using Keep = base::Result<bool>;

    Nothing claim_actual_lrp(const Key& k, const Instance& i) override {
        TRY(here());
        return inner_.claim_actual_lrp(k, i);
    }

    Nothing start_actual_lrp(const brain::api::RunningLrp& r) override {
        TRY(here());
        return inner_.start_actual_lrp(r);
    }

    Nothing crash_actual_lrp(const Key& k, const Instance& i, std::string_view reason) override {
        TRY(here());
        return inner_.crash_actual_lrp(k, i, reason);
    }

    Nothing remove_actual_lrp(const Key& k, const Instance& i) override {
        TRY(here());
        return inner_.remove_actual_lrp(k, i);
    }

    Nothing remove_evacuating_actual_lrp(const Key& k, const Instance& i) override {
        TRY(here());
        return inner_.remove_evacuating_actual_lrp(k, i);
    }

    Keep evacuate_claimed_actual_lrp(const Key& k, const Instance& i) override {
        TRY(here());
        return inner_.evacuate_claimed_actual_lrp(k, i);
    }

    Keep evacuate_running_actual_lrp(const brain::api::RunningLrp& r) override {
        TRY(here());
        return inner_.evacuate_running_actual_lrp(r);
    }

    Keep evacuate_stopped_actual_lrp(const Key& k, const Instance& i) override {
        TRY(here());
        return inner_.evacuate_stopped_actual_lrp(k, i);
    }

    Keep evacuate_crashed_actual_lrp(
            const Key& k, const Instance& i, std::string_view reason) override {
        TRY(here());
        return inner_.evacuate_crashed_actual_lrp(k, i, reason);
    }

    base::Result<brain::api::DesiredLrp> desired_lrp(std::string_view guid) override {
        TRY(here());
        return inner_.desired_lrp(guid);
    }

    Keep start_task(std::string_view guid, std::string_view cell) override {
        TRY(here());
        return inner_.start_task(guid, cell);
    }

    base::Result<brain::api::Task> task(std::string_view guid) override {
        TRY(here());
        return inner_.task(guid);
    }

    Nothing complete_task(const brain::api::TaskOutcome& outcome) override {
        TRY(here());
        return inner_.complete_task(outcome);
    }

    Nothing reject_task(std::string_view guid, std::string_view reason) override {
        TRY(here());
        return inner_.reject_task(guid, reason);
    }

    base::Result<std::vector<brain::api::ActualLrp>> actual_lrps(std::string_view cell) override {
        TRY(here());
        return inner_.actual_lrps(cell);
    }

    base::Result<std::vector<brain::api::Task>> tasks(std::string_view cell) override {
        TRY(here());
        return inner_.tasks(cell);
    }

    base::Result<brain::api::SyncAnswer> sync(
            std::string_view cell, std::string_view digest) override {
        ++syncs;
        TRY(here());
        return inner_.sync(cell, digest);
    }

    Nothing put_presence(
            const brain::api::CellPresence& p,
            std::string_view owner,
            std::chrono::milliseconds ttl) override {
        ++presences;
        if (away) return base::fail(base::Errc::unavailable, "the brain is away");
        return inner_.put_presence(p, owner, ttl);
    }

    Nothing release_presence(std::string_view cell, std::string_view owner) override {
        if (away) return base::fail(base::Errc::unavailable, "the brain is away");
        return inner_.release_presence(cell, owner);
    }

  private:
    Nothing here() {
        const int call = ++calls;
        const int one_in = fail_one_in;
        const bool dead = dies_after >= 0 && dies_after-- == 0;
        if (dead) dies_after = 0;
        if (away || dead || (one_in > 0 && call % one_in == 0))
            return base::fail(base::Errc::unavailable, "the brain is away");
        return base::ok;
    }

    rep::core::MemoryBrain& inner_;
};

}  // namespace test
