#include "tests/kernel/launch/fixture.hpp"

#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/mount.h>

#include <array>
#include <atomic>
#include <thread>

namespace test {

namespace sys = base::sys;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kBase = 0x30000000;
constexpr std::uint32_t kLength = 65536;
constexpr std::uint64_t kUnprivileged = 0xa80425fb;

launch::Mount kernel_mount(
        launch::MountKind kind,
        std::string target,
        std::uint64_t attributes,
        std::vector<std::string> options = {}) {
    return {.kind = kind,
            .target = std::move(target),
            .fd = launch::kNoFd,
            .attributes = attributes,
            .options = std::move(options)};
}

launch::Confinement confinement(std::uint32_t uid) {
    return {.capabilities = {
                    .bounding = kUnprivileged,
                    .permitted = uid == 0 ? kUnprivileged : 0,
                    .effective = uid == 0 ? kUnprivileged : 0}};
}

}  // namespace

launch::ShimPrograms programs() {
    const std::string bin = std::string(CLOCHE_BINARY_DIR) + "/bin/";
    return {.shim = bin + "garden-shim", .init = bin + "garden-init", .copy = bin + "garden-copy"};
}

std::string read_end(base::FdRef fd) {
    auto text = sys::read_all(fd, 256U << 20);
    return text ? *text : "unreadable: " + text.error().text;
}

launch::Events Heard::events() {
    return {.exited =
                    [this](const std::string& id, std::int32_t code) {
                        const std::lock_guard lock(mutex_);
                        exits_[id].push_back(code);
                        changed_.notify_all();
                    },
            .container_died =
                    [this] {
                        const std::lock_guard lock(mutex_);
                        died_ = true;
                        changed_.notify_all();
                    },
            .shim_lost =
                    [this] {
                        const std::lock_guard lock(mutex_);
                        lost_ = true;
                        changed_.notify_all();
                    }};
}

int Heard::exit_of(const std::string& id, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return exits_.contains(id); });
    return exits_.contains(id) ? exits_[id].front() : -1;
}

bool Heard::died(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return died_; });
}

bool Heard::lost(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return lost_; });
}

int Heard::count(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(exits_[id].size());
}

void Heard::clear(const std::string& id) {
    const std::lock_guard lock(mutex_);
    exits_.erase(id);
}

Box::Box(bool with_user_namespace) : user_namespace(with_user_namespace) {
    static std::atomic<int> number{0};
    directory = "/tmp/cloche-launch-" + std::to_string(::getpid()) + "-" + std::to_string(number++);
    root = directory + "/root";
    REQUIRE(sys::ensure_directory(root + "/bin", 0755));
    REQUIRE(sys::ensure_directory(directory + "/bundle", 0700));
    REQUIRE(::chmod(directory.c_str(), 0755) == 0);
    for (const char* name : {"etc", "home", "tmp", "root"})
        REQUIRE(sys::ensure_directory(root + "/" + name, 0755));
    REQUIRE(::chmod((root + "/tmp").c_str(), 01777) == 0);
    const auto busybox = sys::read_host_file("/bin/busybox", 16U << 20);
    REQUIRE(busybox);
    {
        const auto file = sys::open_host(root + "/bin/busybox", O_WRONLY | O_CREAT, 0755);
        REQUIRE(file);
        REQUIRE(sys::write_all(*file, *busybox));
    }
    for (const char* name :
         {"sh",       "cat",   "ls",   "id",  "sleep",   "true",  "echo",     "stty", "mount",
          "readlink", "grep",  "head", "dd",  "pwd",     "touch", "hostname", "ps",   "kill",
          "stat",     "mkdir", "wc",   "seq", "unshare", "yes",   "env"}) {
        REQUIRE(::symlink("busybox", (root + "/bin/" + name).c_str()) == 0);
    }
    auto opened = sys::open_host(directory + "/bundle", O_RDONLY | O_DIRECTORY);
    REQUIRE(opened);
    bundle = std::move(*opened);
    auto started = launch::ShimHub::start(programs());
    REQUIRE(started);
    hub = std::move(*started);
}

Box::~Box() {
    if (shim) (void)shim->destroy(10s);
    shim.reset();
    hub.reset();
    const auto parent = sys::open_host("/tmp", O_RDONLY | O_DIRECTORY);
    if (parent) (void)sys::remove_tree_at(*parent, directory.substr(5));
}

base::Result<void> Box::prepare() {
    shim = TRY(hub->spawn());
    hub->listen(shim, heard->events());
    launch::NamespacePlan plan;
    plan.user = user_namespace;
    if (user_namespace) {
        plan.uids = {{.inside = 0, .outside = kBase, .count = kLength}};
        plan.gids = plan.uids;
        plan.owner_uid = plan.owner_gid = kBase;
    }
    prepared = TRY(shim->prepare(plan));
    return base::ok;
}

