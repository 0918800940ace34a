#include "rootfs/volumes.hpp"

#include "base/clock.hpp"
#include "base/sys/file.hpp"
#include "base/sys/xattr.hpp"
#include "tests/kernel/rootfs/volumes_world.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>

using base::Errc;
using rootfs::Image;
using rootfs::VolumeRequest;
using rootfs::Volumes;
using test::run_inside;
using test::Scratch;
using test::UserNamespace;

namespace {

struct World {
    World() : images(scratch / "layers") {
        REQUIRE(::mkdir((scratch / "layers").c_str(), 0755) == 0);
        REQUIRE(::mkdir((scratch / "layers/low").c_str(), 0755) == 0);
        REQUIRE(::mkdir((scratch / "layers/top").c_str(), 0755) == 0);
        test::write_file(scratch / "layers/low/file", "low");
        test::write_file(scratch / "layers/low/shared", "low");
        REQUIRE(::mkdir((scratch / "layers/low/home").c_str(), 0755) == 0);
        test::write_file(scratch / "layers/low/home/mine", "mine", 0600);
        REQUIRE(::chown((scratch / "layers/low/home/mine").c_str(), 1000, 1000) == 0);
        test::write_file(scratch / "layers/top/shared", "top");
        image.layers = {"low", "top"};
        image.size = 10'000;
        auto opened = Volumes::open(
                {.directory = scratch / "volumes", .driver = rootfs::QuotaDriver::none}, images);
        REQUIRE(opened);
        volumes = std::move(*opened);
    }

    VolumeRequest request(
            const std::string& name, const UserNamespace* user_namespace = nullptr) const {
        VolumeRequest request;
        request.name = name;
        request.image = &image;
        if (user_namespace != nullptr) {
            request.user_namespace = user_namespace->fd();
            request.owner_uid = user_namespace->base();
            request.owner_gid = user_namespace->base();
        }
        return request;
    }

    void wait_deleted(const std::string& name) const {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (volumes->deleting(name) && std::chrono::steady_clock::now() < end)
            base::pause_for(std::chrono::milliseconds(1));
        REQUIRE_FALSE(volumes->deleting(name));
    }

    Scratch scratch;
    test::PlainImages images;
    Image image;
    std::unique_ptr<Volumes> volumes;
};

struct ::stat stat_of(base::FdRef root, const char* path) {
    struct ::stat out = {};
    REQUIRE(::fstatat(root.get(), path, &out, AT_SYMLINK_NOFOLLOW) == 0);
    return out;
}

// What the kernel leaves in the work directory of an overlay that is mounted `volatile`.
std::string volatile_mark(World& world, const std::string& volume) {
    std::string path = world.scratch / ("volumes/volumes/" + volume);
    // Overlay keeps a directory of the same name in the one it is given.
    for (const char* name : {"work", "work", "incompat", "volatile"}) path.append("/").append(name);
    return path;
}

}  // namespace

TEST_CASE("a privileged volume shows the layers in order and keeps them unchanged", "[root]") {
    NEEDS(root);
    World world;
    auto root = world.volumes->create(world.request("plain"));
    if (!root) FAIL(root.error().text);
    CHECK(*base::sys::read_file_at(*root, "shared") == "top");
    CHECK(*base::sys::read_file_at(*root, "file") == "low");
    CHECK(run_inside(*root, nullptr, [] {
              const int fd = ::open("/file", O_WRONLY | O_TRUNC);
              if (::write(fd, "changed", 7) != 7) return 1;
              return ::unlink("/shared") == 0 ? 0 : 2;
          }) == 0);
    CHECK(*base::sys::read_file_at(*root, "file") == "changed");
    CHECK(test::read_file(world.scratch / "layers/low/file") == "low");
    CHECK(test::read_file(world.scratch / "layers/top/shared") == "top");
    struct ::statvfs flags = {};
    REQUIRE(::fstatvfs(root->get(), &flags) == 0);
    CHECK((flags.f_flag & ST_NODEV) != 0);
    CHECK((flags.f_flag & ST_NOSUID) == 0);
}

