// What a group does, on whichever layout this machine has; the same file proves v1, hybrid and (in
// the VM) v2.
#include "base/sys/file.hpp"
#include "garden/cgroup/forest.hpp"
#include "tests/kernel/cgroup/support.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <atomic>

using test::Field;

namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;

bool ok(const base::Result<void>& result) {
    if (!result) UNSCOPED_INFO(result.error().text);
    return result.has_value();
}

}  // namespace

TEST_CASE("limits come back from the kernel as they were set", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    const garden::cgroup::Limits wanted{
            .memory_bytes = 64 * kMebibyte,
            .swap_limit = true,
            .cpu_shares = 280,
            .cpu_quota_us = 20000,
            .pids = 50,
            .blkio_weight = 0};
    REQUIRE(ok(group->limit(wanted)));
    auto real = group->limits();
    REQUIRE(real);
    CHECK(real->memory_bytes == 64 * kMebibyte);
    CHECK(real->swap_limit);
    CHECK(real->cpu_shares == (field.driver->layout() == garden::cgroup::Layout::v2 ? 37 : 280));
    CHECK(real->cpu_quota_us == 20000);
    CHECK(real->pids == 50);

    SECTION("and can be raised, lowered and taken away") {
        for (const std::uint64_t memory :
             {128 * kMebibyte, 32 * kMebibyte, std::uint64_t{0}, 16 * kMebibyte}) {
            auto next = wanted;
            next.memory_bytes = memory;
            next.pids = memory == 0 ? 0 : 7;
            next.cpu_quota_us = memory == 0 ? 0 : 30000;
            REQUIRE(ok(group->limit(next)));
            real = group->limits();
            REQUIRE(real);
            CHECK(real->memory_bytes == memory);
            CHECK(real->pids == next.pids);
            CHECK(real->cpu_quota_us == next.cpu_quota_us);
        }
    }
    SECTION("and an opened group knows them") {
        auto opened = field.driver->open("one");
        REQUIRE(opened);
        CHECK((*opened)->limits()->memory_bytes == 64 * kMebibyte);
    }
    REQUIRE(ok(group->remove()));
}

TEST_CASE("a limit that the kernel refuses names the field and the value", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    const auto refused = group->limit({.cpu_quota_us = 1});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("cpu_quota_us to 1") != std::string::npos);
}

TEST_CASE("every OOM kill is noticed exactly once", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    REQUIRE(ok(group->limit({.memory_bytes = 32 * kMebibyte})));
    std::atomic<int> notices = 0;
    REQUIRE(ok(field.driver->watch_oom(*group, [&notices] { ++notices; })));
    for (int kills = 1; kills <= 3; ++kills) {
        const int status = test::status_of(
                test::enter(*group, [] { return test::touch_memory(64 * kMebibyte); }));
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == SIGKILL);
        CHECK(test::soon([&] { return notices == kills; }));
        CHECK(*group->oom_kills() == static_cast<std::uint64_t>(kills));
    }
    // Longer than the watcher looks again: nothing is told twice.
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));
    CHECK(notices == 3);
    CHECK(WEXITSTATUS(test::status_of(
                  test::enter(*group, [] { return test::touch_memory(4 * kMebibyte); }))) == 0);
    REQUIRE(ok(group->remove()));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(notices == 3);
}

TEST_CASE("an OOM kill in one group is no notice of another", "[root]") {
    NEEDS(root);
    Field field;
    auto one = field.group("one");
    auto two = field.group("two");
    std::atomic<int> first = 0;
    std::atomic<int> second = 0;
    REQUIRE(ok(one->limit({.memory_bytes = 16 * kMebibyte})));
    REQUIRE(ok(two->limit({.memory_bytes = 16 * kMebibyte})));
    REQUIRE(ok(field.driver->watch_oom(*one, [&first] { ++first; })));
    REQUIRE(ok(field.driver->watch_oom(*two, [&second] { ++second; })));
    CHECK(WIFSIGNALED(
            test::status_of(test::enter(*two, [] { return test::touch_memory(64 * kMebibyte); }))));
    CHECK(test::soon([&] { return second == 1; }));
    CHECK(first == 0);
}

