#include "garden/launch/codec.hpp"

#include "base/sys/file.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/launch/protocol.hpp"

#include <fcntl.h>

#include <random>

#include <catch2/catch.hpp>

using namespace garden::launch;

namespace {

Confinement some_confinement() {
    return {.capabilities =
                    {.bounding = 1, .permitted = 2, .effective = 3, .inheritable = 4, .ambient = 5},
            .no_new_privileges = true,
            .seccomp = std::string(16, '\1'),
            .seccomp_log = true,
            .rlimits = {{.resource = 7, .soft = 8, .hard = 9}},
            .oom_score_adj = -5};
}

ContainerPlan some_container() {
    ContainerPlan plan;
    plan.handle = "web-1";
    plan.hostname = "web-1";
    plan.cgroups = {0, 1};
    plan.root = 2;
    plan.root_attributes = 1;
    plan.mounts = {
            {.kind = MountKind::tmpfs,
             .target = "/dev",
             .fd = kNoFd,
             .attributes = 2,
             .options = {"mode=755"}},
            {.kind = MountKind::attach, .target = "/etc/hosts", .fd = 3, .target_is_file = true}};
    plan.devices = {{.path = "null", .major = 1, .minor = 3, .mode = 0666, .fd = 4}};
    plan.links = {{.path = "/dev/fd", .target = "/proc/self/fd"}};
    plan.masked = {"/proc/kcore"};
    plan.read_only = {"/proc/sys"};
    plan.sysctls = {{.name = "net/ipv4/ip_forward", .value = "0", .required = false}};
    plan.ceilings = {{.name = "user/max_user_namespaces", .value = "0"}};
    plan.init = some_confinement();
    plan.keyring = false;
    return plan;
}

ProcessPlan some_process() {
    ProcessPlan plan;
    plan.id = "p";
    plan.argv = {"ls", "-l"};
    plan.candidates = {"/bin/ls"};
    plan.env = {"A=1"};
    plan.cwd = "/tmp";
    plan.create_cwd = false;
    plan.uid = 1;
    plan.gid = 2;
    plan.groups = {3};
    plan.confinement = some_confinement();
    plan.umask = 077;
    plan.stdio = Stdio::terminal;
    plan.exec = 0;
    plan.cgroups = {1};
    plan.columns = 1;
    plan.rows = 2;
    plan.internal = true;
    return plan;
}

}  // namespace

TEST_CASE("a plan that was encoded decodes to the same") {
    const auto container = decode_container_plan(encode(some_container()), 5);
    REQUIRE(container);
    CHECK(encode(*container) == encode(some_container()));
    CHECK(container->mounts[1].target == "/etc/hosts");
    const auto process = decode_process_plan(encode(some_process()), 2);
    REQUIRE(process);
    CHECK(encode(*process) == encode(some_process()));
    NamespacePlan namespaces{
            .uids = {{.inside = 0, .outside = 1, .count = 2}},
            .gids = {{.inside = 3, .outside = 4, .count = 5}},
            .owner_uid = 6};
    CHECK(encode(*decode_namespace_plan(encode(namespaces))) == encode(namespaces));
}

TEST_CASE("a plan that ends early or goes on is refused") {
    const auto bytes = encode(some_container());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        INFO(size);
        CHECK_FALSE(decode_container_plan(std::string_view(bytes).substr(0, size), 5));
    }
    CHECK_FALSE(decode_container_plan(bytes + "x", 5));
    CHECK_FALSE(decode_process_plan(bytes, 5));
}

TEST_CASE("a plan that names a descriptor which did not come is refused") {
    const auto refused = decode_container_plan(encode(some_container()), 4);
    REQUIRE_FALSE(refused);
    CHECK(const_cast<base::Result<ContainerPlan>&>(refused).error().text ==
          "devices.fd: is a descriptor that was not sent");
    auto plan = some_container();
    plan.root = kNoFd;
    CHECK_FALSE(decode_container_plan(encode(plan), 5));
    auto process = some_process();
    process.exec = -2;
    CHECK_FALSE(decode_process_plan(encode(process), 5));
}

TEST_CASE("what the kernel would misread is refused") {
    auto nul = some_process();
    nul.env = {std::string("A=\0B", 4)};
    CHECK_FALSE(decode_process_plan(encode(nul), 2));
    auto control = some_process();
    control.id = "a\nb";
    CHECK_FALSE(decode_process_plan(encode(control), 2));
    auto lengthy = some_process();
    lengthy.id = std::string(kMaxProcessId + 1, 'x');
    CHECK_FALSE(decode_process_plan(encode(lengthy), 2));
    auto empty = some_process();
    empty.argv.clear();
    CHECK_FALSE(decode_process_plan(encode(empty), 2));
    auto filter = some_process();
    filter.confinement.seccomp = "1234567";
    CHECK_FALSE(decode_process_plan(encode(filter), 2));
    auto unknown = some_process();
    unknown.stdio = static_cast<Stdio>(9);
    CHECK_FALSE(decode_process_plan(encode(unknown), 2));
}

TEST_CASE("no damaged byte makes decoding do anything but fail or succeed") {
    std::mt19937 random(Catch::rngSeed());
    const auto bytes = encode(some_container());
    for (int i = 0; i < 20'000; ++i) {
        auto damaged = bytes;
        for (int n = 0; n < 3; ++n)
            damaged[random() % damaged.size()] = static_cast<char>(random());
        (void)decode_container_plan(damaged, 5);
        (void)decode_process_plan(damaged, 5);
        (void)from_bytes<Outcome>(damaged, "x");
    }
}

TEST_CASE("a message carries more descriptors and bytes than one datagram holds") {
    auto pair = base::sys::seqpacket_pair();
    REQUIRE(pair);
    const auto null = base::sys::open_host("/dev/null", O_RDONLY);
    REQUIRE(null);
    const std::string body(1 << 20, 'b');
    const std::vector<base::FdRef> fds(150, base::FdRef(*null));
    REQUIRE(send_frame(pair->first, MessageKind::run, 7, body, fds));
    const auto frame = receive_frame(pair->second, true);
    REQUIRE(frame);
    CHECK(frame->kind == MessageKind::run);
    CHECK(frame->id == 7);
    CHECK(frame->body == body);
    CHECK(frame->fds.size() == 150);
    CHECK_FALSE(receive_frame(pair->second, false));
    CHECK_FALSE(send_frame(pair->first, MessageKind::run, 8, std::string(kMaxPlanBytes + 1, 'x')));
}