TEST_CASE("two volumes of one image share its files but no host id", "[root]") {
    NEEDS(root, userns);
    World world;
    UserNamespace first(0x10000000);
    UserNamespace second(0x10010000);
    auto a = world.volumes->create(world.request("a", &first));
    auto b = world.volumes->create(world.request("b", &second));
    REQUIRE(a);
    REQUIRE(b);
    const auto in_a = stat_of(*a, "home/mine");
    const auto in_b = stat_of(*b, "home/mine");
    CHECK(in_a.st_ino == in_b.st_ino);  // one inode of one layer: stored and cached once
    CHECK(in_a.st_uid == first.base() + 1000);
    CHECK(in_b.st_uid == second.base() + 1000);
    CHECK(stat_of(*a, ".").st_uid == first.base());
    CHECK(stat_of(*b, "file").st_gid == second.base());
    for (auto* volume : {&a, &b}) {
        const UserNamespace& ids = volume == &a ? first : second;
        CHECK(run_inside(**volume, &ids, [] {
                  struct ::stat status = {};
                  if (::stat("/home/mine", &status) != 0 || status.st_uid != 1000) return 1;
                  if (::chown("/home/mine", 7, 8) != 0) return 2;  // copies up
                  const int fd = ::open("/new", O_WRONLY | O_CREAT | O_EXCL, 0644);
                  if (fd < 0 || ::fchown(fd, 65'535, 65'535) != 0) return 3;
                  return ::rename("/file", "/renamed") == 0 ? 0 : 4;
              }) == 0);
        CHECK(stat_of(**volume, "home/mine").st_uid == ids.base() + 7);
        CHECK(stat_of(**volume, "new").st_uid == ids.base() + 65'535);
    }
    CHECK(test::read_file(world.scratch / "layers/low/file") == "low");
}

TEST_CASE("a file capability of a layer counts inside the user namespace", "[root]") {
    NEEDS(root, userns);
    World world;
    const std::string program = world.scratch / "layers/low/program";
    test::write_file(program, "#!x", 0755);
    // VFS_CAP_REVISION_2, effective, CAP_NET_RAW permitted: as an image ships it.
    const std::string capability(
            "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
    auto file = base::sys::open_host(program, O_RDWR);
    REQUIRE(base::sys::set_xattr(*file, "security.capability", capability));
    UserNamespace ids(0x10020000);
    auto root = world.volumes->create(world.request("caps", &ids));
    REQUIRE(root);
    CHECK(run_inside(*root, &ids, [&] {
              char value[64];
              const ssize_t n = ::getxattr("/program", "security.capability", value, sizeof value);
              // Seen from inside it is the plain revision: the root it counts for is this
              // namespace's own.
              return n == 20 && std::string(value, 20) == capability ? 0 : 1;
          }) == 0);
}

TEST_CASE("whiteouts and opaque directories hide what is below", "[root]") {
    NEEDS(root, userns);
    World world;
    REQUIRE(::mknod((world.scratch / "layers/top/file").c_str(), S_IFCHR, 0) == 0);
    REQUIRE(::mkdir((world.scratch / "layers/top/home").c_str(), 0755) == 0);
    auto directory = base::sys::open_host(world.scratch / "layers/top/home", O_RDONLY);
    REQUIRE(base::sys::set_xattr(*directory, "trusted.overlay.opaque", "y"));
    UserNamespace ids(0x10030000);
    auto root = world.volumes->create(world.request("white", &ids));
    REQUIRE(root);
    CHECK_FALSE(*base::sys::exists_at(*root, "file"));
    CHECK(*base::sys::exists_at(*root, "home"));
    CHECK_FALSE(*base::sys::exists_at(*root, "home/mine"));
}

TEST_CASE("nosuid and survives_power_cut reach the mount", "[root]") {
    NEEDS(root);
    World world;
    auto request = world.request("flags");
    request.nosuid = true;
    request.survives_power_cut = true;
    auto root = world.volumes->create(request);
    REQUIRE(root);
    struct ::statvfs flags = {};
    REQUIRE(::fstatvfs(root->get(), &flags) == 0);
    CHECK((flags.f_flag & ST_NOSUID) != 0);
    CHECK(::access(volatile_mark(world, "flags").c_str(), F_OK) != 0);
    auto other = world.volumes->create(world.request("volatile"));
    REQUIRE(other);
    CHECK(::access(volatile_mark(world, "volatile").c_str(), F_OK) == 0);
}

TEST_CASE("an image of 127 layers mounts", "[root]") {
    NEEDS(root, userns);
    World world;
    world.image.layers.clear();
    for (int i = 0; i < 127; ++i) {
        const std::string name = "sha256+" + std::string(60, 'a') + std::to_string(1000 + i);
        REQUIRE(::mkdir((world.scratch / ("layers/" + name)).c_str(), 0755) == 0);
        test::write_file(world.scratch / ("layers/" + name + "/last"), std::to_string(i));
        world.image.layers.push_back(name);
    }
    UserNamespace ids(0x10040000);
    auto root = world.volumes->create(world.request("many", &ids));
    if (!root) FAIL(root.error().text);
    CHECK(*base::sys::read_file_at(*root, "last") == "126");
    world.image.layers.push_back(
            world.image.layers.front());  // twice the same: as the empty layer often is
    auto twice = world.volumes->create(world.request("twice", &ids));
    if (!twice) FAIL(twice.error().text);
    CHECK(*base::sys::read_file_at(*twice, "last") == "0");
    for (int i = 0; i < 3; ++i) world.image.layers.push_back("x" + std::to_string(i));
    CHECK(world.volumes->create(world.request("toomany", &ids)).error().kind == Errc::invalid);
}

TEST_CASE("an image without layers is an empty root", "[root]") {
    NEEDS(root, userns);
    World world;
    world.image.layers.clear();
    UserNamespace ids(0x10050000);
    auto root = world.volumes->create(world.request("scratch", &ids));
    REQUIRE(root);
    CHECK(base::sys::list_directory(*root)->empty());
    CHECK(run_inside(*root, &ids, [] { return ::mkdir("/bin", 0755); }) == 0);
}

TEST_CASE("a raw image is the directory itself with mapped ids", "[root]") {
    NEEDS(root, userns);
    World world;
    world.image.raw_directory = world.scratch / "layers/low";
    UserNamespace ids(0x10060000);
    auto root = world.volumes->create(world.request("raw", &ids));
    REQUIRE(root);
    CHECK(run_inside(*root, &ids, [] {
              const int fd = ::open("/written", O_WRONLY | O_CREAT, 0644);
              return fd >= 0 && ::write(fd, "x", 1) == 1 ? 0 : 1;
          }) == 0);
    struct ::stat status = {};
    REQUIRE(::stat((world.scratch / "layers/low/written").c_str(), &status) == 0);
    CHECK(status.st_uid == 0);
    REQUIRE(world.volumes->destroy("raw"));
    world.wait_deleted("raw");
    CHECK(test::read_file(world.scratch / "layers/low/written") == "x");
}

TEST_CASE("usage counts the writable layer once per inode and adds the image", "[root]") {
    NEEDS(root);
    World world;
    auto root = world.volumes->create(world.request("usage"));
    REQUIRE(root);
    const auto before = world.volumes->usage("usage");
    REQUIRE(before);
    CHECK(before->total_bytes == before->exclusive_bytes + 10'000);
    const std::string block(1 << 20, 'x');
    auto file = base::sys::open_at(*root, "big", O_WRONLY | O_CREAT, 0644);
    for (int i = 0; i < 3; ++i) REQUIRE(base::sys::write_all(*file, block));
    REQUIRE(::fsync(file->get()) == 0);
    REQUIRE(::linkat(root->get(), "big", root->get(), "link", 0) == 0);
    const auto after = world.volumes->usage("usage");
    REQUIRE(after);
    CHECK(after->exclusive_bytes - before->exclusive_bytes >= 3u << 20);
    CHECK(after->exclusive_bytes - before->exclusive_bytes < (3u << 20) + 65'536);
    CHECK(after->exclusive_inodes == before->exclusive_inodes + 1);
    CHECK(world.volumes->usage("unknown").error().kind == Errc::not_found);
}

TEST_CASE("destroy is idempotent, also while the volume is mounted elsewhere", "[root]") {
    NEEDS(root);
    World world;
    auto root = world.volumes->create(world.request("gone"));
    REQUIRE(root);
    for (int i = 0; i < 50; ++i) {
        auto file = base::sys::open_at(*root, "f" + std::to_string(i), O_WRONLY | O_CREAT, 0644);
        REQUIRE(file);
    }
    CHECK(world.volumes->create(world.request("gone")).error().kind == Errc::already_exists);
    // Nor does one that fails early take away what it did not make.
    Image broken = world.image;
    broken.layers = {"missing"};
    auto request = world.request("gone");
    request.image = &broken;
    CHECK(world.volumes->create(request).error().kind == Errc::already_exists);
    CHECK(world.volumes->list().value() == std::vector<std::string>{"gone"});
    CHECK(*world.volumes->list() == std::vector<std::string>{"gone"});
    REQUIRE(world.volumes->destroy("gone"));
    CHECK(world.volumes->list()->empty());
    REQUIRE(world.volumes->destroy("gone"));
    REQUIRE(world.volumes->destroy("never was"));
    world.wait_deleted("gone");
    CHECK(test::count_entries(world.scratch / "volumes/trash") == 0);
    auto again = world.volumes->create(world.request("gone"));
    REQUIRE(again);
    CHECK_FALSE(*base::sys::exists_at(*again, "f0"));
}

TEST_CASE("a container cannot make its volume undeletable by depth", "[root]") {
    NEEDS(root);
    World world;
    auto root = world.volumes->create(world.request("deep"));
    REQUIRE(root);
    REQUIRE(run_inside(*root, nullptr, [] {
                for (int i = 0; i < 1500; ++i) {
                    if (::mkdir("d", 0700) != 0 || ::chdir("d") != 0) return 1;
                }
                return 0;
            }) == 0);
    CHECK(world.volumes->usage("deep").error().kind == Errc::exhausted);
    root = base::Fd();
    REQUIRE(world.volumes->destroy("deep"));
    world.wait_deleted("deep");
    CHECK(test::count_entries(world.scratch / "volumes/trash") == 0);
}

TEST_CASE("what a crash left in the trash goes at the next start", "[root]") {
    NEEDS(root);
    World world;
    world.volumes.reset();
    REQUIRE(::mkdir((world.scratch / "volumes/trash/77").c_str(), 0700) == 0);
    test::write_file(world.scratch / "volumes/trash/77/name", "left");
    REQUIRE(::mkdir((world.scratch / "volumes/volumes/half").c_str(), 0700) ==
            0);  // killed inside create
    auto opened = Volumes::open({.directory = world.scratch / "volumes"}, world.images);
    REQUIRE(opened);
    world.volumes = std::move(*opened);
    world.wait_deleted("left");
    world.wait_deleted("");
    CHECK(test::count_entries(world.scratch / "volumes/trash") == 0);
    CHECK(*world.volumes->list() == std::vector<std::string>{"half"});
    CHECK(world.volumes->usage("half"));
    REQUIRE(world.volumes->destroy("half"));
}

TEST_CASE("a volume that cannot be made leaves nothing", "[root]") {
    NEEDS(root);
    World world;
    world.image.layers.push_back("missing");
    CHECK(world.volumes->create(world.request("v")).error().kind == Errc::not_found);
    world.image.layers.pop_back();
    auto limited = world.request("v");
    limited.quota_bytes = 1 << 20;
    const auto refused = world.volumes->create(limited);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Errc::unsupported);
    CHECK(refused.error().text.find("1048576") != std::string::npos);
    limited.quota_bytes = 5000;
    limited.scope = rootfs::QuotaScope::total;
    CHECK(world.volumes->create(limited).error().kind == Errc::exhausted);
    for (const std::string name : {"", ".", "..", "a/b"}) {
        CHECK(world.volumes->create(world.request(name)).error().kind == Errc::invalid);
        CHECK(world.volumes->destroy(name).error().kind == Errc::invalid);
    }
    CHECK(world.volumes->create(world.request(std::string(256, 'x'))).error().kind ==
          Errc::invalid);
    CHECK(world.volumes->create(world.request(std::string(255, 'x'))));
    CHECK(*world.volumes->list() == std::vector<std::string>{std::string(255, 'x')});
    CHECK(world.volumes->disk()->total_bytes > 0);
}

TEST_CASE("creating a volume of a few layers costs little", "[.bench][root]") {
    NEEDS(root, userns);
    World world;
    UserNamespace ids(0x10070000);
    std::vector<base::Fd> roots;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 200; ++i) {
        auto root = world.volumes->create(world.request("bench" + std::to_string(i), &ids));
        REQUIRE(root);
        roots.push_back(std::move(*root));
    }
    const auto taken = std::chrono::steady_clock::now() - start;
    WARN("create: " << std::chrono::duration_cast<std::chrono::microseconds>(taken).count() / 200
                    << " us");
}
