// bench-rounds CONTAINERS ROUNDS: what a bulk round of the rep costs when nothing has changed, with
// containers of an ordinary size. Prints processor time and calls to the brain of one round as
// JSON.
#include "rep/core/rep.hpp"
#include "tests/unit/rep/flaky_brain.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

double processor_microseconds() {
    std::timespec now{};
    (void)::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// An app as it is pushed every day: thirty variables, a port, a rule, a check.
test::Container container(int index) {
    auto c = test::lrp_container(
            "instance-" + std::to_string(index), test::State::running, test::key("app", index));
    c.info.run = test::action();
    for (int i = 0; i < 30; ++i)
        c.info.env.push_back(
                {.name = "VARIABLE_" + std::to_string(i), .value = std::string(100, 'v')});
    c.info.egress_rules.resize(20);
    return c;
}

int measure(int containers, int rounds) {
    const base::SystemClock clock;
    rep::core::MemoryBrain memory(clock);
    test::FlakyBrain brain(memory);
    test::FakeExecutor executor;
    base::metrics::Registry metrics;
    for (int i = 0; i < containers; ++i) {
        executor.put(container(i));
        auto row = test::record("instance-" + std::to_string(i), brain::api::LrpState::running);
        row.key.index = i;
        memory.put(row);
    }
    rep::core::Rep rep(test::config(), executor, brain, metrics);
    if (!rep.harmonizer().round()) return 1;
    brain.calls = 0;
    const auto begin = processor_microseconds();
    for (int i = 0; i < rounds; ++i)
        if (!rep.harmonizer().round()) return 1;
    const auto spent = processor_microseconds() - begin;
    std::printf(
            "{\"cpu_us\": %.1f, \"calls\": %.2f}\n", spent / rounds,
            static_cast<double>(brain.calls) / rounds);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    return measure(std::atoi(argv[1]), std::atoi(argv[2]));
}
