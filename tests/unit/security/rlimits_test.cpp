#include "security/rlimits.hpp"

#include <sys/resource.h>

#include <algorithm>

#include <catch2/catch.hpp>

namespace {

security::Rlimit of(const std::vector<security::Rlimit>& limits, int resource) {
    const auto found = std::find_if(
            limits.begin(), limits.end(), [&](const auto& l) { return l.resource == resource; });
    REQUIRE(found != limits.end());
    return *found;
}

}  // namespace

TEST_CASE("PL-09 defaults") {
    const auto limits = security::rlimits({}, {}).value();
    CHECK(limits.size() == 7);
    CHECK(of(limits, RLIMIT_CORE).hard == 0);
    CHECK(of(limits, RLIMIT_NOFILE).soft == 1024);
    CHECK(of(limits, RLIMIT_NOFILE).hard == 16'384);
    CHECK(of(limits, RLIMIT_MEMLOCK).soft == 65'536);
    CHECK(of(limits, RLIMIT_MEMLOCK).hard == 8'388'608);
    CHECK(of(limits, RLIMIT_MSGQUEUE).hard == 819'200);
    CHECK(of(limits, RLIMIT_SIGPENDING).hard == 4096);
    CHECK(of(limits, RLIMIT_NICE).hard == 0);
    CHECK(of(limits, RLIMIT_RTPRIO).hard == 0);
}

TEST_CASE("PL-09 defaults shrink to what the daemon may give") {
    const security::RlimitCeilings ceilings{.hard = {{RLIMIT_NOFILE, 512}}};
    const auto limits = security::rlimits({}, ceilings).value();
    CHECK(of(limits, RLIMIT_NOFILE).soft == 512);
    CHECK(of(limits, RLIMIT_NOFILE).hard == 512);
}

TEST_CASE("PL-09 a request above the daemon's own limit fails clearly, unless it may raise it") {
    security::RlimitCeilings ceilings{.hard = {{RLIMIT_NOFILE, 20'000}}};
    const auto refused = security::rlimits({{"nofile", 1'048'576}}, ceilings);
    REQUIRE(!refused);
    CHECK(refused.error().text.starts_with(
            "resource limit nofile: 1048576 is above the daemon's own hard limit of 20000"));
    CHECK(of(security::rlimits({{"nofile", 20'000}}, ceilings).value(), RLIMIT_NOFILE).soft ==
          20'000);
    ceilings.may_raise = true;
    CHECK(of(security::rlimits({{"nofile", 1'048'576}}, ceilings).value(), RLIMIT_NOFILE).hard ==
          1'048'576);
}

TEST_CASE("all fifteen names of the wire are known, a present 0 is a real 0, others are errors") {
    std::map<std::string, std::uint64_t> all;
    for (const auto* name :
         {"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
          "nproc", "rss", "rtprio", "sigpending", "stack"}) {
        all[name] = 0;
    }
    const auto limits = security::rlimits(all, {}).value();
    CHECK(limits.size() == 15);
    for (const auto& limit : limits) CHECK(limit.hard == 0);
    CHECK(!security::rlimits({{"NOFILE", 1}}, {}));
    CHECK(!security::rlimits({{"", 1}}, {}));
}
