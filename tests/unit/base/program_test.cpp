#include "base/program.hpp"

#include <chrono>

#include <catch2/catch.hpp>

using base::Errc;
using base::run_program;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

base::ProgramCall shell(const std::string& script) {
    return {.path = "/bin/sh", .arguments = {"-c", script}, .environment = {"PATH=/usr/bin:/bin"}};
}

}  // namespace

TEST_CASE("a program reads its input and its output and exit code are told") {
    auto call = shell("cat; echo complaint >&2; exit 3");
    call.input = std::string(300'000, 'x');
    const auto end = run_program(call).value();
    CHECK(end.code == 3);
    CHECK((end.output == call.input));  // in brackets: not printed
    CHECK(end.complaint == "complaint\n");
}

TEST_CASE("a program has the given environment and three descriptors, nothing else") {
    auto call = shell("env | sort; ls /proc/self/fd | wc -l");
    call.environment = {"PATH=/usr/bin:/bin", "NAME=value"};
    const auto end = run_program(call).value();
    CHECK(end.output.find("NAME=value\n") != std::string::npos);
    CHECK(end.output.find("HOME=") == std::string::npos);
    CHECK(end.output.ends_with("4\n"));  // and the directory that ls reads
}

TEST_CASE("a program that does not end is killed with what it started") {
    auto call = shell("sleep 1000 & echo $!; sleep 1000");
    call.deadline = milliseconds(300);
    const auto began = steady_clock::now();
    const auto end = run_program(call);
    REQUIRE_FALSE(end);
    CHECK(end.error().kind == Errc::timeout);
    CHECK(steady_clock::now() - began < std::chrono::seconds(10));
}

TEST_CASE("a program that writes without end is stopped") {
    auto call = shell("while :; do echo endless; done");
    call.output_limit = 10'000;
    const auto end = run_program(call);
    REQUIRE_FALSE(end);
    CHECK(end.error().kind == Errc::exhausted);
}

TEST_CASE("what a program leaves in the background is not waited for") {
    const auto began = steady_clock::now();
    const auto end = run_program(shell("sleep 20 & echo done")).value();
    CHECK(end.output == "done\n");
    CHECK(steady_clock::now() - began < std::chrono::seconds(10));
}

TEST_CASE("a signal that ends a program and a program that is missing are told") {
    CHECK(run_program(shell("kill -9 $$")).value().code == 137);
    const auto missing = run_program({.path = "/no/such/program"});
    REQUIRE_FALSE(missing);
    CHECK(missing.error().text.find("/no/such/program") != std::string::npos);
    CHECK_FALSE(run_program({.path = "sh"}));
}
