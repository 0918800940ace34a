// How a task ends: its result, its reasons, what is tried again.
#include "rep/core/applier.hpp"
#include "rep/core/result_file.hpp"
#include "tests/unit/rep/flaky_brain.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <catch2/catch.hpp>

using namespace test;
using brain::api::TaskState;

namespace {

struct Ending {
    base::ManualClock clock;
    rep::core::MemoryBrain memory{clock};
    FlakyBrain brain{memory};
    FakeExecutor executor;
    std::atomic<bool> evacuating = false;
    rep::core::Config config = test::config();
    rep::core::Applier applier{config, executor, brain, evacuating};

    Ending() {
        auto t = test::task("job");
        t.state = TaskState::running;
        t.cell_id = kCell;
        memory.put(t);
    }

    // The container completes; true when the operation was done.
    bool end(executor::api::RunResult result, const std::string& result_file = {}) {
        auto c = task_container("job", State::completed);
        c.run_result = std::move(result);
        if (!result_file.empty()) c.tags[std::string(rep::plan::kResultFileTag)] = result_file;
        executor.put(c);
        return again();
    }

    bool again() {
        rep::plan::Operation operation;
        operation.guid = "job";
        return applier.apply(operation);
    }

    brain::api::Task now() { return memory.task("job").value(); }

    bool there() { return executor.get("job").has_value(); }
};

executor::api::RunResult failure(const std::string& reason, bool retryable = false) {
    executor::api::RunResult out;
    out.failed = true;
    out.failure_reason = reason;
    out.retryable = retryable;
    return out;
}

}  // namespace

TEST_CASE("the result is the content of the result file") {
    Ending ending;
    ending.executor.put_file("job", "/r", tar_of("r", "all of it"));
    CHECK(ending.end({}, "/r"));
    CHECK(ending.now().state == TaskState::completed);
    CHECK_FALSE(ending.now().failed);
    CHECK(ending.now().result == "all of it");
    CHECK_FALSE(ending.there());
}

TEST_CASE("a result of 51,200 bytes is taken, one byte more is a failure") {
    const auto size = GENERATE(std::size_t{51'200}, std::size_t{51'201});
    Ending ending;
    ending.executor.put_file("job", "/r", tar_of("r", std::string(size, 'x')));
    CHECK(ending.end({}, "/r"));
    CHECK(ending.now().failed == (size > 51'200));
    CHECK(ending.now().failure_reason == (size > 51'200 ? "failed to fetch result" : ""));
    CHECK(ending.now().result.size() == (size > 51'200 ? 0 : size));
}

TEST_CASE("a result file that is not there fails a task that succeeded") {
    Ending ending;
    CHECK(ending.end({}, "/missing"));
    CHECK(ending.now().failed);
    CHECK(ending.now().failure_reason == "failed to fetch result");
}

TEST_CASE("a task that failed keeps its reason, with the result if there is one") {
    Ending ending;
    SECTION("there is") {
        ending.executor.put_file("job", "/r", tar_of("r", "partly"));
        CHECK(ending.end(failure("Exited with status 3"), "/r"));
        CHECK(ending.now().result == "partly");
    }
    SECTION("there is none") {
        CHECK(ending.end(failure("Exited with status 3"), "/r"));
        CHECK(ending.now().result.empty());
    }
    CHECK(ending.now().failed);
    CHECK(ending.now().failure_reason == "Exited with status 3");
}

TEST_CASE("a failure before running is rejected: pending again, and at last failed") {
    Ending ending;
    for (int i = 0; i < 4; ++i) {
        auto t = ending.now();
        t.state = TaskState::running;
        t.cell_id = kCell;
        ending.memory.put(t);
        CHECK(ending.end(failure("failed to create container: no", true)));
        CHECK_FALSE(ending.there());
        if (i < 3) CHECK(ending.now().state == TaskState::pending);
    }
    CHECK(ending.now().state == TaskState::completed);
    CHECK(ending.now().failure_reason == "failed to create container: no");
}

TEST_CASE("a cancelled task's end changes nothing in its record") {
    Ending ending;
    REQUIRE(ending.memory.cancel_task("job"));
    CHECK(ending.end({}));
    CHECK(ending.now().failure_reason == "task was cancelled");
    CHECK_FALSE(ending.there());
}

TEST_CASE("a run that the executor refuses fails the task with the exact reason") {
    Ending ending;
    ending.executor.refuse_run = true;
    ending.executor.put(task_container("job", State::reserved));
    CHECK(ending.again());
    CHECK(ending.now().failed);
    CHECK(ending.now().failure_reason == "failed to run container");
    CHECK_FALSE(ending.there());
}

TEST_CASE("a run that the executor refuses gives the LRP's place back") {
    Ending ending;
    REQUIRE(ending.memory.desire_lrp(desired("app", 1)));
    ending.executor.refuse_run = true;
    ending.executor.put(lrp_container("i", State::reserved));
    rep::plan::Operation operation;
    operation.guid = "i";
    CHECK(ending.applier.apply(operation));
    CHECK(ending.memory.all_lrps().empty());
    CHECK_FALSE(ending.executor.get("i"));
}

TEST_CASE("an LRP that cannot be converted crashes with the reason instead of waiting a minute") {
    Ending ending;
    auto lrp = desired("app", 1);
    lrp.definition.rootfs = "preloaded:gone";
    REQUIRE(ending.memory.desire_lrp(lrp));
    ending.executor.put(lrp_container("i", State::reserved));
    rep::plan::Operation operation;
    operation.guid = "i";
    CHECK(ending.applier.apply(operation));
    CHECK(ending.memory.all_lrps()[0].crash_reason == "preloaded rootfs path not found: gone");
    CHECK_FALSE(ending.executor.get("i"));
}

TEST_CASE("a result file out of a hostile container is bounded and never believed") {
    const auto read = [](std::string data) {
        Ending ending;
        ending.executor.put_file("job", "/r", std::move(data));
        auto stream = ending.executor.files("job", "/r");
        REQUIRE(stream);
        return rep::core::read_result(**stream);
    };
    auto tar = tar_of("r", "content");
    SECTION("nothing at all") {
        CHECK_FALSE(read(""));
    }
    SECTION("an end of archive") {
        CHECK_FALSE(read(std::string(1024, '\0')));
    }
    SECTION("cut in the header") {
        CHECK_FALSE(read(tar.substr(0, 100)));
    }
    SECTION("cut in the content") {
        CHECK_FALSE(read(tar.substr(0, 515)));
    }
    SECTION("a directory") {
        tar[156] = '5';
        CHECK_FALSE(read(tar));
    }
    SECTION("a link") {
        tar[156] = '2';
        CHECK_FALSE(read(tar));
    }
    SECTION("a size that is no number") {
        tar.replace(124, 11, "xxxxxxxxxxx");
        CHECK_FALSE(read(tar));
    }
    SECTION("a size in base 256") {
        tar[124] = '\x80';
        const auto got = read(tar);
        REQUIRE_FALSE(got);
        CHECK(got.error().text == "result file is too large (over 51200 bytes)");
    }
    SECTION("headers without end") {
        auto prefix = tar_of("x", "k=v");
        prefix[156] = 'x';
        prefix.resize(1024);
        std::string many;
        for (int i = 0; i < 100; ++i) many += prefix;
        CHECK_FALSE(read(many + tar));
    }
    SECTION("a long name in front") {
        auto prefix = tar_of("././@LongLink", std::string(300, 'n'));
        prefix[156] = 'L';
        prefix.resize(1024);
        const auto got = read(prefix + tar);
        REQUIRE(got);
        CHECK(*got == "content");
    }
}
