// What becomes of peas when gardend or a shim is killed; and that their confinement is the class's.
#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;
namespace fs = std::filesystem;

namespace {

ProcessSpec pea(
        const EngineFixture& fixture, std::vector<std::string> argv, const std::string& user = "") {
    auto spec = EngineFixture::process(std::move(argv), user);
    spec.image.uri = fixture.rootfs();
    return spec;
}

std::vector<std::string> volumes(const EngineFixture& fixture) {
    std::vector<std::string> names;
    const auto directory = fs::path(fixture.rootfs()).parent_path() / "store/volumes/volumes";
    for (const auto& entry : fs::directory_iterator(directory))
        names.push_back(entry.path().filename().string());
    return names;
}

bool soon(const std::function<bool()>& check) {
    for (int i = 0; i < 500; ++i) {
        if (check()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
}

// The lines of /proc/self/status that confinement is made of.
std::string status_of(const std::string& text) {
    std::string kept;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        for (const char* name : {"Cap", "Seccomp", "NoNewPrivs", "Uid", "Gid", "Groups"})
            if (line.starts_with(name)) kept += line + "\n";
    }
    return kept;
}

}  // namespace

TEST_CASE("PL-12 PL-13: a pea is confined as every process of its container is") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    for (const auto container_class :
         {ContainerClass::unprivileged, ContainerClass::privileged_in_userns,
          ContainerClass::privileged}) {
        auto spec = fixture.spec("class-" + std::to_string(static_cast<int>(container_class)));
        spec.container_class = container_class;
        const auto handle = fixture.engine().create(std::move(spec), {}).value();
        for (const std::string user : {"0:0", "1000:1000"}) {
            const auto process = fixture.run(handle, {"cat", "/proc/self/status"}, user);
            const auto of_pea = fixture.finish(
                    handle, fixture.engine()
                                    .run(handle, pea(fixture, {"cat", "/proc/self/status"}, user))
                                    .value());
            CHECK(status_of(of_pea.out) == status_of(process.out));
            CHECK_FALSE(of_pea.out.empty());
        }
    }
}

TEST_CASE("FS-10 FS-13: a pea has its own masks, read-only paths and devices, like the container") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    // Types, targets and options of all mounts but the device numbers, which differ by nature.
    const std::vector<std::string> command{
            "sh", "-c",
            "sed -E 's/^[0-9]+ [0-9]+ [0-9]+:[0-9]+ //; s/[0-9a-f-]{36}//g; "
            "s/(lowerdir|upperdir|workdir)[^ ]*//g' /proc/self/mountinfo | grep -o ' /[^ ]* "
            "r[ow][^ ]*' | sort"};
    const auto run_both = [&](std::vector<std::string> argv) {
        const auto a = fixture.run(handle, argv);
        const auto b =
                fixture.finish(handle, fixture.engine().run(handle, pea(fixture, argv)).value());
        return std::pair(a, b);
    };
    fs::create_symlink("busybox", fs::path(fixture.rootfs()) / "bin/sed");
    fs::create_symlink("busybox", fs::path(fixture.rootfs()) / "bin/sort");
    const auto again = fixture.create("sandbox-2");
    const auto of_container = fixture.run(again, command);
    const auto of_pea =
            fixture.finish(again, fixture.engine().run(again, pea(fixture, command)).value());
    CHECK_FALSE(of_container.out.empty());
    CHECK(of_pea.out == of_container.out);
    CHECK(of_pea.out.find(" /proc/sys ro") != std::string::npos);
    for (const auto& argv : std::vector<std::vector<std::string>>{
                 {"ls", "/dev"},
                 {"sh", "-c", "head -c 1 /proc/kcore | wc -c"},
                 {"sh", "-c", "echo 1 > /proc/sys/kernel/panic; echo $?"},
                 {"sh", "-c", "touch /sys/x; echo $?"}}) {
        const auto [process, other] = run_both(argv);
        CHECK(other.out == process.out);
        CHECK(other.exit_code == process.exit_code);
    }
    // The procfs is that of the shared pid namespace.
    const auto sleeper =
            fixture.engine().run(handle, EngineFixture::process({"sleep", "54321"})).value();
    const auto seen = fixture.finish(
            handle, fixture.engine().run(handle, pea(fixture, {"ps", "-o", "args"})).value());
    CHECK(seen.out.find("sleep 54321") != std::string::npos);
    CHECK(fixture.engine().signal(handle, sleeper.process_id, SIGKILL));
}

