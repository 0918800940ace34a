// The life of a task (executor-rep §17.5, lifecycle §2).
#include "tests/e2e/rep/cell.hpp"
#include "tests/support/needs.hpp"

#include <fstream>

#include <catch2/catch.hpp>

using namespace test;
using brain::api::TaskState;

namespace {

brain::api::Task ended(Cell& cell, const brain::api::Task& task) {
    REQUIRE(cell.brain().desire_task(task));
    CHECK(cell.place().empty());
    const auto done = cell.completed(task.task_guid);
    CHECK(soon([&] { return cell.gone(task.task_guid); }));
    return done;
}

// Processes of ours below this test with these words in their command line.
bool lives(const std::string& word) {
    for (const auto& process : descendants()) {
        std::ifstream file("/proc/" + std::to_string(process.pid) + "/cmdline");
        const std::string text(
                (std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        if (text.find(word) != std::string::npos) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("a task completes with the content of its result file") {
    NEEDS(root, nft);
    Cell cell;
    const auto done = ended(
            cell, job("t-good", "echo working; echo -n 'forty two' >/tmp/answer", "/tmp/answer"));
    CHECK_FALSE(done.failed);
    CHECK(done.result == "forty two");
    CHECK(done.failure_reason.empty());
    CHECK(done.rejection_count == 0);
    CHECK(cell.task("t-good").cell_id.empty());
}

TEST_CASE("a task that fails says why") {
    NEEDS(root, nft);
    Cell cell;
    const auto done = ended(cell, job("t-bad", "exit 3"));
    CHECK(done.failed);
    CHECK_THAT(done.failure_reason, Catch::Contains("Exited with status 3"));
    CHECK(done.result.empty());
}

TEST_CASE("a result that is too large or not there fails its task") {
    NEEDS(root, nft);
    Cell cell;
    const auto exact =
            ended(cell, job("t-exact", "head -c 51200 /dev/zero >/tmp/answer", "/tmp/answer"));
    CHECK_FALSE(exact.failed);
    CHECK(exact.result.size() == 51'200);
    const auto large =
            ended(cell, job("t-large", "head -c 51201 /dev/zero >/tmp/answer", "/tmp/answer"));
    CHECK(large.failed);
    CHECK(large.failure_reason == "failed to fetch result");
    CHECK(large.result.empty());
    const auto none = ended(cell, job("t-none", "true", "/tmp/answer"));
    CHECK(none.failed);
    CHECK(none.failure_reason == "failed to fetch result");
    const auto link =
            ended(cell, job("t-link", "/bin/busybox ln -s /etc/passwd /tmp/answer", "/tmp/answer"));
    INFO(link.result);
    CHECK(link.failed);
}

TEST_CASE("a cancelled task's process ends within two seconds") {
    NEEDS(root, nft);
    Cell cell;
    REQUIRE(cell.brain().desire_task(job("t-long", "sleep 987654")));
    CHECK(cell.place().empty());
    REQUIRE(soon([&] { return lives("987654"); }));
    CHECK(cell.task("t-long").state == TaskState::running);
    REQUIRE(cell.brain().cancel_task("t-long"));
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(cell.http().cancel_task("t-long"));
    CHECK(soon([&] { return !lives("987654"); }));
    CHECK(std::chrono::steady_clock::now() - begin < patience(milliseconds(2'000)));
    CHECK(soon([&] { return cell.gone("t-long"); }));
    CHECK(cell.task("t-long").failure_reason == "task was cancelled");
    REQUIRE(cell.http().cancel_task("t-long"));  // again: nothing to do
}

TEST_CASE("a container that cannot be made sends its task back three times") {
    NEEDS(root, nft);
    Cell cell({.adjust = [](auto& config) {
        config.cell.stacks["broken"] = config.cell.stacks.at("busybox") + "/not-there";
    }});
    auto task = job("t-broken", "true");
    task.task_definition.definition.rootfs = "preloaded:broken";
    REQUIRE(cell.brain().desire_task(task));
    for (const int count : {1, 2, 3, 4}) {
        INFO(count);
        CHECK(cell.place().empty());
        REQUIRE(soon([&] { return cell.task("t-broken").rejection_count == count; }));
        CHECK_THAT(
                cell.task("t-broken").rejection_reason,
                Catch::Contains("failed to create container"));
        REQUIRE(soon([&] { return cell.gone("t-broken"); }));
        const auto expected = count == 4 ? TaskState::completed : TaskState::pending;
        CHECK(cell.task("t-broken").state == expected);
    }
    CHECK(cell.task("t-broken").failed);
}

TEST_CASE("a task that is delivered twice runs once") {
    NEEDS(root, nft);
    Cell cell;
    const auto task = job("t-twice", "sleep 1; echo -n once >/tmp/answer", "/tmp/answer");
    REQUIRE(cell.brain().desire_task(task));
    auto work = work_of(task);
    work.tasks.push_back(work.tasks.front());
    const auto refused = cell.must_perform(work);
    REQUIRE(refused.tasks.size() == 1);
    CHECK_THAT(refused.tasks[0].refusal, Catch::Contains("guid"));
    CHECK(cell.must_perform(work_of(task)).tasks.size() == 1);
    CHECK(cell.completed("t-twice").result == "once");
}

TEST_CASE("a result is waited for while gardend restarts") {
    NEEDS(root, nft);
    Cell cell;
    REQUIRE(cell.brain().desire_task(
            job("t-wait", "while [ ! -e /tmp/go ]; do usleep 1000; done; echo -n kept >/tmp/r",
                "/tmp/r")));
    CHECK(cell.place().empty());
    REQUIRE(soon(
            [&] { return cell.task("t-wait").state == TaskState::running && lives("/tmp/go"); }));
    cell.link().away = true;
    CHECK(cell.inside("t-wait", "touch /tmp/go") == 0);
    REQUIRE(soon([&] {
        const auto c = cell.executor().get("t-wait");
        return c && c->state == executor::api::State::completed;
    }));
    cell.garden().kill9();
    cell.link().away = false;
    const int syncs = cell.link().syncs;
    REQUIRE(soon([&] { return cell.link().syncs > syncs + 10; }));  // it was asked for ten times
    CHECK(cell.task("t-wait").state == TaskState::running);
    cell.garden().start();
    CHECK(cell.completed("t-wait").result == "kept");
    CHECK(soon([&] { return cell.gone("t-wait"); }));
}
