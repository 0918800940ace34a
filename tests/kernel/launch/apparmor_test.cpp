// The profile of a container: entered by garden-init and by every process, and no container without
// it where it was asked for.
#include "base/sys/file.hpp"
#include "tests/kernel/launch/fixture.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

using test::Box;

namespace {

bool enabled() {
    const auto text = base::sys::read_host_file("/sys/module/apparmor/parameters/enabled");
    return text && text->starts_with('Y') && ::access("/sbin/apparmor_parser", X_OK) == 0;
}

}  // namespace

TEST_CASE("a profile that cannot be applied makes create fail and names it") {
    NEEDS(root, userns);
    Box box;
    REQUIRE(box.prepare());
    auto plan = box.plan();
    plan.apparmor = "cloche-test-not-loaded";
    const auto created = box.create(std::move(plan));
    REQUIRE_FALSE(created);
    CHECK(created.error().text.find("apply the AppArmor profile cloche-test-not-loaded") !=
          std::string::npos);
}

TEST_CASE("garden-init and every process run under the profile of the container") {
    NEEDS(root, userns);
    if (!enabled()) {
        std::cout << "SKIP: no AppArmor, or no apparmor_parser" << std::endl;
        return;
    }
    const std::string name = "cloche-test-" + std::to_string(::getpid());
    Box box;
    const std::string file = box.directory + "/profile";
    {
        const auto out = base::sys::open_host(file, O_WRONLY | O_CREAT, 0600);
        REQUIRE(out);
        REQUIRE(base::sys::write_all(
                *out, "profile " + name +
                              " flags=(attach_disconnected,mediate_deleted) {\n"
                              "network, capability, file, signal, ptrace, unix,\n"
                              "deny /tmp/denied rw,\n}\n"));
    }
    REQUIRE(std::system(("/sbin/apparmor_parser -Kr " + file).c_str()) == 0);  // NOLINT
    REQUIRE(box.prepare());
    auto plan = box.plan();
    plan.apparmor = name;
    const auto created = box.create(std::move(plan));
    if (!created) FAIL(created.error().text);
    CHECK(box.sh("cat /proc/1/attr/current").out == name + " (enforce)\n");
    CHECK(box.sh("cat /proc/self/attr/current").out == name + " (enforce)\n");
    CHECK(box.sh("echo x > /tmp/denied").err.find("Permission denied") != std::string::npos);
    CHECK(box.sh("echo x > /tmp/other && cat /tmp/other").out == "x\n");
    // GCC does not take a cast to void for an answer that was looked at.
    const int removed = std::system(("/sbin/apparmor_parser -R " + file).c_str());  // NOLINT
    CHECK(removed == 0);
}