TEST_CASE("a notice may drop its own group's watch", "[root]") {
    NEEDS(root);
    Field field;
    std::atomic<bool> removed = false;
    auto group = field.group();
    REQUIRE(ok(group->limit({.memory_bytes = 16 * kMebibyte})));
    REQUIRE(ok(field.driver->watch_oom(*group, [&] { removed = group->remove().has_value(); })));
    CHECK(WIFSIGNALED(test::status_of(
            test::enter(*group, [] { return test::touch_memory(64 * kMebibyte); }))));
    CHECK(test::soon([&] { return removed.load(); }));
}

TEST_CASE("the pids limit stops a fork", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    REQUIRE(ok(group->limit({.pids = 5})));
    const int made = WEXITSTATUS(test::status_of(test::enter(*group, [] {
        int children = 0;
        for (; children < 20; ++children) {
            const pid_t pid = ::fork();
            if (pid < 0) break;
            if (pid == 0) {
                (void)::pause();
                ::_exit(0);
            }
        }
        return children;
    })));
    CHECK(made == 4);  // and the one that forks is the fifth
    CHECK(group->metrics()->pids.current == 4);
    CHECK(group->metrics()->pids.max == 5);
    REQUIRE(ok(group->kill()));
    REQUIRE(ok(group->remove()));
}

TEST_CASE("only allowed devices open", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    const std::vector<security::DeviceRule> rules = {
            {.type = 'c', .major = 1, .minor = 3, .read = true, .write = true, .make = true},
            {.type = 'c', .major = 1, .minor = 5, .read = true}};
    const auto opens = [](const char* path, int flags) {
        return base::sys::open_host(path, flags).has_value();
    };
    const auto tried = [&] {
        return test::status_of(test::enter(*group, [&] {
            return (opens("/dev/null", O_RDWR) ? 1 : 0) | (opens("/dev/zero", O_RDONLY) ? 2 : 0) |
                   (opens("/dev/zero", O_WRONLY) ? 4 : 0) | (opens("/dev/full", O_RDONLY) ? 8 : 0) |
                   (opens("/dev/urandom", O_RDONLY) ? 16 : 0);
        }));
    };
    CHECK(WEXITSTATUS(tried()) == 31);
    REQUIRE(ok(group->devices(rules)));
    CHECK(WEXITSTATUS(tried()) == 3);
}

TEST_CASE("making a device node needs its rule", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    REQUIRE(ok(group->devices(
            {{.type = 'c', .major = 1, .minor = 3, .read = true, .write = true, .make = true}})));
    const std::string path = "/tmp/" + field.name + ".node";
    const auto make = [&](unsigned minor) {
        return WEXITSTATUS(test::status_of(test::enter(*group, [&] {
            if (::mknod(path.c_str(), S_IFCHR | 0600, makedev(1, minor)) != 0)
                return errno == EPERM ? 1 : 2;
            (void)::unlink(path.c_str());
            return 0;
        })));
    };
    CHECK(make(3) == 0);
    CHECK(make(1) == 1);  // 1:1 is the host's memory
}

TEST_CASE("kill ends a tree of forks", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    const pid_t pid = test::enter(*group, [] {
        (void)::signal(SIGTERM, SIG_IGN);
        for (int i = 0; i < 3; ++i) (void)::fork();
        (void)::setsid();
        for (;;) (void)::pause();
        return 0;
    });
    REQUIRE(test::soon([&] { return group->processes()->size() == 8; }));
    REQUIRE(ok(group->kill()));
    CHECK(WIFSIGNALED(test::status_of(pid)));
    REQUIRE(ok(group->remove()));
    CHECK(group->processes()->empty());
    REQUIRE(ok(group->kill()));
}

TEST_CASE("removal waits for exiting processes, happens twice, and keeps others", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group("one");
    auto other = field.group("two");
    const pid_t pid = test::enter(*group, [] {
        (void)test::touch_memory(32 * kMebibyte);
        for (;;) (void)::pause();
        return 0;
    });
    REQUIRE(test::soon([&] { return group->processes()->size() == 1; }));
    REQUIRE(ok(group->kill()));
    REQUIRE(ok(group->remove()));
    REQUIRE(ok(group->remove()));
    (void)test::status_of(pid);
    CHECK(*field.driver->list() == std::vector<std::string>{"two"});
    CHECK(field.driver->open("one").error().kind == base::Errc::not_found);
    CHECK(field.driver->open("two").has_value());
    CHECK_FALSE(field.driver->remove_parent().has_value());
    REQUIRE(ok(other->remove()));
}

