// Weaknesses planted by hand in living containers, from outside; each is found under its own rule.
#include "audit_fixture.hpp"
#include "tests/support/needs.hpp"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;
using test::findings_of;
using test::found;

TEST_CASE("8.3: a mask that was taken away and a cover that became writable are found") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("unmasked");
    const auto pid = test::sleeper(fixture, handle);
    REQUIRE(test::inside(
            pid, CLONE_NEWNS, [] { return ::umount2("/proc/keys", MNT_DETACH) == 0; }));
    CHECK(found(findings_of(fixture, handle), "8.3/masked"));

    REQUIRE(test::inside(pid, CLONE_NEWNS, [] {
        return ::mount("none", "/proc/sys", nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0;
    }));
    const auto findings = findings_of(fixture, handle);
    CHECK(found(findings, "8.3/read-only"));
    CHECK(found(findings, "PL-12/equal") == false);
}

TEST_CASE("8.2 and FS-03: a mount without its flags and a foreign mount are found") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("remounted");
    const auto pid = test::sleeper(fixture, handle);
    REQUIRE(test::inside(pid, CLONE_NEWNS, [] {
        return ::mount("none", "/dev/shm", nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0;
    }));
    REQUIRE(test::inside(pid, CLONE_NEWNS, [] {
        return ::mount("planted", "/tmp", "tmpfs", 0, "size=64k") == 0;
    }));
    const auto findings = findings_of(fixture, handle);
    CHECK(found(findings, "8.2/mounts"));
    CHECK(found(findings, "FS-03/foreign"));
}

TEST_CASE("DEV-02 and DOS-01: a looser device list and a raised limit are found") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto spec = fixture.spec("loosened");
    spec.limits.pids = 40;
    spec.limits.memory_bytes = 64 << 20;
    const auto handle = fixture.engine().create(std::move(spec), {}).value();
    const auto pid = test::sleeper(fixture, handle);
    CHECK(findings_of(fixture, handle).empty());
    if (const auto group = test::group_of(pid, "devices"); !group.empty()) {
        REQUIRE(test::write_file(group + "/devices.allow", "b 7:* rwm"));
        CHECK(found(findings_of(fixture, handle), "DEV-02/rules"));
    }
    if (const auto group = test::group_of(pid, "pids"); !group.empty()) {
        REQUIRE(test::write_file(group + "/pids.max", "max"));
        CHECK(found(findings_of(fixture, handle), "DOS-01/processes"));
    }
    if (const auto group = test::group_of(pid, "memory"); !group.empty()) {
        REQUIRE(test::write_file(group + "/memory.memsw.limit_in_bytes", "-1"));
        REQUIRE(test::write_file(group + "/memory.limit_in_bytes", "134217728"));
        CHECK(found(findings_of(fixture, handle), "DOS-02/memory"));
        REQUIRE(test::write_file(group + "/notify_on_release", "1"));
        CHECK(found(findings_of(fixture, handle), "10/release-agent"));
        REQUIRE(test::write_file(group + "/notify_on_release", "0"));
    }
}

namespace {

// A process in the container's namespaces that nobody has confined, until it is killed.
class Stranger {
  public:
    explicit Stranger(std::int32_t target) {
        int ready[2];
        REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
        child_ = ::fork();
        REQUIRE(child_ >= 0);
        if (child_ == 0) live(target, ready[1]);
        (void)::close(ready[1]);
        char byte = 0;
        const auto size = ::read(ready[0], &byte, 1);
        (void)::close(ready[0]);
        REQUIRE(size == 1);
    }

    Stranger(const Stranger&) = delete;
    Stranger& operator=(const Stranger&) = delete;

    ~Stranger() {
        (void)::kill(child_, SIGKILL);
        (void)::waitpid(child_, nullptr, 0);
    }

  private:
    [[noreturn]] static void live(std::int32_t target, int ready) {
        const int process = static_cast<int>(::syscall(SYS_pidfd_open, target, 0));
        (void)::open("/etc", O_RDONLY | O_DIRECTORY);  // of the host, and it stays open
        constexpr int kAll = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
                             CLONE_NEWUTS | CLONE_NEWCGROUP;
        if (process < 0 || ::setns(process, kAll) != 0) ::_exit(1);
        const rlimit core = {.rlim_cur = 0, .rlim_max = 0};
        (void)::setrlimit(RLIMIT_CORE, &core);
        (void)!::write(ready, "r", 1);
        for (;;) (void)::pause();
    }

    pid_t child_ = -1;
};

}  // namespace

TEST_CASE("CAP-01, SC-01, PL-01, ID-02 and 10: an unconfined process in a container is found") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("visited");
    const auto pid = test::sleeper(fixture, handle);
    CHECK(findings_of(fixture, handle).empty());
    {
        const Stranger stranger(pid);
        // Who is where is looked up for many containers at once, and kept for so long.
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        const auto findings = findings_of(fixture, handle);
        for (const char* id :
             {"CAP-01/sets", "SC-01/mode", "PL-01/descriptors", "ID-02/host-ids", "10/groups",
              "CL-01/joined"}) {
            INFO(id);
            CHECK(found(findings, id));
        }
    }
    CHECK(findings_of(fixture, handle).empty());
}

TEST_CASE("NET-03 and SC-10: a loosened link and a changed filter file are found") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("linked");
    for (const auto& entry : std::filesystem::directory_iterator("/proc/sys/net/ipv4/conf")) {
        const auto name = entry.path().filename().string();
        if (name.starts_with("w" + fixture.config().tag))
            REQUIRE(test::write_file(entry.path().string() + "/route_localnet", "1"));
    }
    CHECK(found(findings_of(fixture, handle), "NET-03/settings"));
    REQUIRE(test::write_file(
            fixture.config().state_directory + "/depot/" + handle.get() + "/seccomp",
            "sha256:0\n"));
    CHECK(found(findings_of(fixture, handle), "SC-10/stored"));
}

TEST_CASE("API-01 and section 10: an open socket and routed loopback of the host are found") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto directory = fixture.config().state_directory + "/api";
    const auto path = directory + "/garden.sock";
    REQUIRE(std::filesystem::create_directory(directory));
    REQUIRE(test::write_file(path, ""));
    REQUIRE(::chmod(path.c_str(), 0660) == 0);
    REQUIRE(::chmod(directory.c_str(), 0750) == 0);
    fixture.config().api_endpoints = {"unix://" + path, "tcp://127.0.0.1:1", "tcp://0.0.0.0:2"};
    fixture.restart();
    const auto findings = [&] { return findings_of(fixture.engine().audit_host()); };
    CHECK_FALSE(found(findings(), "API-01/mode"));
    CHECK(found(findings(), "API-03/tcp"));
    REQUIRE(::chmod(path.c_str(), 0777) == 0);
    CHECK(found(findings(), "API-01/mode"));
    REQUIRE(::chmod(directory.c_str(), 0777) == 0);
    CHECK(found(findings(), "API-01/directory"));

    CHECK_FALSE(found(findings(), "10/loopback"));
    REQUIRE(test::write_file("/proc/sys/net/ipv4/conf/all/route_localnet", "1"));
    CHECK(found(findings(), "10/loopback"));
    REQUIRE(test::write_file("/proc/sys/net/ipv4/conf/all/route_localnet", "0"));
}
