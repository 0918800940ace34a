// Who outlives whom: gardend, the shim, garden-init; destroy.
#include "base/sys/file.hpp"
#include "base/sys/pidfd.hpp"
#include "tests/kernel/launch/fixture.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

using garden::launch::OutputStream;
using test::Box;
using namespace std::chrono_literals;

namespace {

bool ends(base::FdRef pidfd, std::chrono::milliseconds patience) {
    pollfd watch{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    return ::poll(&watch, 1, static_cast<int>(patience.count())) == 1;
}

base::Fd shim_of(const Box& box) {
    const auto status =
            base::sys::read_host_file("/proc/" + std::to_string(box.prepared.init_pid) + "/status");
    REQUIRE(status);
    auto shim = base::sys::open_process(std::stoi(status->substr(status->find("PPid:") + 5)));
    REQUIRE(shim);
    return std::move(*shim);
}

}  // namespace

TEST_CASE("destroy ends everything, tells the exits, and succeeds twice") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    const auto shim = shim_of(box);
    auto started = box.shim->run(box.process("s", {"/bin/sh", "-c", "sleep 100 & sleep 100"}), {});
    REQUIRE(started);
    const auto process = base::sys::open_process(started->host_pid);
    REQUIRE(process);
    REQUIRE(box.shim->destroy(5s));
    CHECK(ends(box.prepared.init, 0ms));
    CHECK(ends(*process, 0ms));
    CHECK(box.heard->exit_of("s") == 137);
    CHECK(ends(shim, 1s));
    CHECK(box.shim->destroy(5s));
    CHECK_FALSE(box.heard->lost(50ms));
    CHECK_FALSE(*base::sys::exists_at(box.bundle, "shim.sock"));
    CHECK(box.shim->state().error().kind == base::Errc::unavailable);
}

TEST_CASE("a prepared shim ends with its gardend, a created one lives and is joined again") {
    NEEDS(root, userns);
    Box box;
    REQUIRE(box.prepare());
    SECTION("prepared") {
        const auto shim = shim_of(box);
        box.hub.reset();
        CHECK(ends(box.prepared.init, 2s));
        CHECK(ends(shim, 2s));
        auto again = garden::launch::ShimHub::start(test::programs());
        REQUIRE(again);
        CHECK((*again)->rejoin(box.bundle).error().kind == base::Errc::not_found);
    }
    SECTION("created") {
        REQUIRE(box.create(box.plan()));
        auto quick = box.shim->run(box.process("quick", {"/bin/sh", "-c", "exit 7"}), {});
        auto cat = box.shim->run(
                box.process("cat", {"/bin/sh", "-c", "while read l; do echo got $l; done; exit 9"}),
                {});
        REQUIRE(quick);
        REQUIRE(cat);
        // A client whose socket the shim has keeps its stream over the restart.
        auto old_client = base::sys::make_pipe();
        REQUIRE(box.shim->connect_output(cat->attachment, OutputStream::out, old_client->write));
        old_client->write.reset();
        cat->input.reset();
        quick->input.reset();
        CHECK(box.heard->exit_of("quick") == 7);
        box.restart_gardend();
        CHECK(box.heard->exit_of("quick") == 7);        // replayed
        CHECK(box.heard->exit_of("cat", 200ms) == -1);  // its stdin is still open
        const auto state = box.shim->state();
        REQUIRE(state);
        CHECK(state->created);
        CHECK(state->init_alive);
        CHECK(state->init_pid == box.prepared.init_pid);
        CHECK(state->processes.size() == 2);
        auto joined = box.shim->attach("cat");
        REQUIRE(joined);
        REQUIRE(base::sys::write_all(joined->input, "more\n"));
        joined->input.reset();
        REQUIRE(box.shim->close_input(joined->attachment));
        CHECK(test::collect(*box.shim, joined->attachment).out == "got more\n");
        CHECK(test::read_end(old_client->read) == "got more\n");
        CHECK(box.heard->exit_of("cat") == 9);
        CHECK(box.heard->count("cat") == 1);
        CHECK(box.sh("echo alive").out == "alive\n");
        const auto exits = garden::launch::read_exits(box.bundle);
        REQUIRE(exits);
        CHECK(exits->size() >= 2);
        CHECK(exits->front().id == "quick");
        CHECK(exits->front().exit_code == 7);
    }
}

TEST_CASE("a shim that is killed takes its container along") {
    NEEDS(root, userns);
    const bool user_namespace = GENERATE(true, false);
    const bool created = GENERATE(true, false);
    Box box(user_namespace);
    REQUIRE(box.prepare());
    if (created) REQUIRE(box.create(box.plan()));
    const auto shim = shim_of(box);
    REQUIRE(base::sys::signal_process(shim, SIGKILL));
    CHECK(ends(box.prepared.init, 2s));
    CHECK(box.heard->lost(2s));
    CHECK(box.shim->state().error().kind == base::Errc::unavailable);
    CHECK(box.shim->destroy(2s));
    CHECK(box.hub->rejoin(box.bundle).error().kind == base::Errc::not_found);
}

