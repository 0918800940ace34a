// The nursery, from which shims are cloned.
#include "base/sys/file.hpp"
#include "tests/kernel/launch/fixture.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

using test::Box;

namespace {

std::string status_line(const std::string& pid, const std::string& name) {
    const auto status = base::sys::read_host_file("/proc/" + pid + "/status");
    if (!status) return {};
    const auto at = status->find("\n" + name + ":\t");
    if (at == std::string::npos) return {};
    const auto begin = at + name.size() + 3;
    return status->substr(begin, status->find('\n', begin) - begin);
}

// Children of this process, which is the only one that may be asked to kill them.
std::vector<pid_t> nurseries() {
    std::vector<pid_t> found;
    const auto proc = base::sys::open_host("/proc", O_RDONLY | O_DIRECTORY).value();
    const auto names = base::sys::list_directory(proc).value();
    for (const auto& name : names) {
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto comm = base::sys::read_host_file("/proc/" + name + "/comm");
        if (comm && *comm == "garden-nursery\n" &&
            status_line(name, "PPid") == std::to_string(::getpid()) &&
            status_line(name, "State").front() != 'Z') {
            found.push_back(std::stoi(name));
        }
    }
    return found;
}

// A shim that has just been cloned bears the old name for a moment.
pid_t only_nursery() {
    for (int i = 0; i < 200; ++i) {
        const auto found = nurseries();
        if (found.size() == 1) return found.front();
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return -1;
}

}  // namespace

TEST_CASE("a nursery that is killed takes no shim along and is started again") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    const auto first = only_nursery();
    REQUIRE(first > 0);
    REQUIRE(::kill(first, SIGKILL) == 0);
    CHECK(box.sh("echo alive").out == "alive\n");
    const auto next = box.hub->spawn();
    REQUIRE(next);
    const auto second = only_nursery();
    REQUIRE(second > 0);
    CHECK(second != first);
    CHECK((*next)->destroy(std::chrono::seconds(5)));

    // One that hangs is replaced, too; nobody waits for it for ever.
    REQUIRE(::kill(second, SIGSTOP) == 0);
    const auto after = box.hub->spawn();
    REQUIRE(after);
    CHECK((*after)->destroy(std::chrono::seconds(5)));
    CHECK(only_nursery() != second);
    CHECK_FALSE(box.heard->lost(std::chrono::milliseconds(0)));

    box.hub.reset();
    CHECK(nurseries().empty());
}

TEST_CASE("a shim has next to none of the host's mounts, and the host none of its") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    const auto shim = status_line(std::to_string(box.prepared.init_pid), "PPid");
    const auto mounts = base::sys::read_host_file("/proc/" + shim + "/mountinfo");
    REQUIRE(mounts);
    CHECK(std::count(mounts->begin(), mounts->end(), '\n') == 4);
    CHECK(mounts->find(" / / ro,") != std::string::npos);
    for (const char* place : {" /proc ", " /sys ", " /dev/null "})
        CHECK(mounts->find(place) != std::string::npos);
    CHECK(mounts->find("shared:") == std::string::npos);
    CHECK(mounts->find("master:") == std::string::npos);
}
