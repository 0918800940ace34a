#include "security/explain.hpp"

#include "security/capabilities.hpp"
#include "security/paths.hpp"
#include "security/seccomp.hpp"

#include <catch2/catch.hpp>

using namespace security;

namespace {

ExplainFacts facts(Class of) {
    const auto sets = capability_sets({.container_class = of}, 0);
    return {.container_class = of,
            .listing = class_filter(of).value().listing,
            .own_profile = false,
            .capabilities = sets.bounding,
            .masked = masked_paths(of),
            .read_only = read_only_paths(of),
            .devices = device_rules(of)};
}

std::string layer(const Question& question, Class of = Class::unprivileged) {
    const auto found = explain(question, facts(of));
    return std::string(to_string(found.layer)) + " " + found.rule;
}

}  // namespace

TEST_CASE("explain names the layer that refuses a call, and what unlocks it") {
    CHECK(layer(CallQuestion{"mount"}) == "filter SC-05");
    CHECK(layer(CallQuestion{"clone3"}) == "filter SC-04");
    CHECK(layer(CallQuestion{"socket"}) == "filter 6.3");
    CHECK(layer(CallQuestion{"adjtimex"}) == "capability CAP-01");
    CHECK(layer(CallQuestion{"read"}) == "none ");
    CHECK(layer(CallQuestion{"chroot"}) == "none ");
    CHECK(layer(CallQuestion{"mount"}, Class::privileged) == "none ");
    CHECK(layer(CallQuestion{"kexec_load"}, Class::privileged) == "filter 6.6");
    const auto mount = explain(CallQuestion{"mount"}, facts(Class::unprivileged));
    CHECK(mount.because == "the unprivileged filter answers mount with EPERM");
    CHECK(mount.remedy == "a privileged class, or SYS_ADMIN in a custom profile");
    auto own = facts(Class::unprivileged);
    own.own_profile = true;
    CHECK(explain(CallQuestion{"mount"}, own).rule == "SC-09");
    auto full = facts(Class::unprivileged);
    full.listing = "# default allow; newer\n";
    full.pids_limit = full.pids = 8;
    CHECK(explain(CallQuestion{"fork"}, full).layer == Layer::rlimit);
}

TEST_CASE("explain knows masked and read-only paths, and files of the host") {
    CHECK(layer(PathQuestion{.path = "/proc/kcore"}) == "mask 8.3");
    CHECK(layer(PathQuestion{.path = "/proc/sys/kernel/hostname"}) == "read-only 8.3");
    CHECK(layer(PathQuestion{.path = "/proc/sysother"}) == "none ");
    CHECK(layer(PathQuestion{.path = "/proc/kcore"}, Class::privileged) == "none ");
    CHECK(layer(PathQuestion{.path = "/data/x", .host_owned = true}) == "user namespace ID-01");
}

TEST_CASE("explain knows which devices are allowed") {
    CHECK(layer(DeviceQuestion{'c', 1, 3}) == "none ");  // /dev/null
    CHECK(layer(DeviceQuestion{'b', 8, 0}) == "device DEV-02");
    CHECK(layer(DeviceQuestion{'c', 10, 237}) == "device DEV-02");
}
