// Output and input: terminals, many clients, slow ones, none, background children.
#include "base/sys/file.hpp"
#include "tests/kernel/launch/fixture.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

using garden::launch::OutputStream;
using test::Box;
using namespace std::chrono_literals;

namespace {

// A number from /proc/PID/smaps_rollup, in kB.
long memory_of(int pid, const std::string& field) {
    const auto text = base::sys::read_host_file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    REQUIRE(text);
    const auto at = text->find("\n" + field + ":");
    REQUIRE(at != std::string::npos);
    return std::stol(text->substr(at + field.size() + 2));
}

int shim_pid_of(const Box& box) {
    const auto status =
            base::sys::read_host_file("/proc/" + std::to_string(box.prepared.init_pid) + "/status");
    REQUIRE(status);
    return std::stoi(status->substr(status->find("PPid:") + 5));
}

std::string read_for(base::FdRef fd, std::chrono::milliseconds time, const std::string& until) {
    std::string text;
    const auto end = std::chrono::steady_clock::now() + time;
    (void)::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    while (std::chrono::steady_clock::now() < end && text.find(until) == std::string::npos) {
        char part[4096];
        const ssize_t n = ::read(fd.get(), part, sizeof part);
        if (n > 0)
            text.append(part, static_cast<std::size_t>(n));
        else if (n == 0)
            break;
        else
            std::this_thread::sleep_for(2ms);
    }
    return text;
}

}  // namespace

TEST_CASE("stdin reaches the process and its end is seen") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    const auto output = box.run(box.process("cat", {"/bin/cat"}), "hello\nworld");
    CHECK(output.out == "hello\nworld");
    CHECK(output.code == 0);
}

TEST_CASE("stdin stays open until the last attachment has closed it") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto first = box.shim->run(box.process("cat", {"/bin/cat"}), {});
    REQUIRE(first);
    auto second = box.shim->attach("cat");
    REQUIRE(second);
    first->input.reset();
    REQUIRE(box.shim->close_input(first->attachment));
    CHECK(box.heard->exit_of("cat", 200ms) == -1);
    REQUIRE(base::sys::write_all(second->input, "late"));
    second->input.reset();
    REQUIRE(box.shim->detach(second->attachment));
    CHECK(test::collect(*box.shim, first->attachment).out == "late");
    CHECK(box.heard->exit_of("cat") == 0);
}

TEST_CASE("a terminal has its size, translates line ends and can be resized") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto plan = box.process(
            "tty", {"/bin/sh", "-c",
                    "trap 'stty size' WINCH; stty size; readlink /proc/self/fd/0; echo ready; read "
                    "line || read line; echo got $line; exit 3"});
    plan.stdio = garden::launch::Stdio::terminal;
    plan.columns = 123;
    plan.rows = 45;
    auto started = box.shim->run(plan, {});
    REQUIRE(started);
    auto pipe = base::sys::make_pipe();
    REQUIRE(box.shim->connect_output(started->attachment, OutputStream::out, pipe->write));
    pipe->write.reset();
    const auto first = read_for(pipe->read, 5s, "ready");
    CHECK(first.find("45 123\r\n") != std::string::npos);
    CHECK(first.find("/dev/pts/0\r\n") != std::string::npos);
    REQUIRE(box.shim->resize("tty", 80, 25));
    CHECK(read_for(pipe->read, 5s, "25 80").find("25 80") != std::string::npos);
    REQUIRE(base::sys::write_all(started->input, "ok\n"));
    const auto last = read_for(pipe->read, 5s, "got ok\r\n");
    CHECK(last.find("got ok\r\n") != std::string::npos);
    CHECK(box.heard->exit_of("tty") == 3);
}

TEST_CASE("all output of a terminal arrives, however short its process lives") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    for (int i = 0; i < 20; ++i) {
        auto plan = box.process("t" + std::to_string(i), {"/bin/sh", "-c", "seq 1 9999"});
        plan.stdio = garden::launch::Stdio::terminal;
        auto started = box.shim->run(plan, {});
        REQUIRE(started);
        const auto output = test::collect(*box.shim, started->attachment);
        CHECK(output.out.ends_with("9998\r\n9999\r\n"));
        CHECK(output.out.size() == 48888 + 9999);
    }
}

TEST_CASE("output written before the client comes is kept for it") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    for (int i = 0; i < 30; ++i) {
        auto started =
                box.shim->run(box.process("q" + std::to_string(i), {"/bin/echo", "quick"}), {});
        REQUIRE(started);
        if (i % 2 == 0) CHECK(box.heard->exit_of("q" + std::to_string(i)) == 0);
        CHECK(test::collect(*box.shim, started->attachment).out == "quick\n");
    }
}

TEST_CASE("every attachment gets the whole stream from its own beginning") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto started = box.shim->run(
            box.process("many", {"/bin/sh", "-c", "read x; seq 1 20000; seq 1 3 >&2; exit 12"}),
            {});
    REQUIRE(started);
    std::vector<std::uint64_t> attachments{started->attachment};
    for (int i = 0; i < 5; ++i) {
        auto more = box.shim->attach("many");
        REQUIRE(more);
        attachments.push_back(more->attachment);
    }
    REQUIRE(base::sys::write_all(started->input, "\n"));
    std::string expected;
    for (int i = 1; i <= 20000; ++i) expected += std::to_string(i) + "\n";
    for (const auto attachment : attachments) {
        const auto output = test::collect(*box.shim, attachment);
        CHECK(output.out == expected);
        CHECK(output.err == "1\n2\n3\n");
    }
    CHECK(box.heard->exit_of("many") == 12);
    const auto late = box.shim->attach("many");
    REQUIRE(late);
    CHECK(test::collect(*box.shim, late->attachment).out.empty());
    const auto tail = box.shim->tail("many", OutputStream::out);
    REQUIRE(tail);
    CHECK(*tail == expected.substr(expected.size() - garden::launch::kTailBytes));
    CHECK(*box.shim->tail("many", OutputStream::err) == "1\n2\n3\n");
}