TEST_CASE("CAP-05: compat.garden_inheritable is for container and process and pea alike") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto inheritable = [&](const Handle& handle, bool as_pea, const std::string& user) {
        const std::vector<std::string> argv{"grep", "CapInh", "/proc/self/status"};
        auto spec = as_pea ? pea(fixture, argv, user) : EngineFixture::process(argv, user);
        const auto out =
                fixture.finish(handle, fixture.engine().run(handle, std::move(spec)).value()).out;
        return out.substr(out.find_last_of("\t ") + 1);
    };
    const auto plain = fixture.create("plain");
    for (const bool as_pea : {false, true})
        CHECK(inheritable(plain, as_pea, "1000:1000") == "0000000000000000\n");
    fixture.config().garden_inheritable = true;
    fixture.restart();
    const auto handle = fixture.create("garden");
    CHECK(fixture.run(handle, {"grep", "CapInh", "/proc/1/status"}).out ==
          "CapInh:\t00000000a80425fb\n");
    for (const bool as_pea : {false, true}) {
        CHECK(inheritable(handle, as_pea, "") == "00000000a80425fb\n");
        CHECK(inheritable(handle, as_pea, "1000:1000") == "00000000a80425fb\n");
    }
}

TEST_CASE("a pea runs on while gardend restarts, and its volume goes when it ends") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    auto spec = pea(fixture, {"sh", "-c", "while ! [ -e /go ]; do sleep 0.05; done; echo went"});
    spec.id = "survivor";
    if (GENERATE(false, true)) spec.limits.emplace();
    (void)fixture.engine().run(handle, std::move(spec)).value();
    fixture.restart();
    CHECK(fixture.findings().empty());
    CHECK(volumes(fixture).size() == 2);
    const auto attached = fixture.engine().attach(handle, "survivor").value();
    // Not there for the container: another root.
    CHECK(fixture.run(handle, {"touch", "/go"}).exit_code == 0);
    fixture.engine().signal(handle, "survivor", SIGKILL).value();
    CHECK(fixture.finish(handle, attached).exit_code == 137);
    CHECK(soon([&] { return volumes(fixture).size() == 1; }));
    CHECK(fixture.findings().empty());
}

TEST_CASE("a pea that ended while gardend was away has nothing left after the start") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    auto spec = pea(fixture, {"sleep", "0.5"});
    spec.id = "short";
    spec.limits.emplace();
    const auto host_pid = [&] {
        (void)fixture.engine().run(handle, std::move(spec)).value();
        return fixture.engine().processes(handle).value().at(0).host_pid;
    }();
    fixture.stop();
    CHECK(soon([&] { return ::kill(host_pid, 0) != 0; }));
    fixture.start();
    CHECK(volumes(fixture).size() == 1);
    CHECK(fixture.wait(handle, "short") == 0);
    CHECK(fixture.findings().empty());
}

TEST_CASE("a pea whose shim was killed is over, and its volume and group are gone") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    auto spec = pea(fixture, {"sleep", "60"});
    spec.id = "orphan";
    if (GENERATE(false, true)) spec.limits.emplace();
    (void)fixture.engine().run(handle, std::move(spec)).value();
    const bool away = GENERATE(false, true);  // gardend, when it happens
    const auto pid = fixture.engine().processes(handle).value().at(0).host_pid;
    std::int32_t shim = 0;
    {
        std::ifstream status("/proc/" + std::to_string(pid) + "/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("PPid:")) shim = std::stoi(line.substr(5));
    }
    REQUIRE(shim > 1);
    if (away) fixture.stop();
    REQUIRE(::kill(shim, SIGKILL) == 0);
    CHECK(soon([&] { return ::kill(pid, 0) != 0; }));
    if (away) fixture.start();
    CHECK(soon([&] { return volumes(fixture).size() == 1; }));
    CHECK(fixture.wait(handle, "orphan") == 137);
    CHECK(fixture.findings().empty());
}

TEST_CASE("what a killed gardend had made for a pea that never started is swept") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    fixture.stop();
    const auto base = fs::path(fixture.rootfs()).parent_path();
    // As after a kill between the volume and the start: a record, a volume, a group.
    std::ofstream(base / "state/depot/sandbox/processes/half")
            << R"({"id":"half","user":"","argv":["true"],"terminal":false,"pea":{"name":)"
            << R"("pea=half","beside":true,"cpu_shares":0,"created_at":1}})";
    fs::create_directories(base / "store/volumes/volumes/pea=half/upper");
    fs::create_directories(base / "store/volumes/volumes/pea=nobodys/upper");
    auto cgroups = cgroup::Driver::probe("garden-" + fixture.config().tag).value();
    (void)cgroups->create("pea=half").value();
    (void)cgroups->create("pea=nobodys").value();
    (void)cgroups->create_below("sandbox", "pea=below").value();
    fixture.start();
    CHECK(volumes(fixture) == std::vector<std::string>{"sandbox"});
    CHECK(cgroups->list().value() == std::vector<std::string>{"sandbox"});
    CHECK(fixture.engine().processes(handle).value().empty());
    CHECK(fixture.findings().empty());
}