TEST_CASE("the end of garden-init is told") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto started = box.shim->run(box.process("s", {"/bin/sleep", "100"}), {});
    REQUIRE(started);
    // From inside it cannot be killed.
    CHECK(box.sh("kill -9 1; kill -15 1; kill -11 1; sleep 0.1; head -1 /proc/1/status").out ==
          "Name:\tgarden-init\n");
    REQUIRE(base::sys::signal_process(box.prepared.init, SIGKILL));
    CHECK(box.heard->died(2s));
    CHECK(box.heard->exit_of("s") == 137);
    CHECK(box.shim->run(box.process("t", {"/bin/true"}), {}).error().kind ==
          base::Errc::unavailable);
    CHECK_FALSE(box.shim->state()->init_alive);
}

TEST_CASE("a shim is destroyed at any stage") {
    NEEDS(root, userns);
    Box box;
    SECTION("nothing prepared") {
        auto shim = box.hub->spawn();
        REQUIRE(shim);
        CHECK((*shim)->create({}, {}, box.bundle).error().kind == base::Errc::conflict);
        CHECK((*shim)->destroy(2s));
    }
    SECTION("prepared") {
        REQUIRE(box.prepare());
        CHECK(box.shim->prepare({.user = false}).error().kind == base::Errc::conflict);
        CHECK(box.shim->destroy(2s));
        CHECK(ends(box.prepared.init, 0ms));
    }
}

TEST_CASE("orphans are reaped") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    CHECK(box.sh("for i in 1 2 3 4 5; do (sleep 0.05 &) ; done").code == 0);
    std::this_thread::sleep_for(300ms);
    CHECK(box.sh("ps -o stat,comm | grep -c Z").out == "0\n");
    CHECK(box.sh("set -- /proc/[0-9]*; echo $#").out == "2\n");  // init, sh
}

TEST_CASE("two containers do not see each other") {
    NEEDS(root, userns);
    Box one;
    Box two;
    one.must_create();
    two.must_create();
    REQUIRE(one.shim->run(one.process("s", {"/bin/sleep", "12345"}), {}));
    CHECK(two.sh("ps").out.find("12345") == std::string::npos);
    CHECK(one.sh("ps").out.find("12345") != std::string::npos);
}

TEST_CASE("garden-copy unpacks as the user and packs again") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    REQUIRE(box.sh("mkdir -p /data/d; echo text > /data/d/f; ln /data/d/f /data/d/g; ln -s f "
                   "/data/d/l; mkdir -p /home/bob; stat -c %u /home/bob")
                    .code == 0);
    const auto copy = [&](std::vector<std::string> argv, base::FdRef in, base::FdRef out,
                          std::uint32_t uid, std::string& problem) {
        auto plan = box.process("copy-" + argv[1] + std::to_string(uid), argv);
        plan.argv = argv;
        plan.candidates.clear();
        plan.uid = plan.gid = uid;
        if (uid != 0)
            plan.confinement.capabilities.permitted = plan.confinement.capabilities.effective = 0;
        plan.stdio = garden::launch::Stdio::descriptors;
        plan.internal = true;
        plan.exec = 0;
        plan.stdin_fd = 1;
        plan.stdout_fd = 2;
        plan.stderr_fd = 3;
        auto reason = base::sys::make_pipe();
        const std::vector<base::FdRef> fds{box.hub->copy_program(), in, out, reason->write};
        const auto started = box.shim->run(plan, fds);
        REQUIRE(started);
        reason->write.reset();
        problem = test::read_end(reason->read);
        return box.heard->exit_of(plan.id);
    };
    const auto null = base::sys::open_host("/dev/null", O_RDWR);
    const auto tar = base::sys::open_host(box.directory + "/t.tar", O_RDWR | O_CREAT, 0600);
    REQUIRE(null);
    REQUIRE(tar);
    std::string problem;
    CHECK(copy({"garden-copy", "out", "/data/d"}, *null, *tar, 0, problem) == 0);
    CHECK(problem.empty());
    REQUIRE(::lseek(tar->get(), 0, SEEK_SET) == 0);
    CHECK(copy({"garden-copy", "in", "/tmp/new/place"}, *tar, *null, 1000, problem) == 0);
    CHECK(problem.empty());
    CHECK(box.sh("cd /tmp/new; stat -c '%u %a' . place; cat place/d/f; readlink place/d/l; stat -c "
                 "'%h %u' place/d/g")
                  .out == "1000 755\n1000 755\ntext\nf\n2 1000\n");
    REQUIRE(::lseek(tar->get(), 0, SEEK_SET) == 0);
    CHECK(copy({"garden-copy", "in", "/root/x"}, *tar, *null, 1001, problem) == 1);
    CHECK(problem.find("Permission denied") != std::string::npos);
    CHECK(box.shim->state()->processes.size() == 0);
    CHECK(*base::sys::read_host_file("/proc/self/comm") != "");
}