launch::ContainerPlan Box::plan() {
    using launch::MountKind;
    fds.clear();
    auto tree = sys::clone_tree(base::FdRef(AT_FDCWD), root, false);
    REQUIRE(tree);
    REQUIRE(sys::set_mount_private(*tree));  // as the engine does
    if (user_namespace) REQUIRE(sys::idmap_mount(*tree, prepared.user_namespace, false));
    fds.push_back(std::move(*tree));
    constexpr std::uint64_t kHard = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    launch::ContainerPlan plan;
    plan.handle = "box";
    plan.hostname = "box-host";
    plan.root = 0;
    plan.mounts = {
            kernel_mount(MountKind::proc, "/proc", kHard),
            kernel_mount(
                    MountKind::tmpfs, "/dev",
                    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_STRICTATIME,
                    {"mode=755", "size=64m"}),
            kernel_mount(
                    MountKind::devpts, "/dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                    {"newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
            kernel_mount(MountKind::tmpfs, "/dev/shm", kHard, {"mode=1777", "size=64m"}),
            kernel_mount(MountKind::mqueue, "/dev/mqueue", kHard),
            kernel_mount(MountKind::sysfs, "/sys", kHard | MOUNT_ATTR_RDONLY)};
    for (const auto& [name, minor] :
         {std::pair{"null", 3U}, {"zero", 5U}, {"full", 7U}, {"random", 8U}, {"urandom", 9U}}) {
        auto node = sys::open_host(std::string("/dev/") + name, O_PATH);
        REQUIRE(node);
        node = sys::clone_tree(*node, "", false);
        REQUIRE(node);
        fds.push_back(std::move(*node));
        plan.devices.push_back(
                {.path = name,
                 .major = 1,
                 .minor = minor,
                 .mode = 0666,
                 .fd = user_namespace ? static_cast<launch::FdIndex>(fds.size() - 1)
                                      : launch::kNoFd});
    }
    plan.links = {
            {.path = "/dev/ptmx", .target = "pts/ptmx"},
            {.path = "/dev/fd", .target = "/proc/self/fd"},
            {.path = "/dev/stdout", .target = "/proc/self/fd/1"}};
    plan.masked = {"/proc/kcore",   "/proc/keys", "/proc/timer_list", "/proc/interrupts",
                   "/sys/firmware", "/proc/acpi", "/proc/no/such"};
    plan.read_only = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    if (user_namespace)
        plan.ceilings = {{.name = "user/max_user_namespaces", .value = "0", .required = true}};
    plan.init = confinement(0);
    return plan;
}

base::Result<void> Box::create(launch::ContainerPlan plan) {
    const std::vector<base::FdRef> refs(fds.begin(), fds.end());
    auto done = shim->create(plan, refs, bundle);
    fds.clear();
    return done;
}

void Box::must_create() {
    const auto ready = prepare();
    if (!ready) FAIL(const_cast<base::Result<void>&>(ready).error().text);
    auto made = create(plan());
    if (!made) FAIL(made.error().text);
}

launch::ProcessPlan Box::process(const std::string& id, std::vector<std::string> argv) {
    launch::ProcessPlan plan;
    plan.id = id;
    plan.candidates =
            argv.front().find('/') == std::string::npos
                    ? std::vector<std::string>{"/sbin/" + argv.front(), "/bin/" + argv.front()}
                    : std::vector<std::string>{argv.front()};
    plan.argv = std::move(argv);
    plan.env = {"PATH=/bin"};
    plan.confinement = confinement(0);
    return plan;
}

Output collect(launch::Shim& shim, std::uint64_t attachment) {
    auto out = sys::make_pipe();
    auto err = sys::make_pipe();
    REQUIRE(out);
    REQUIRE(err);
    REQUIRE(shim.connect_output(attachment, launch::OutputStream::out, out->write));
    REQUIRE(shim.connect_output(attachment, launch::OutputStream::err, err->write));
    out->write.reset();
    err->write.reset();
    Output output;
    std::thread reader([&] { output.err = read_end(err->read); });
    output.out = read_end(out->read);
    reader.join();
    return output;
}

Output Box::run(launch::ProcessPlan plan, const std::string& input) {
    auto started = shim->run(plan, {});
    if (!started) return {.error = started.error()};
    if (!input.empty()) REQUIRE(sys::write_all(started->input, input));
    started->input.reset();
    REQUIRE(shim->close_input(started->attachment));
    auto output = collect(*shim, started->attachment);
    output.started = true;
    output.code = heard->exit_of(plan.id);
    REQUIRE(shim->forget(plan.id));
    heard->clear(plan.id);
    return output;
}

Output Box::sh(const std::string& script) {
    return run(process("sh-" + std::to_string(next_++), {"/bin/sh", "-c", script}));
}

void Box::restart_gardend() {
    hub.reset();
    shim.reset();
    heard = std::make_shared<Heard>();
    auto started = launch::ShimHub::start(programs());
    REQUIRE(started);
    hub = std::move(*started);
    auto joined = hub->rejoin(bundle);
    if (!joined) FAIL(joined.error().text);
    shim = std::move(*joined);
    hub->listen(shim, heard->events());
}

}  // namespace test
