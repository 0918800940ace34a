// Peas: every row of the acceptance suite's chapter about them, through the engine.
#include "base/sys/file.hpp"
#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;
namespace fs = std::filesystem;

namespace {

// Another image than the container's: a user "operator" and a file that only it has.
std::string make_image(const EngineFixture& fixture) {
    const auto directory = fs::path(fixture.rootfs()).parent_path() / "pea-image";
    if (fs::exists(directory)) return directory.string();
    fs::copy(
            fixture.rootfs(), directory,
            fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    for (const char* applet : {"killall", "unshare", "id", "mknod"})
        if (!fs::exists(fs::symlink_status(directory / "bin" / applet)))
            fs::create_symlink("busybox", directory / "bin" / applet);
    std::ofstream(directory / "etc/passwd", std::ios::app)
            << "operator:x:37:37:operator:/var:/bin/sh\n";
    std::ofstream(directory / "only-in-the-pea") << "own root\n";
    return directory.string();
}

ProcessSpec pea(
        const EngineFixture& fixture, std::vector<std::string> argv, const std::string& user = "") {
    auto spec = EngineFixture::process(std::move(argv), user);
    spec.image.uri = make_image(fixture);
    return spec;
}

EngineFixture::Output run(EngineFixture& fixture, const Handle& handle, ProcessSpec spec) {
    return fixture.finish(handle, fixture.engine().run(handle, std::move(spec)).value());
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

LimitsSpec limits() {
    LimitsSpec limits;
    limits.cpu_shares = 1024;
    limits.memory_bytes = 64 << 20;
    limits.pids = 50;
    return limits;
}

Handle create_limited(EngineFixture& fixture, const std::string& handle) {
    auto spec = fixture.spec(handle);
    spec.limits = limits();
    return fixture.engine().create(std::move(spec), {}).value();
}

std::vector<std::string> dd(int mebibytes) {
    return {"sh", "-c",
            "dd if=/dev/zero of=/dev/shm/fill bs=1M count=" + std::to_string(mebibytes) +
                    " && echo hello"};
}

}  // namespace

TEST_CASE("a pea has its own mount namespace and shares the others") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto container_class = GENERATE(ContainerClass::unprivileged, ContainerClass::privileged);
    auto spec = fixture.spec("sandbox");
    spec.container_class = container_class;
    const auto handle = fixture.engine().create(std::move(spec), {}).value();
    const bool override_limits = GENERATE(false, true);
    for (const char* kind : {"mnt", "net", "ipc", "pid", "user", "uts"}) {
        const std::vector<std::string> command{"readlink", std::string("/proc/self/ns/") + kind};
        auto inside = pea(fixture, command);
        if (override_limits) inside.limits.emplace();
        const auto of_pea = run(fixture, handle, std::move(inside));
        const auto of_container = fixture.run(handle, command);
        INFO(kind);
        CHECK(of_pea.exit_code == 0);
        CHECK((of_pea.out == of_container.out) == (std::string_view(kind) != "mnt"));
    }
}

TEST_CASE("a pea sees its own image; its directory is / and its user 0:0 unless told otherwise") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    CHECK(run(fixture, handle, pea(fixture, {"cat", "/only-in-the-pea"})).out == "own root\n");
    CHECK(fixture.run(handle, {"cat", "/only-in-the-pea"}).exit_code != 0);
    CHECK(run(fixture, handle, pea(fixture, {"busybox"})).out.starts_with("BusyBox v"));
    CHECK(run(fixture, handle, pea(fixture, {"pwd"})).out == "/\n");
    const std::vector<std::string> ids{"sh", "-c", "echo $(id -u):$(id -g) $(id -G)"};
    CHECK(run(fixture, handle, pea(fixture, ids)).out == "0:0 0\n");
    CHECK(run(fixture, handle, pea(fixture, ids, "1001:1002")).out == "1001:1002 1002\n");
    CHECK(run(fixture, handle, pea(fixture, {"sh", "-c", "id -u; id -g; echo $HOME"}, "operator"))
                  .out == "37\n37\n/var\n");
    // alice is in a second group, which a pea does not get.
    CHECK(run(fixture, handle, pea(fixture, ids, "alice")).out == "1001:1010 1010\n");
    CHECK(run(fixture, handle, pea(fixture, {"true"}, "root")).exit_code == 0);
    const auto unknown = fixture.engine().run(handle, pea(fixture, {"true"}, "invalid-user"));
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().text.find(
                  "unable to find user invalid-user: no matching entries in passwd file") !=
          std::string::npos);
    CHECK(soon([&] { return volumes(fixture).size() == 1; }));
    CHECK(fixture.findings().empty());
}

