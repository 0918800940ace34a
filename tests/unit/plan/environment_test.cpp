#include "garden/plan/environment.hpp"

#include <catch2/catch.hpp>

using garden::plan::check_environment;
using garden::plan::merge_environment;
using Env = std::vector<std::string>;

TEST_CASE("later entries win and keep the place of the last occurrence") {
    const Env image{"A=image", "PATH=/img", "B=image"};
    const Env container{"A=container", "C=container"};
    const Env process{"B=process"};
    const auto merged = merge_environment(
            {.image = &image,
             .container = &container,
             .process = &process,
             .user = "",
             .home = "/root",
             .root = true});
    CHECK(merged ==
          Env{"PATH=/img", "A=container", "C=container", "B=process", "USER=root", "HOME=/root"});
}

TEST_CASE("PATH, USER and HOME are added when missing, and nothing else") {
    CHECK(merge_environment({.user = "", .home = "/root", .root = true}) ==
          Env{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "USER=root",
              "HOME=/root"});
    CHECK(merge_environment({.user = "alice", .home = "/home/alice", .root = false}) ==
          Env{"PATH=/usr/local/bin:/usr/bin:/bin", "USER=alice", "HOME=/home/alice"});
}

TEST_CASE("an empty HOME is filled, a name that only ends in PATH does not count as PATH") {
    const Env process{"HOME=", "MYPATH=/x", "USER="};
    const auto merged = merge_environment(
            {.process = &process, .user = "bob", .home = "/home/bob", .root = false});
    CHECK(merged ==
          Env{"MYPATH=/x", "USER=", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/bob"});
}

TEST_CASE("PL-06: a bad environment entry is refused with its index") {
    const auto text = [](const Env& env) {
        const auto checked = check_environment(env, "env");
        return checked ? std::string("accepted") : checked.error().text;
    };
    CHECK(text({"A=1", "B="}) == "accepted");
    CHECK(text({"A=1", "novalue"}) == "env[1]: expected NAME=VALUE");
    CHECK(text({"=x"}) == "env[0]: expected NAME=VALUE");
    CHECK(text({std::string("A=\0b", 4)}) == "env[0]: contains a NUL byte");
    CHECK(text({"A B=1"}) == "env[0]: white space in the name");
    CHECK(text({"A=" + std::string(200'000, 'x')}) ==
          "env[0]: 200002 bytes, at most 131072 are allowed");
    CHECK(text(Env(10, "A=" + std::string(120'000, 'x'))) ==
          "env: 1200030 bytes in all, at most 1048576 are allowed");
}
