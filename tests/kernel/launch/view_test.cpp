// The file system view: mounts, masks, planted links, devices, errors of create.
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "tests/kernel/launch/fixture.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <linux/mount.h>

using test::Box;

TEST_CASE("masked and read-only paths are so, and the old root is gone") {
    NEEDS(root, userns);
    const bool user_namespace = GENERATE(true, false);
    Box box(user_namespace);
    box.must_create();
    CHECK(box.sh("cat /proc/interrupts /proc/timer_list | wc -c").out == "0\n");
    CHECK(box.sh("ls -A /sys/firmware | wc -l").out == "0\n");
    const auto write = box.sh("echo 1 > /proc/sys/kernel/panic");
    CHECK(write.err.find("Read-only file system") != std::string::npos);
    CHECK(box.sh("ls /").out == "bin\ndev\netc\nhome\nproc\nroot\nsys\ntmp\n");
    const auto mounts = box.sh("cat /proc/mounts").out;
    CHECK(mounts.find("/mnt/") == std::string::npos);
    CHECK(mounts.find("tmpfs /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime") != std::string::npos);
    CHECK(mounts.find("sysfs /sys sysfs ro") != std::string::npos);
    CHECK(mounts.find("proc /proc proc rw") != std::string::npos);
    CHECK(box.sh("umount /proc/interrupts 2>/dev/null || cat /proc/interrupts | wc -c").out ==
          "0\n");
}

TEST_CASE("devices work and links are made") {
    NEEDS(root, userns);
    const bool user_namespace = GENERATE(true, false);
    Box box(user_namespace);
    box.must_create();
    CHECK(box.sh("echo x > /dev/null && head -c 4 /dev/zero | wc -c && readlink /dev/ptmx").out ==
          "4\npts/ptmx\n");
    CHECK(box.sh("stat -c '%t:%T %a' /dev/null /dev/urandom").out == "1:3 666\n1:9 666\n");
    CHECK(box.sh("echo again > /dev/stdout").out == "again\n");
}

TEST_CASE("bind mounts are attached, missing targets made, read-only kept") {
    NEEDS(root, userns);
    Box box;
    REQUIRE(base::sys::ensure_directory(box.directory + "/shared/sub", 0777));
    {
        const auto file =
                base::sys::open_host(box.directory + "/shared/file", O_WRONLY | O_CREAT, 0644);
        REQUIRE(file);
        REQUIRE(base::sys::write_all(*file, "text\n"));
    }
    REQUIRE(box.prepare());
    auto plan = box.plan();
    const auto add = [&](const std::string& source, const std::string& target, bool file,
                         std::uint64_t attributes) {
        auto tree = base::sys::clone_tree(base::FdRef(AT_FDCWD), source, false);
        REQUIRE(tree);
        box.fds.push_back(std::move(*tree));
        plan.mounts.push_back(
                {.kind = garden::launch::MountKind::attach,
                 .target = target,
                 .fd = static_cast<garden::launch::FdIndex>(box.fds.size() - 1),
                 .attributes = attributes,
                 .target_is_file = file});
    };
    add(box.directory + "/shared", "/made/for/it", false, MOUNT_ATTR_RDONLY);
    add(box.directory + "/shared/file", "/etc/hosts", true, 0);
    REQUIRE(box.create(std::move(plan)));
    CHECK(box.sh("cat /made/for/it/file /etc/hosts").out == "text\ntext\n");
    CHECK(box.sh("touch /made/for/it/x").err.find("Read-only") != std::string::npos);
}

TEST_CASE("a link of the image at a mount target leads nowhere outside") {
    NEEDS(root, userns);
    Box box;
    const std::string outside = box.directory + "/outside";
    REQUIRE(base::sys::ensure_directory(outside, 0755));
    SECTION("links to a bind target stay inside the root") {
        REQUIRE(::symlink((outside + "/made").c_str(), (box.root + "/data").c_str()) == 0);
        REQUIRE(box.prepare());
        auto plan = box.plan();
        auto tree = base::sys::clone_tree(base::FdRef(AT_FDCWD), outside, false);
        REQUIRE(tree);
        box.fds.push_back(std::move(*tree));
        plan.mounts.push_back(
                {.kind = garden::launch::MountKind::attach,
                 .target = "/data",
                 .fd = static_cast<garden::launch::FdIndex>(box.fds.size() - 1)});
        REQUIRE(box.create(std::move(plan)));
        CHECK_FALSE(*base::sys::exists_at(base::FdRef(AT_FDCWD), outside + "/made"));
        CHECK(*base::sys::exists_at(base::FdRef(AT_FDCWD), box.root + outside + "/made"));
    }
    SECTION("proc, sys and dev refuse a link") {
        const std::string name = GENERATE("proc", "sys", "dev");
        REQUIRE(::symlink(outside.c_str(), (box.root + "/" + name).c_str()) == 0);
        REQUIRE(box.prepare());
        auto made = box.create(box.plan());
        REQUIRE_FALSE(made);
        INFO(made.error().text);
        CHECK(made.error().text.find("/" + name) != std::string::npos);
        CHECK(made.error().sys == ELOOP);
    }
}

TEST_CASE("nothing is mounted below proc") {
    NEEDS(root, userns);
    Box box;
    REQUIRE(box.prepare());
    auto plan = box.plan();
    auto tree = base::sys::clone_tree(base::FdRef(AT_FDCWD), box.directory, false);
    REQUIRE(tree);
    box.fds.push_back(std::move(*tree));
    plan.mounts.push_back(
            {.kind = garden::launch::MountKind::attach,
             .target = "/proc/sys",
             .fd = static_cast<garden::launch::FdIndex>(box.fds.size() - 1)});
    auto made = box.create(std::move(plan));
    REQUIRE_FALSE(made);
    CHECK(made.error().kind == base::Errc::denied);
    // FS-13, and a failed create leaves a shim that can be destroyed.
    CHECK(box.shim->destroy(std::chrono::seconds(5)));
}

TEST_CASE("an error of create names the step and the option") {
    NEEDS(root, userns);
    Box box;
    REQUIRE(box.prepare());
    auto plan = box.plan();
    plan.mounts[1].options.push_back("nonsense=1");
    auto made = box.create(std::move(plan));
    REQUIRE_FALSE(made);
    CHECK(made.error().text.find("/dev (tmpfs) option nonsense=1") != std::string::npos);
    CHECK(made.error().sys == EINVAL);
}

TEST_CASE("each process has a session keyring of its own") {
    NEEDS(root, userns);
    Box box;
    REQUIRE(box.prepare());
    auto plan = box.plan();
    plan.masked.clear();  // /proc/keys shows what the reader possesses
    REQUIRE(box.create(std::move(plan)));
    // garden-init's can be seen by its owner too; a process that has ended has taken its own along.
    const auto first = box.sh("grep _ses /proc/keys").out;
    const auto second = box.sh("grep _ses /proc/keys").out;
    CHECK(first.find("_ses") != std::string::npos);
    CHECK(first != second);
}