TEST_CASE("a pea's environment is its image's and its own, not the container's") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto spec = fixture.spec("sandbox");
    spec.env = {"CONTAINER=1"};
    const auto handle = fixture.engine().create(std::move(spec), {}).value();
    auto process = pea(fixture, {"env"});
    process.env = {"OWN=2"};
    const auto out = run(fixture, handle, std::move(process)).out;
    CHECK(out.find("OWN=2\n") != std::string::npos);
    CHECK(out.find("CONTAINER") == std::string::npos);
    CHECK(out.find("USER=root\n") != std::string::npos);
}

TEST_CASE("a pea's streams, exit code, signals and terminal are those of any process") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    const auto output = run(
            fixture, handle, pea(fixture, {"sh", "-c", "echo stdout; echo stderr >&2; exit 123"}));
    CHECK(output.out == "stdout\n");
    CHECK(output.err == "stderr\n");
    CHECK(output.exit_code == 123);

    const auto waiting =
            fixture.engine()
                    .run(handle,
                         pea(fixture, {"sh", "-c",
                                       "trap 'exit 42' TERM; touch /ready; while true; do sleep "
                                       "0.05; done"}))
                    .value();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    fixture.engine().signal(handle, waiting.process_id, SIGTERM).value();
    CHECK(fixture.wait(handle, waiting.process_id) == 42);

    auto terminal = pea(fixture, {"sh", "-c", "[ -t 0 ] && [ -t 1 ] && stat -c %F /dev/pts/ptmx"});
    terminal.tty = WindowSize{};
    CHECK(run(fixture, handle, std::move(terminal)).exit_code == 0);

    const auto reader = fixture.engine().run(handle, pea(fixture, {"cat"})).value();
    base::sys::write_all(reader.input, "typed\n").value();
    fixture.engine().close_input(handle, reader.id).value();
    const_cast<Attachment&>(reader).input.reset();
    CHECK(fixture.finish(handle, reader).out == "typed\n");
}

TEST_CASE("a pea and its container have the same hosts and resolv.conf") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    for (const std::string file : {"/etc/hosts", "/etc/resolv.conf"}) {
        CHECK(run(fixture, handle, pea(fixture, {"cat", file})).out ==
              fixture.run(handle, {"cat", file}).out);
        CHECK(run(fixture, handle, pea(fixture, {"sh", "-c", "echo '# pea' >> " + file}))
                      .exit_code == 0);
        CHECK(fixture.run(handle, {"tail", "-n", "1", file}).out == "# pea\n");
        CHECK(run(fixture, handle, pea(fixture, {"sh", "-c", "echo no >> " + file}, "1001:1001"))
                      .exit_code != 0);
    }
}

TEST_CASE("a pea has the bind mounts of its own spec only") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto base = fs::path(fixture.rootfs()).parent_path();
    fs::create_directories(base / "of-container");
    fs::create_directories(base / "of-pea");
    std::ofstream(base / "of-pea/file") << "bound\n";
    auto spec = fixture.spec("sandbox");
    spec.bind_mounts = {{.source = (base / "of-container").string(), .destination = "/container"}};
    const auto handle = fixture.engine().create(std::move(spec), {}).value();
    auto process = pea(fixture, {"sh", "-c", "cat /mine/file; ls -d /container; echo x > /mine/y"});
    process.bind_mounts = {{.source = (base / "of-pea").string(), .destination = "/mine"}};
    const auto output = run(fixture, handle, std::move(process));
    CHECK(output.out == "bound\n");
    CHECK(output.exit_code != 0);  // read-only
    auto reserved = pea(fixture, {"true"});
    reserved.bind_mounts = {{.source = "/tmp", .destination = "/proc/x"}};
    CHECK_FALSE(fixture.engine().run(handle, std::move(reserved)));
    auto imageless = EngineFixture::process({"true"});
    imageless.bind_mounts = {{.source = "/tmp", .destination = "/x"}};
    const auto refused = fixture.engine().run(handle, std::move(imageless));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("bind mounts and no image") != std::string::npos);
}

TEST_CASE("a pea without limits of its own is within the container's memory") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = create_limited(fixture, "sandbox");
    CHECK(fixture.run(handle, dd(5)).exit_code == 0);
    CHECK(run(fixture, handle, pea(fixture, dd(60))).exit_code != 0);
    CHECK(soon([&] {
        const auto events = fixture.engine().info(handle).value().events;
        return std::count(events.begin(), events.end(), "Out of memory") == 1;
    }));
}

