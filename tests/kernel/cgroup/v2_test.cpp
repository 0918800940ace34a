// What only a cgroup v2 host with controllers can prove; runs in the guest of tools/vm-test.
#include "base/sys/file.hpp"
#include "garden/cgroup/text.hpp"
#include "tests/kernel/cgroup/support.hpp"

#include <cstdlib>
#include <iostream>

using test::Field;

TEST_CASE(
        "v2: the daemon leaves its own delegated group and controllers are on below it",
        "[root][cgroup2]") {
    NEEDS(root, cgroup2_controllers);
    Field field;
    CHECK(field.driver->layout() == garden::cgroup::Layout::v2);
    CHECK(field.driver->hierarchies() == std::vector<std::string>{"unified"});
    const auto own =
            garden::cgroup::parse_own_groups(*base::sys::read_host_file("/proc/self/cgroup"))[""];
    std::string base = "/sys/fs/cgroup";
    if (own.ends_with("/supervisor")) base += own.substr(0, own.rfind('/'));
    const auto on = base::sys::read_host_file(base + "/" + field.name + "/cgroup.subtree_control");
    REQUIRE(on);
    for (const char* controller : {"cpu", "memory", "pids"})
        CHECK(on->find(controller) != std::string::npos);

    SECTION("and a second daemon finds the same place") {
        auto again = garden::cgroup::Driver::probe(field.name);
        REQUIRE(again);
        auto group = field.group("found");
        CHECK(*(*again)->list() == std::vector<std::string>{"found"});
    }
}

TEST_CASE("v2: swap is off under a limit, and one OOM kill takes one process", "[root][cgroup2]") {
    NEEDS(root, cgroup2_controllers);
    Field field;
    auto group = field.group();
    REQUIRE(group->limit({.memory_bytes = 32 << 20}));
    const pid_t bystander = test::enter(*group, [] {
        for (;;) (void)::pause();
        return 0;
    });
    CHECK(WIFSIGNALED(
            test::status_of(test::enter(*group, [] { return test::touch_memory(64 << 20); }))));
    CHECK(*group->processes() == std::vector<std::int32_t>{bystander});
    REQUIRE(group->kill());
    (void)test::status_of(bystander);
}

// The program of a service, by hand or by a test of the packaging, to prove that the service
// restarts. It never ends by itself, and "~[slow]" selects hidden tests too: hence the variable.
TEST_CASE("a service keeps one container and waits", "[.service]") {
    if (std::getenv("CLOCHE_TEST_SERVICE") == nullptr) return;
    auto driver = test::cg::Driver::probe("cloche-service-test");
    REQUIRE(driver);
    auto group = (*driver)->open("kept");
    if (group) {
        CHECK((*group)->processes()->size() == 1);
        std::cout << "found the container alive" << std::endl;
    } else {
        group = (*driver)->create("kept");
        REQUIRE(group);
        REQUIRE((*group)->limit({.memory_bytes = 64 << 20}));
        (void)test::enter(**group, [] {
            (void)::setsid();
            for (;;) (void)::pause();
            return 0;
        });
        std::cout << "made the container" << std::endl;
    }
    for (;;) (void)::pause();
}
