// Kernel texts and the probe's answers as values.
#include "garden/audit/parse.hpp"

#include "garden/audit/probe/format.hpp"
#include "good_evidence.hpp"

#include <catch2/catch.hpp>

using namespace garden::audit;

TEST_CASE("a line of mountinfo is read with its escapes, flags and propagation") {
    const auto mounts = parse_mounts(
            "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:7 - ext3 /dev/root "
            "rw,errors=continue\n"
            "broken line\n");
    REQUIRE(mounts.size() == 1);
    CHECK(mounts[0].id == 36);
    CHECK(mounts[0].target == "/mnt 2");
    CHECK(mounts[0].type == "ext3");
    CHECK(mounts[0].shared);
    CHECK(mounts[0].flags.contains("noatime"));
    CHECK(mounts[0].options.contains("errors=continue"));
}

TEST_CASE("a status is read whatever the name of the process holds") {
    ProcessView process;
    read_status(
            "Name:\tevil) S\nUid:\t1\t2\t3\t4\nGroups:\t10 11 \nCapEff:\t00000000a80425fb\n"
            "Seccomp:\t2\nSeccomp_filters:\t3\nNoNewPrivs:\t1\nUmask:\t0022\n",
            process);
    CHECK(process.uids == std::vector<std::uint32_t>{1, 2, 3, 4});
    CHECK(process.groups.size() == 2);
    CHECK(process.capabilities.effective == 0xa80425fb);
    CHECK(process.seccomp == 2);
    CHECK(process.umask == 022);
    CHECK(policy_of("1 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0 0 0 0 0 0 0 0 0 0 0 0 "
                    "0 0 "
                    "0 0 0 2 0") == 2);
    CHECK(start_time_of("1 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0") == 77);
}

TEST_CASE("only the names of an environment are kept") {
    using namespace std::string_literals;
    CHECK(environment_names("A=secret\0B=\0=x\0C\0"s) ==
          std::vector<std::string>{"A", "B", "", "C"});
}

TEST_CASE("the probe's language survives tabs, line ends and backslashes") {
    const std::string text = "a\tb\\n\nc\\";
    CHECK(probe::unescape(probe::escape(text)) == text);
    CHECK(probe::escape(text).find('\n') == std::string::npos);
}

TEST_CASE("answers that are cut off or nonsense are errors") {
    CHECK(parse_answers("end\t\t0\t\n"));
    CHECK_FALSE(parse_answers(""));
    CHECK_FALSE(parse_answers("call\tmount\t1\t\n"));
    CHECK_FALSE(parse_answers("call\tmount\n"));
    CHECK_FALSE(parse_answers("call\tmount\tx\t\nend\t\t0\t\n"));
    CHECK_FALSE(parse_answers("sing\ta\t0\t\nend\t\t0\t\n"));
    const auto good = parse_answers("call\tmount\t1\t\nfd\t2\t0\t/x\nend\t\t0\t\n");
    REQUIRE(good);
    CHECK(good->calls.at("mount").error == 1);
    CHECK(good->descriptors.at(0).target == "/x");
}

TEST_CASE(
        "what the probe is asked fits into one pipe and asks for a node only where none can be "
        "made") {
    const auto request = probe_request(test::good_evidence().expected);
    CHECK(request.size() < probe::kMaxRequest / 2);
    CHECK(request.find("\nmknod\n") != std::string::npos);
    const auto privileged =
            probe_request(test::good_evidence(security::Class::privileged).expected);
    CHECK(privileged.find("mknod") == std::string::npos);
}