TEST_CASE("a pea with empty limits of its own has none") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = create_limited(fixture, "sandbox");
    auto memory = pea(fixture, dd(65));
    memory.limits.emplace();
    const auto output = run(fixture, handle, std::move(memory));
    CHECK(output.exit_code == 0);
    CHECK(output.out == "hello\n");
    auto many = pea(
            fixture, {"sh", "-c",
                      "i=0; while [ $i -lt 60 ]; do sleep 60 & i=$((i+1)); done; killall sleep"});
    many.limits.emplace();
    CHECK(run(fixture, handle, std::move(many)).exit_code == 0);
    auto bounded = pea(
            fixture, {"sh", "-c",
                      "i=0; while [ $i -lt 60 ]; do sleep 60 & i=$((i+1)); done; killall sleep"});
    CHECK(run(fixture, handle, std::move(bounded)).exit_code != 0);
}

TEST_CASE("a pea's own memory limit kills the process that is over it and nothing else") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = create_limited(fixture, "sandbox");
    const auto bystander =
            fixture.engine().run(handle, EngineFixture::process({"sleep", "60"})).value();
    auto process = pea(fixture, dd(33));
    process.limits.emplace().memory_bytes = 32 << 20;
    const auto output = run(fixture, handle, std::move(process));
    CHECK(output.exit_code != 0);
    CHECK(output.err.find("Killed\n") != std::string::npos);  // the shell lived to say so
    CHECK(output.out.find("hello") == std::string::npos);
    CHECK(soon([&] {
        const auto events = fixture.engine().info(handle).value().events;
        return std::count(events.begin(), events.end(), "Out of memory") == 1;
    }));
    CHECK(fixture.engine().signal(handle, bystander.process_id, SIGKILL));
    CHECK(fixture.wait(handle, bystander.process_id) == 137);
}

TEST_CASE("destroying a container kills its peas: who waits hears 137, and nothing is left") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    auto beside = pea(fixture, {"sleep", "60"});
    beside.limits.emplace();
    const auto first = fixture.engine().run(handle, pea(fixture, {"sleep", "60"})).value();
    const auto second = fixture.engine().run(handle, std::move(beside)).value();
    CHECK(volumes(fixture).size() == 3);
    CHECK(fixture.findings().empty());
    std::atomic<int> first_code{-1};
    std::atomic<int> second_code{-1};
    fixture.engine().wait(handle, first.process_id, [&](auto code) { first_code = code.value(); });
    fixture.engine().wait(
            handle, second.process_id, [&](auto code) { second_code = code.value(); });
    fixture.engine().destroy(handle).value();
    CHECK(soon([&] { return first_code == 137 && second_code == 137; }));
    CHECK(volumes(fixture).empty());
    CHECK(fixture.findings().empty());
}

TEST_CASE("the id of a running pea is a handle for metrics, and for nothing else") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = create_limited(fixture, "sandbox");
    const bool override_limits = GENERATE(false, true);
    auto spec = pea(fixture, {"sh", "-c", "dd if=/dev/zero of=/dev/shm/a bs=1M count=8; sleep 60"});
    spec.id = "metered";
    if (override_limits) spec.limits.emplace();
    const auto process = fixture.engine().run(handle, std::move(spec)).value();
    CHECK(soon([&] {
        const auto metrics = fixture.engine().process_metrics("metered");
        return metrics && metrics->cgroup.memory.usage_toward_limit > (8 << 20);
    }));
    const auto metrics = fixture.engine().process_metrics("metered").value();
    CHECK(metrics.cgroup.cpu.usage > 0);
    CHECK(metrics.age > std::chrono::nanoseconds(0));
    CHECK_FALSE(fixture.engine().metrics(Handle("metered")));
    CHECK_FALSE(fixture.engine().info(Handle("metered")));
    fixture.restart();
    CHECK(fixture.engine().process_metrics("metered"));
    fixture.engine().signal(handle, "metered", SIGKILL).value();
    CHECK(fixture.wait(handle, "metered") == 137);
    CHECK(soon([&] { return volumes(fixture).size() == 1; }));
    const auto gone = fixture.engine().process_metrics("metered");
    REQUIRE_FALSE(gone);
    CHECK(gone.error().text == "unknown handle: metered");
    CHECK(fixture.findings().empty());
}

TEST_CASE("a pea whose program is missing leaves nothing") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    for (const std::string program : {"no-such-program", "/no/such/program"}) {
        auto spec = pea(fixture, {program});
        spec.id = "missing";
        if (program.front() == '/') spec.tty = WindowSize{};
        const auto started = fixture.engine().run(handle, std::move(spec));
        REQUIRE_FALSE(started);
        CHECK(started.error().kind == base::Errc::not_found);
        CHECK(started.error().text.find("unable to start container process: exec: ") !=
              std::string::npos);
        if (program.front() != '/')
            CHECK(started.error().text.find("executable file not found in $PATH") !=
                  std::string::npos);
    }
    CHECK(volumes(fixture).size() == 1);
    CHECK(fixture.engine().processes(handle).value().empty());
    CHECK(fixture.findings().empty());
}
