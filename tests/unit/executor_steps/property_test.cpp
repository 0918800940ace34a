// Random recipes with random programs, cancels and restarts of the daemon, against a model that
// only adds up times: always one end, at the time and with the success that the model says, and no
// process left.
#include "tests/unit/executor_steps/bench.hpp"

#include <algorithm>
#include <random>

#include <catch2/catch.hpp>

using namespace test;  // NOLINT: a test of nothing else
using executor::api::Action;

namespace {

using Time = std::chrono::nanoseconds;
constexpr Time kNever = Time::max();
constexpr Time kGrace = milliseconds(400);

class Recipes {
  public:
    Recipes(std::uint64_t seed, FakeProcesses& processes, bool deaf_ones)
        : random_(seed), processes_(processes), deaf_ones_(deaf_ones) {}

    // Nanoseconds at random: two things never happen at once.
    Time time(Time least, Time most) {
        return Time(
                std::uniform_int_distribution<std::int64_t>(least.count(), most.count())(random_));
    }

    bool chance(int percent) {
        return std::uniform_int_distribution<int>(0, 99)(random_) < percent;
    }

    Action action(int depth) {
        const int kind = std::uniform_int_distribution<int>(0, depth > 0 ? 8 : 1)(random_);
        switch (kind) {
            case 2:
                return timeout_of(action(depth - 1), time(milliseconds(1), milliseconds(900)));
            case 3:
                return try_of(action(depth - 1));
            case 4:
                return progress_of(action(depth - 1));
            case 5:
                return codependent_of(several(depth - 1));
            case 6:
                return parallel_of(several(depth - 1));
            case 7:
            case 8:
                return serial_of(several(depth - 1));
            default:
                return program();
        }
    }

  private:
    std::vector<Action> several(int depth) {
        std::vector<Action> out;
        const int count = std::uniform_int_distribution<int>(1, 3)(random_);
        for (int i = 0; i < count; ++i) out.push_back(action(depth));
        return out;
    }

    Action program() {
        const auto name = "p" + std::to_string(++programs_);
        Behaviour behaviour;
        if (chance(85)) behaviour.lives = time(milliseconds(1), milliseconds(700));
        behaviour.status = chance(60) ? 0 : 1;
        behaviour.leaves_after = time(milliseconds(0), milliseconds(300));
        if (deaf_ones_ && chance(30)) behaviour.leaves_after.reset();
        processes_.programs[name] = behaviour;
        return run_of(name);
    }

    std::mt19937_64 random_;
    FakeProcesses& processes_;
    const bool deaf_ones_;
    int programs_ = 0;
};

// When something ends that starts at `start` and is cancelled at `stop`, and how.
struct Model {
    const std::map<std::string, Behaviour>& programs;

    struct End {
        Time time{0};
        bool good = false;
    };

    End of(const Action& action, Time start, Time stop) const {
        return std::visit([&](const auto& value) { return end(value, start, stop); }, action.value);
    }

    End end(const executor::api::RunAction& run, Time start, Time stop) const {
        const auto& program = programs.at(run.path);
        const auto natural = program.lives ? start + *program.lives : kNever;
        if (natural < stop) return {natural, program.status == 0};
        return {std::min(natural, stop + program.leaves_after.value_or(kGrace)), false};
    }

    End end(const executor::api::SerialAction& serial, Time start, Time stop) const {
        End last{start, true};
        for (const auto& child : serial.actions) {
            last = of(child, last.time, stop);
            if (!last.good || last.time > stop) break;
        }
        return last;
    }

    End end(const executor::api::ParallelAction& parallel, Time start, Time stop) const {
        End all{start, true};
        for (const auto& child : parallel.actions) {
            const auto one = of(child, start, stop);
            all = {std::max(all.time, one.time), all.good && one.good};
        }
        return all;
    }

    End end(const executor::api::CodependentAction& group, Time start, Time stop) const {
        Time first = kNever;
        for (const auto& child : group.actions)
            first = std::min(first, of(child, start, stop).time);
        End all{start, false};
        for (const auto& child : group.actions)
            all.time = std::max(all.time, of(child, start, std::min(stop, first)).time);
        return all;
    }

    End end(const executor::api::TimeoutAction& timeout, Time start, Time stop) const {
        const auto deadline = start + timeout.timeout;
        const auto undisturbed = of(*timeout.action, start, stop);
        if (undisturbed.time <= deadline) return undisturbed;
        return {of(*timeout.action, start, std::min(stop, deadline)).time, false};
    }

    End end(const executor::api::TryAction& attempt, Time start, Time stop) const {
        return {of(*attempt.action, start, stop).time, true};
    }

    End end(const executor::api::EmitProgressAction& progress, Time start, Time stop) const {
        return of(*progress.action, start, stop);
    }

    template <class Other>
    End end(const Other&, Time start, Time) const {
        return {start, false};
    }
};

struct Happening {
    Time time{0};
    bool is_cancel = false;
};

void play(std::uint64_t seed, bool restarts) {
    CAPTURE(seed, restarts);
    Bench b;
    b.tools().times.graceful_shutdown = kGrace;
    // A process that is deaf gets its whole grace time again after a restart: the model does not
    // know that.
    Recipes random(seed, b.processes, !restarts);
    const auto action = random.action(4);
    const auto stop = random.time(milliseconds(1), random.chance(50) ? seconds(1) : seconds(8));
    std::vector<Happening> happenings{{.time = stop, .is_cancel = true}};
    for (int i = 0; restarts && i < 4; ++i)
        happenings.push_back({.time = random.time(milliseconds(0), seconds(2))});
    std::sort(happenings.begin(), happenings.end(), [](const auto& x, const auto& y) {
        return x.time < y.time;
    });
    const auto expected = Model{b.processes.programs}.of(action, Time(0), stop);

    const auto make = [&] { return executor::make_step(action, b.tools(), "APP", "run"); };
    const auto begin = b.clock.monotonic();
    b.start(make());
    for (const auto& happening : happenings) {
        if (b.watched().done()) break;
        b.advance(happening.time - (b.clock.monotonic() - begin));
        if (b.watched().done()) break;
        if (happening.is_cancel) {
            b.cancel();
            continue;
        }
        auto step = make();
        if (happening.time > stop) step->cancel();  // its owner knows that it was asked to
        b.restart(std::move(step));
    }
    while (!b.watched().done() && b.loop->next_timer())
        b.advance(*b.loop->next_timer() - b.clock.monotonic());
    // Nothing comes after the end.
    b.advance(seconds(60));
    const auto& w = b.watched();
    REQUIRE(w.dones == 1);
    CHECK(w.readies <= 1);
    CHECK(w.outcome.good() == expected.good);
    CHECK(b.processes.running() == 0);
    CHECK_FALSE(b.processes.started_twice);
}

}  // namespace

TEST_CASE("random recipes with a cancel at a random time end once and as the model says") {
    for (std::uint64_t seed = 1; seed <= 2'000; ++seed) play(seed, false);
}

TEST_CASE("random recipes end as the model says whenever the daemon is killed and comes back") {
    for (std::uint64_t seed = 1; seed <= 2'000; ++seed) play(seed, true);
}