TEST_CASE("output that nobody reads does not hold the process") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto started = box.shim->run(
            box.process(
                    "flood",
                    {"/bin/sh", "-c", "dd if=/dev/zero bs=64k count=800 2>/dev/null; echo end"}),
            {});
    REQUIRE(started);
    CHECK(box.heard->exit_of("flood") == 0);
    const auto kept = test::collect(*box.shim, started->attachment);
    CHECK(kept.out.size() == garden::launch::kAttachmentBytes);
    CHECK(kept.out.ends_with("end\n"));
    CHECK(box.shim->tail("flood", OutputStream::out)->ends_with("end\n"));
}

TEST_CASE("a client that connects late by a moment gets everything") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto started = box.shim->run(
            box.process(
                    "burst",
                    {"/bin/sh", "-c", "dd if=/dev/zero bs=64k count=50 2>/dev/null; echo end"}),
            {});
    REQUIRE(started);
    std::this_thread::sleep_for(400ms);  // longer than the silence that ends a process's output
    const auto output = test::collect(*box.shim, started->attachment);
    CHECK(output.out.size() == 50 * (64U << 10) + 4);
    CHECK(box.heard->exit_of("burst") == 0);
}

TEST_CASE("a slow client holds the process back and memory stays bounded") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto started = box.shim->run(box.process("yes", {"/bin/sh", "-c", "exec yes"}), {});
    REQUIRE(started);
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    base::Fd mine(ends[0]);
    base::Fd theirs(ends[1]);
    REQUIRE(box.shim->connect_output(started->attachment, OutputStream::out, theirs));
    theirs.reset();
    std::this_thread::sleep_for(500ms);
    // Up to 1 MiB came before the client did; the rest is the tail, one read, and the shim itself.
    CHECK(memory_of(shim_pid_of(box), "Private_Dirty") < 2048);
    // The shim still answers, and the stream goes on without a gap.
    REQUIRE(box.shim->state());
    std::size_t read = 0;
    bool whole = true;
    std::vector<char> part(1 << 16);
    while (read < (64U << 20)) {
        const ssize_t n = ::read(mine.get(), part.data(), part.size());
        REQUIRE(n > 0);
        for (ssize_t i = 0; i < n; ++i)
            whole = whole && part[static_cast<std::size_t>(i)] == (read++ % 2 == 0 ? 'y' : '\n');
    }
    CHECK(whole);
    // A client that goes away is dropped; the process runs on.
    mine.reset();
    CHECK(box.heard->exit_of("yes", 300ms) == -1);
    REQUIRE(box.shim->signal("yes", SIGKILL));
    CHECK(box.heard->exit_of("yes") == 137);
}

TEST_CASE("a slow client gets all of its output although the process is forgotten") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto started = box.shim->run(
            box.process("slow", {"/bin/sh", "-c", "dd if=/dev/zero bs=1k count=600 2>/dev/null"}),
            {});
    REQUIRE(started);
    REQUIRE(box.heard->exit_of("slow") == 0);
    auto pipe = base::sys::make_pipe();
    REQUIRE(pipe);
    REQUIRE(box.shim->connect_output(started->attachment, OutputStream::out, pipe->write));
    pipe->write.reset();
    REQUIRE(box.shim->forget("slow"));
    CHECK(box.shim->state()->processes.empty());
    CHECK(box.shim->run(box.process("slow", {"/bin/true"}), {}));  // the id is free
    CHECK(test::read_end(pipe->read).size() == 600 * 1024);
}

TEST_CASE("a background child that holds the output does not hold the exit") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    const auto begin = std::chrono::steady_clock::now();
    auto started = box.shim->run(
            box.process("bg", {"/bin/sh", "-c", "(sleep 1; echo later) & echo now; exit 5"}), {});
    REQUIRE(started);
    const auto output = test::collect(*box.shim, started->attachment);
    CHECK(output.out == "now\n");
    CHECK(box.heard->exit_of("bg") == 5);
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(took > 200ms);
    CHECK(took < 900ms);
    // It lives on, and what it writes is kept.
    std::this_thread::sleep_for(1200ms);
    CHECK(*box.shim->tail("bg", OutputStream::out) == "now\nlater\n");
    // Output that keeps coming is waited for.
    auto busy = box.shim->run(
            box.process(
                    "busy",
                    {"/bin/sh", "-c", "(for i in 1 2 3 4; do sleep 0.1; echo $i; done) & exit 0"}),
            {});
    REQUIRE(busy);
    CHECK(test::collect(*box.shim, busy->attachment).out == "1\n2\n3\n4\n");
}

TEST_CASE("descriptors do not pile up over many runs") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    const auto count = [&] {
        const auto directory = base::sys::open_host(
                "/proc/" + std::to_string(shim_pid_of(box)) + "/fd", O_RDONLY | O_DIRECTORY);
        REQUIRE(directory);
        return base::sys::list_directory(*directory)->size();
    };
    CHECK(box.sh("true").code == 0);
    const auto before = count();
    for (int i = 0; i < 50; ++i) CHECK(box.sh("echo x").out == "x\n");
    CHECK(count() == before);
}
