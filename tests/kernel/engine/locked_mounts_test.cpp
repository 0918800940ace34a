// FS-12 in the class that may mount: the container's mounts and a pea's are locked, and everything
// that joins later sees the same ones.
#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;
namespace fs = std::filesystem;

namespace {

// What each says: the errno's text of a refusal, or nothing.
const std::vector<std::string> kTakeOff{
        "sh", "-c",
        "busybox umount /proc/timer_list 2>&1; busybox umount -l /sys/firmware 2>&1; "
        "busybox mount -o remount,rw,bind /proc/sys 2>&1; busybox mount --bind /proc /mnt 2>&1; "
        "cat /proc/timer_list | busybox wc -c; busybox ls -A /sys/firmware | busybox wc -l"};

void check_refused(const std::string& said) {
    INFO(said);
    CHECK(said.find("/proc/timer_list: Invalid argument") != std::string::npos);
    CHECK(said.find("/sys/firmware: Invalid argument") != std::string::npos);
    CHECK(said.find("denied") != std::string::npos);  // busybox' word for EPERM when remounting
    CHECK(said.find("on /mnt failed: Invalid argument") != std::string::npos);
    CHECK(said.ends_with("0\n0\n"));
}

Handle create(EngineFixture& fixture, const std::string& name) {
    fs::create_directory(fs::path(fixture.rootfs()) / "mnt");
    auto spec = fixture.spec(name);
    spec.container_class = ContainerClass::privileged_in_userns;
    return fixture.engine().create(std::move(spec), {}).value();
}

}  // namespace

TEST_CASE("FS-12: root of a user namespace takes off no mask, and mounts what is its own") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = create(fixture, "own-root");
    check_refused(fixture.run(handle, kTakeOff).out);
    const auto own = fixture.run(
            handle, {"sh", "-c",
                     "busybox mount -t tmpfs own /mnt && echo mine > /mnt/file && "
                     "busybox mount -o remount,ro,bind /mnt && "
                     "busybox hostname renamed && busybox ip addr add 10.9.9.9/32 dev lo"});
    CHECK(own.err == "");
    CHECK(own.exit_code == 0);
    // A process that joins later is in the same mount, user and network namespaces.
    const auto next = fixture.run(
            handle,
            {"sh", "-c",
             "cat /mnt/file; busybox hostname; busybox ip addr show lo | busybox grep -c 10.9.9.9; "
             "busybox umount /mnt && ls /mnt"});
    CHECK(next.out == "mine\nrenamed\n1\n");
    const auto same = [&](const char* name) {
        const std::string at = std::string("/proc/1/ns/") + name;
        return fixture.run(handle, {"readlink", at}).out ==
               fixture.run(handle, {"readlink", std::string("/proc/self/ns/") + name}).out;
    };
    for (const char* name : {"mnt", "user", "net", "ipc", "uts", "cgroup", "pid"})
        CHECK(same(name));
}

TEST_CASE("FS-12: a pea of such a container takes off no mask of its own root") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = create(fixture, "with-pea");
    auto process = EngineFixture::process(kTakeOff);
    process.image.uri = fixture.rootfs();
    check_refused(fixture.finish(handle, fixture.engine().run(handle, process).value()).out);
    process.args = {"-c", "ls -d /mnt; busybox mount -t tmpfs own /mnt; echo $?"};
    CHECK(fixture.finish(handle, fixture.engine().run(handle, process).value()).out == "/mnt\n0\n");
}
