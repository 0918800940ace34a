// (b): what a client sees of a process over kills of gardend.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/support/needs.hpp"

#include <catch2/catch.hpp>

using std::chrono::milliseconds;
using test::Daemon;
using test::patience;
using test::process;
using test::Reader;

namespace {

// "line 0" to "line N-1", then the exit code.
garden::api::ProcessSpec counter(const std::string& id, int lines, int pause_us, int code) {
    return process(
            {"sh", "-c",
             "i=0; while [ $i -lt " + std::to_string(lines) +
                     " ]; do echo line $i; i=$((i+1)); usleep " + std::to_string(pause_us) +
                     "; done; exit " + std::to_string(code)},
            id);
}

// Every line from `first` on, in order, none missing, none twice, up to the last.
void check_lines(const std::vector<std::string>& lines, int total, int first = 0) {
    REQUIRE_FALSE(lines.empty());
    int expected = first;
    for (const auto& line : lines) {
        REQUIRE(line == "line " + std::to_string(expected));
        ++expected;
    }
    CHECK(expected == total);
}

int number_of(const std::string& line) {
    REQUIRE(line.starts_with("line "));
    return std::stoi(line.substr(5));
}

}  // namespace

TEST_CASE("an open output outlives three kills of gardend without losing a line") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("c");
    const int total = test::scaled(400);
    auto stream = daemon.client().run("c", counter("p", total, 10'000, 7)).value();
    const Reader reader(stream.open_output(false).value());
    for (int round = 0; round < 3; ++round) {
        const auto wanted = "line " + std::to_string(20 + 40 * round) + "\n";
        REQUIRE(reader.wait_for(wanted, patience(milliseconds(20'000))));
        daemon.kill9();
        daemon.start();
    }
    auto again = daemon.client().attach("c", "p").value();
    const Reader late(again.open_output(false).value());
    CHECK(again.wait(patience(milliseconds(60'000))).value() == 7);
    CHECK(reader.wait_end(patience(milliseconds(5'000))));
    CHECK(late.wait_end(patience(milliseconds(5'000))));
    check_lines(reader.lines(), total);
    // The one who came late: everything from then on.
    const auto lines = late.lines();
    REQUIRE_FALSE(lines.empty());
    check_lines(lines, total, number_of(lines.front()));
    // The retained end, 64 KiB: here all of it.
    CHECK(daemon.client().logs("c", "p", false).value() == reader.text());
}

TEST_CASE("a client that attaches right after the restart gets every later line in order") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("c");
    const int total = test::scaled(300);
    // Its run is cut off before it opens an output: nobody reads while gardend is down.
    auto stream = daemon.client().run("c", counter("p", total, 10'000, 3)).value();
    std::this_thread::sleep_for(milliseconds(200));
    daemon.restart();
    auto again = daemon.client().attach("c", "p").value();
    const Reader reader(again.open_output(false).value());
    const Reader errors(again.open_output(true).value());
    CHECK(again.wait(patience(milliseconds(60'000))).value() == 3);
    CHECK(reader.wait_end(patience(milliseconds(5'000))));
    const auto lines = reader.lines();
    REQUIRE_FALSE(lines.empty());
    check_lines(lines, total, number_of(lines.front()));
    CHECK(errors.text().empty());
    // Nothing that was printed meanwhile is lost either: it is in the tail.
    const auto tail = daemon.client().logs("c", "p", false).value();
    CHECK(tail.starts_with("line 0\n"));
    CHECK(tail.ends_with("line " + std::to_string(total - 1) + "\n"));
}

TEST_CASE("a process that ends while gardend is down: exit code, complete output, tail") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("c");
    const int total = test::scaled(60);
    auto stream = daemon.client().run("c", counter("p", total, 10'000, 9)).value();
    const Reader reader(stream.open_output(false).value());
    const auto rows = daemon.client().processes("c").value();
    REQUIRE(rows.size() == 1);
    const auto pid = rows.at(0).host_pid;
    REQUIRE(reader.wait_for("line 5\n", patience(milliseconds(5'000))));
    daemon.kill9();
    REQUIRE(test::runs(pid));
    // The output's end comes from the shim, without any gardend.
    CHECK(reader.wait_end(patience(milliseconds(20'000))));
    CHECK_FALSE(test::runs(pid));
    check_lines(reader.lines(), total);
    daemon.start();
    for (int i = 0; i < 2; ++i) {
        auto again = daemon.client().attach("c", "p").value();
        const Reader late(again.open_output(false).value());
        CHECK(again.wait(patience(milliseconds(10'000))).value() == 9);
        CHECK(late.wait_end(patience(milliseconds(5'000))));
    }
    CHECK(daemon.client().logs("c", "p", false).value() == reader.text());
    daemon.restart();
    CHECK(daemon.client().attach("c", "p").value().wait(patience(milliseconds(10'000))).value() ==
          9);
}

TEST_CASE("an unread megabyte while gardend is down blocks nobody and stays within its bound") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("c");
    auto stream = daemon.client()
                          .run("c", process({"sh", "-c", "sleep 0.5; seq 1 400000; exit 4"}, "p"))
                          .value();
    daemon.kill9();
    std::this_thread::sleep_for(patience(milliseconds(1'500)));
    daemon.start();
    CHECK(daemon.client().attach("c", "p").value().wait(patience(milliseconds(30'000))).value() ==
          4);
    const auto tail = daemon.client().logs("c", "p", false).value();
    CHECK(tail.size() == 64 * 1024);
    CHECK(tail.ends_with("399999\n400000\n"));
}

TEST_CASE("input and signals reach a process through an attach after the restart") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("c");
    auto stream =
            daemon.client()
                    .run("c", process({"sh", "-c", "read a; echo got $a; read b; exit $b"}, "p"))
                    .value();
    auto looped = daemon.client()
                          .run("c", process({"sh", "-c",
                                             "trap 'exit 33' TERM; while true; do usleep 20000; "
                                             "done"},
                                            "q"))
                          .value();
    daemon.restart();
    auto again = daemon.client().attach("c", "p").value();
    const Reader reader(again.open_output(false).value());
    again.send_input("words\n");
    REQUIRE(again.flush());
    CHECK(reader.wait_for("got words\n", patience(milliseconds(5'000))));
    daemon.restart();
    auto third = daemon.client().attach("c", "p").value();
    third.send_input("21\n");
    CHECK(third.wait(patience(milliseconds(10'000))).value() == 21);
    auto trapped = daemon.client().attach("c", "q").value();
    trapped.send_signal(garden::api::StreamSignal::terminate);
    CHECK(trapped.wait(patience(milliseconds(10'000))).value() == 33);
}

TEST_CASE("a terminal survives a kill of gardend, with its size and its echo") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("c");
    auto spec = process({"sh", "-c", "echo ready; read a; stty size; echo got $a; exit 6"}, "p");
    spec.tty = garden::api::Tty{.window_size = garden::api::WindowSize{.columns = 123, .rows = 45}};
    auto stream = daemon.client().run("c", spec).value();
    const Reader before(stream.open_output(false).value());
    // The answer comes before the shim has the connection: what was seen once goes on.
    REQUIRE(before.wait_for("ready\r\n", patience(milliseconds(5'000))));
    daemon.restart();
    auto again = daemon.client().attach("c", "p").value();
    const Reader reader(again.open_output(false).value());
    again.send_window(99, 11);
    again.send_input("words\n");
    CHECK(again.wait(patience(milliseconds(10'000))).value() == 6);
    CHECK(reader.wait_end(patience(milliseconds(5'000))));
    CHECK(reader.text().find("11 99\r\n") != std::string::npos);
    CHECK(reader.text().find("got words\r\n") != std::string::npos);
    CHECK(before.wait_for("got words\r\n", patience(milliseconds(5'000))));
}