TEST_CASE("removal of a group that stays busy ends with an error", "[root][slow]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    const pid_t pid = test::enter(*group, [] {
        for (;;) (void)::pause();
        return 0;
    });
    REQUIRE(test::soon([&] { return group->processes()->size() == 1; }));
    const auto removed = group->remove();
    REQUIRE_FALSE(removed);
    CHECK(removed.error().kind == base::Errc::conflict);
    REQUIRE(ok(group->kill()));
    (void)test::status_of(pid);
    REQUIRE(ok(group->remove()));
}

TEST_CASE("figures move when a container works", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    const pid_t pid = test::enter(*group, [] {
        (void)test::touch_memory(20 * kMebibyte);
        volatile std::uint64_t sum = 0;
        for (;;) sum = sum + 1;
        return 0;
    });
    CHECK(test::soon([&] {
        const auto metrics = group->metrics();
        return metrics && metrics->cpu.usage > 20'000'000 && metrics->cpu.user > 0 &&
               metrics->pids.current == 1 && metrics->memory.usage_toward_limit >= 20 * kMebibyte;
    }));
    CHECK(group->metrics()->pids.max == 0);
    REQUIRE(ok(group->kill()));
    (void)test::status_of(pid);
    REQUIRE(ok(group->remove()));
    CHECK_FALSE(group->metrics().has_value());
}

TEST_CASE("a failed creation leaves nothing, a second one of the same name is refused", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    CHECK(field.driver->create("one").error().kind == base::Errc::already_exists);
    CHECK(field.driver->create("a/b").error().kind == base::Errc::invalid);
    CHECK(field.driver->create("..").error().kind == base::Errc::invalid);
    CHECK(field.driver->create("cgroup.procs").error().kind == base::Errc::already_exists);
    CHECK(*field.driver->list() == std::vector<std::string>{"one"});
    CHECK(field.driver->hierarchies().size() == group->entrances()->size());
}

TEST_CASE("members and removal reach groups inside a group", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    const auto forest = garden::cgroup::plant(field.name);
    REQUIRE(forest);
    const auto& parent = (*forest)->membership().parent;
    REQUIRE(ok(base::sys::make_directory_at(parent, "one/inner", 0755)));
    REQUIRE(ok(base::sys::make_directory_at(parent, "one/inner/most", 0755)));
    const pid_t pid = test::enter(*group, [&] {
        if (!base::sys::write_kernel_file_at(parent, "one/inner/most/cgroup.procs", "0")) return 98;
        for (;;) (void)::pause();
        return 0;
    });
    CHECK(test::soon([&] {
        return !base::sys::read_file_at(parent, "one/inner/most/cgroup.procs")->empty();
    }));
    CHECK(*group->processes() == std::vector<std::int32_t>{pid});
    REQUIRE(ok(group->kill()));
    (void)test::status_of(pid);
    REQUIRE(ok(group->remove()));
    CHECK(field.driver->list()->empty());
}

TEST_CASE("killing without cgroup.kill ends a tree of forks", "[root]") {
    NEEDS(root);
    Field field;
    auto group = field.group();
    const auto forest = garden::cgroup::plant(field.name);
    REQUIRE(forest);
    const pid_t pid = test::enter(*group, [] {
        (void)::signal(SIGTERM, SIG_IGN);
        for (int i = 0; i < 4; ++i) (void)::fork();
        for (;;) (void)::pause();
        return 0;
    });
    REQUIRE(test::soon([&] { return group->processes()->size() == 16; }));
    REQUIRE(ok(garden::cgroup::kill_one_by_one(**forest, "one")));
    CHECK(group->processes()->empty());
    CHECK(WTERMSIG(test::status_of(pid)) == SIGKILL);
    REQUIRE(ok(garden::cgroup::kill_one_by_one(**forest, "never-made")));
    REQUIRE(ok(group->remove()));
}
