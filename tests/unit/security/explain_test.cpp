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
            .effective = {},
            .user_namespace = of != Class::privileged,
            .masked = masked_paths(of),
            .read_only = read_only_paths(of),
            .mounts =
                    {{.target = "/proc", .read_only = false, .bind = false},
                     {.target = "/sys", .read_only = true, .bind = false},
                     {.target = "/data", .read_only = true, .bind = true},
                     {.target = "/data/out", .read_only = false, .bind = true}},
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
    CHECK(layer(PathQuestion{.path = "/of-the-host/x", .host_owned = true}) ==
          "user namespace ID-01");
}

TEST_CASE("explain knows which devices are allowed") {
    CHECK(layer(DeviceQuestion{.type = 'c', .major = 1, .minor = 3}) == "none ");  // /dev/null
    CHECK(layer(DeviceQuestion{.type = 'b', .major = 8, .minor = 0}) == "device DEV-02");
    CHECK(layer(DeviceQuestion{.type = 'c', .major = 10, .minor = 237}) == "device DEV-02");
}

TEST_CASE("explain answers about one process, and about rights that only the host's root has") {
    auto of_alice = facts(Class::privileged);
    of_alice.effective = 0;
    const auto chown = explain(CallQuestion{"chown"}, of_alice);
    CHECK(chown.layer == Layer::capability);
    CHECK(chown.rule == "CAP-03");
    CHECK(chown.remedy == "run it as root of the container");
    CHECK(chown.seen_as == "EPERM");
    CHECK(layer(CallQuestion{"chown"}) == "none ");
    CHECK(layer(CallQuestion{"mknod"}) == "user namespace DEV-01");
    CHECK(layer(CallQuestion{"mknod"}, Class::privileged) == "none ");
    CHECK(layer(CallQuestion{"syslog"}, Class::privileged_in_userns) == "user namespace ID-01");
    CHECK(explain(CallQuestion{"socket"}, facts(Class::unprivileged)).seen_as ==
          "EPERM or EAFNOSUPPORT");
    CHECK(explain(CallQuestion{"clone3"}, facts(Class::unprivileged)).seen_as == "ENOSYS");
}

TEST_CASE("explain knows mounts, and what is to be done with a path or device") {
    using Access = PathQuestion::Access;
    CHECK(layer(PathQuestion{.path = "/sys/class"}) == "read-only 8.2");
    CHECK(layer(PathQuestion{.path = "/sys/class", .access = Access::read}) == "none ");
    CHECK(layer(PathQuestion{.path = "/data/x", .access = Access::write}) == "read-only CL-03");
    CHECK(layer(PathQuestion{.path = "/data/out/x", .access = Access::write}) == "none ");
    CHECK(layer(PathQuestion{.path = "/database"}) == "none ");
    CHECK(layer(PathQuestion{.path = "/proc/kcore", .access = Access::read}) == "mask 8.3");
    const DeviceQuestion make{.type = 'b', .major = 7, .minor = 0, .make = true};
    CHECK(layer(make, Class::privileged) == "none ");
    CHECK(layer(make) == "device DEV-02");
    CHECK(layer(DeviceQuestion{.type = 'c', .major = 1, .minor = 3, .make = true}) ==
          "user namespace DEV-01");
    CHECK(layer(DeviceQuestion{.type = 'b', .major = 7, .minor = 0, .read = true},
                Class::privileged) == "device DEV-02");
}
