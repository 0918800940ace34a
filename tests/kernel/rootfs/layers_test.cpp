#include "base/sys/xattr.hpp"
#include "rootfs/volumes.hpp"
#include "tests/kernel/rootfs/layers_store.hpp"
#include "tests/support/needs.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <chrono>
#include <thread>

using base::Errc;
using rootfs::Compression;
using test::Store;
using test::Tar;

namespace {

const std::string kCapability(
        "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);

struct ::stat stat_of(const std::string& path) {
    struct ::stat out = {};
    INFO(path);
    REQUIRE(::lstat(path.c_str(), &out) == 0);
    return out;
}

std::string xattr_of(const std::string& path, const char* name) {
    char value[256];
    const ssize_t n = ::lgetxattr(path.c_str(), name, value, sizeof value);
    return n < 0 ? std::string() : std::string(value, static_cast<std::size_t>(n));
}

bool is_whiteout(const std::string& path) {
    const auto status = stat_of(path);
    return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

}  // namespace

TEST_CASE("a layer keeps every attribute of its entries", "[root]") {
    NEEDS(root);
    Store store;
    const std::string tree = store.tree(
            Tar().directory("./", 0755)
                    .add({.name = "bin/",
                          .type = '5',
                          .mode = 02755,
                          .uid = 3,
                          .gid = 50,
                          .mtime = 1'111'111'111})
                    .add({.name = "bin/su",
                          .mode = 04755,
                          .uid = 1000,
                          .gid = 1001,
                          .mtime = 1'222'222'222,
                          .data = "suid"})
                    .add({.name = "bin/sg", .mode = 02711, .uid = 7, .gid = 65'535, .data = "sgid"})
                    .add({.name = "bin/ping",
                          .mode = 0755,
                          .data = "cap",
                          .pax = {{"SCHILY.xattr.security.capability", kCapability}}})
                    .add({.name = "tagged",
                          .pax = {{"SCHILY.xattr.user.color", "blue"},
                                  {"SCHILY.xattr.trusted.secret", "1"},
                                  {"SCHILY.xattr.security.selinux", "label"}}})
                    .symlink("bin/sh", "/bin/su")
                    .hardlink("bin/su2", "bin/su")
                    .add({.name = "fifo", .type = '6', .mode = 0620, .uid = 5})
                    .directory("tmp/", 01777)
                    .file("implied/parents/are/made")
                    .file(std::string("caf\xc3\xa9"), "utf-8")
                    .end());
    CHECK(stat_of(tree + "/bin").st_mode == (S_IFDIR | 02755));
    CHECK(stat_of(tree + "/bin").st_gid == 50);
    CHECK(stat_of(tree + "/bin").st_mtime == 1'111'111'111);
    const auto su = stat_of(tree + "/bin/su");
    CHECK(su.st_mode == (S_IFREG | 04755));
    CHECK((su.st_uid == 1000 && su.st_gid == 1001 && su.st_nlink == 2 &&
           su.st_mtime == 1'222'222'222));
    CHECK(stat_of(tree + "/bin/su2").st_ino == su.st_ino);
    CHECK(stat_of(tree + "/bin/sg").st_mode == (S_IFREG | 02711));
    CHECK(stat_of(tree + "/bin/sg").st_gid == 65'535);
    CHECK(xattr_of(tree + "/bin/ping", "security.capability") == kCapability);
    CHECK(xattr_of(tree + "/tagged", "user.color") == "blue");
    CHECK(xattr_of(tree + "/tagged", "trusted.secret").empty());
    CHECK(std::filesystem::read_symlink(tree + "/bin/sh") == "/bin/su");
    CHECK(stat_of(tree + "/fifo").st_mode == (S_IFIFO | 0620));
    CHECK(stat_of(tree + "/fifo").st_uid == 5);
    CHECK(stat_of(tree + "/tmp").st_mode == (S_IFDIR | 01777));
    CHECK(test::read_file(tree + "/implied/parents/are/made") == "x");
    CHECK(test::read_file(tree + "/caf\xc3\xa9") == "utf-8");
    const auto info = store.layers->find(store.layers->list()->front());
    REQUIRE(info);
    CHECK(info->dropped_xattrs == 2);
    CHECK(info->entries == 12);
    CHECK(stat_of(store.scratch / "store").st_mode == (S_IFDIR | 0700));
}

TEST_CASE("holes of sparse files stay holes", "[root]") {
    NEEDS(root);
    Store store;
    // GNU sparse 1.0: a map in front of the data says that 4 bytes lie at 8 MiB - 4.
    std::string map = "1\n8388604\n4\n";
    map.resize(512, '\0');
    const std::string tree = store.tree(Tar().add({.name = "GNUSparseFile.0/big",
                                                   .data = map + "tail",
                                                   .pax = {{"GNU.sparse.major", "1"},
                                                           {"GNU.sparse.minor", "0"},
                                                           {"GNU.sparse.name", "big"},
                                                           {"GNU.sparse.realsize", "8388608"}}})
                                                .end());
    const auto status = stat_of(tree + "/big");
    CHECK(status.st_size == 8'388'608);
    CHECK(status.st_blocks * 512 <= 65'536);
    std::string text = *base::sys::read_host_file(tree + "/big", 16 << 20);
    CHECK(text.substr(text.size() - 5) == std::string("\0tail", 5));
}

TEST_CASE("whiteouts become what overlay understands", "[root]") {
    NEEDS(root);
    Store store;
    const std::string tree = store.tree(
            Tar().file("etc/.wh.gone", "")
                    .directory("var/")
                    .file("var/.wh..wh..opq", "")
                    .file("var/kept")
                    .file(".wh..wh.plnk/1.2", "reserved")
                    .file(".wh.replaced", "")  // then the name comes back in the same layer
                    .file("replaced/inner")
                    .file("both/inner")
                    .file(".wh.both", "")  // or was there before
                    .file("file")
                    .file(".wh.file", "")
                    .end());
    CHECK(is_whiteout(tree + "/etc/gone"));
    CHECK(xattr_of(tree + "/var", "trusted.overlay.opaque") == "y");
    CHECK_FALSE(std::filesystem::exists(tree + "/var/.wh..wh..opq"));
    CHECK(test::read_file(tree + "/var/kept") == "x");
    CHECK_FALSE(std::filesystem::exists(tree + "/.wh..wh.plnk"));
    CHECK(test::read_file(tree + "/replaced/inner") == "x");
    CHECK(xattr_of(tree + "/replaced", "trusted.overlay.opaque") == "y");
    CHECK(xattr_of(tree + "/both", "trusted.overlay.opaque") == "y");
    CHECK(test::read_file(tree + "/file") == "x");
    CHECK(xattr_of(tree + "/etc", "trusted.overlay.opaque").empty());
}

TEST_CASE("a stack of unpacked layers looks right from inside a container", "[root]") {
    NEEDS(root, userns);
    Store store;
    const auto low =
            store.unpack(Tar().add({.name = "home/alice/", .type = '5', .uid = 1001, .gid = 1010})
                                 .file("var/old")
                                 .file("etc/gone")
                                 .add({.name = "bin/su", .mode = 04755, .data = "s"})
                                 .add({.name = "bin/ping",
                                       .mode = 0755,
                                       .data = "p",
                                       .pax = {{"SCHILY.xattr.security.capability", kCapability}}})
                                 .end());
    const auto top = store.unpack(
            Tar().file("var/.wh..wh..opq", "").file("var/new").file("etc/.wh.gone", "").end());
    REQUIRE(low);
    REQUIRE(top);

    struct StoreImages : test::PlainImages {
        explicit StoreImages(rootfs::LayerStore& layers) : PlainImages(""), store(layers) {}

        std::string layer_directory(std::string_view id) const override {
            return store.directory_of(id);
        }

        rootfs::LayerStore& store;
    } images(*store.layers);

    auto volumes = rootfs::Volumes::open({.directory = store.scratch / "volumes"}, images);
    REQUIRE(volumes);
    rootfs::Image image;
    image.layers = {low->diff_id, top->diff_id};
    const test::UserNamespace ids(0x10080000);
    auto root = (*volumes)->create(
            {.name = "c",
             .image = &image,
             .user_namespace = ids.fd(),
             .owner_uid = ids.base(),
             .owner_gid = ids.base()});
    REQUIRE(root);
    CHECK(test::run_inside(*root, &ids, [&] {
              struct ::stat status = {};
              if (::stat("/home/alice", &status) != 0 || status.st_uid != 1001 ||
                  status.st_gid != 1010)
                  return 1;
              if (::stat("/bin/su", &status) != 0 || status.st_mode != (S_IFREG | 04755) ||
                  status.st_uid != 0)
                  return 2;
              if (::access("/var/old", F_OK) == 0 || ::access("/var/new", F_OK) != 0) return 3;
              if (::access("/etc/gone", F_OK) == 0 || ::access("/etc", F_OK) != 0) return 4;
              char value[64];
              const ssize_t n = ::getxattr("/bin/ping", "security.capability", value, sizeof value);
              if (n != 20 || std::string(value, 20) != kCapability) return 5;
              return 0;
          }) == 0);
    struct ::stat outside = {};
    REQUIRE(::fstatat(root->get(), "home/alice", &outside, 0) == 0);
    CHECK(outside.st_uid == ids.base() + 1001);
}

TEST_CASE("later entries replace earlier ones without following them", "[root]") {
    NEEDS(root);
    Store store;
    const std::string tree = store.tree(Tar().file("a", "first")
                                                .file("a", "second")
                                                .symlink("d", "/etc")
                                                .directory("d/")
                                                .file("d/passwd", "mine")
                                                .file("t/x/y")
                                                .file("t", "file now")
                                                .directory("k/", 0700)
                                                .file("k/stays")
                                                .directory("k/", 0711)
                                                .file("g/h/old")
                                                .file("g", "file for a moment")
                                                .directory("g/")
                                                .file("g/h/new")
                                                .end());
    CHECK(test::read_file(tree + "/a") == "second");
    CHECK(test::read_file(tree + "/d/passwd") == "mine");
    CHECK(test::read_file(tree + "/t") == "file now");
    CHECK(test::read_file(tree + "/k/stays") == "x");
    CHECK(stat_of(tree + "/k").st_mode == (S_IFDIR | 0711));
    CHECK(test::read_file(tree + "/g/h/new") == "x");
    CHECK_FALSE(std::filesystem::exists(tree + "/g/h/old"));
}

TEST_CASE("gzip, many-member gzip, zstd and plain layers have one diff id", "[root]") {
    NEEDS(root);
    std::string data(3 << 20, '\0');
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * i >> 7);
    const std::string tar = Tar().file("data", data).end();
    const std::string id = test::sha256_of(tar);
    const std::string half =
            test::gzip(tar.substr(0, 700'001)) + test::gzip(tar.substr(700'001), 9);
    const std::string frames = test::zstd(tar.substr(0, 99'999)) + test::zstd(tar.substr(99'999));
    const std::vector<std::pair<std::string, Compression>> blobs{
            {tar, Compression::none},
            {test::gzip(tar), Compression::gzip},
            {half, Compression::gzip},
            {test::zstd(tar), Compression::zstd},
            {frames, Compression::zstd}};
    for (const auto& [bytes, compression] : blobs) {
        Store store;
        auto info = store.unpack(bytes, compression, id);
        if (!info) FAIL(info.error().text);
        CHECK(info->diff_id == id);
        CHECK(info->bytes == data.size());
        CHECK(*base::sys::read_host_file(store.layers->directory_of(id) + "/data", 8 << 20) ==
              data);
        CHECK(store.leftovers() == 0);
    }
}

TEST_CASE("empty layers and archives without an end mark are fine", "[root]") {
    NEEDS(root);
    Store store;
    CHECK(test::count_entries(store.tree(std::string(1024, '\0'))) == 0);
    CHECK(test::count_entries(store.tree("")) == 0);
    const std::string whole = Tar().file("only").end();
    CHECK(test::count_entries(store.tree(whole.substr(0, 1024))) == 1);
    // What follows the end mark belongs to the diff id, but to no file.
    const std::string more = whole + std::string(4096, 'j');
    CHECK(store.tree(more).find(test::sha256_of(more).substr(7)) != std::string::npos);
}

TEST_CASE("one layer asked for by many is unpacked once", "[root]") {
    NEEDS(root);
    Store store;
    const std::string tar = Tar().file("data", std::string(2 << 20, 'd')).end();
    const std::string id = test::sha256_of(tar);
    std::atomic<int> good{0};
    std::atomic<int> reports{0};
    const std::string path = store.scratch / "shared-blob";
    test::write_file(path, tar);
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            auto file = base::sys::open_host(path, O_RDONLY);
            const std::atomic<bool> never{false};
            std::uint64_t last = 0;
            auto info = store.layers->unpack(
                    {.diff_id = id, .blob = *file, .compression = Compression::none},
                    [&](std::uint64_t done) { last = done; }, never);
            if (info && info->bytes == 2u << 20) ++good;
            if (last == tar.size()) ++reports;
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(good == 8);
    CHECK(reports == 1);  // only one of them had something to do
    CHECK(store.leftovers() == 0);
    CHECK(store.unpack("not read at all", Compression::none, id));
}

TEST_CASE("a cancelled unpack leaves nothing and nobody", "[root]") {
    NEEDS(root);
    Store store;
    auto pipe = base::sys::make_pipe();  // a blob that never ends
    REQUIRE(pipe);
    REQUIRE(base::sys::write_all(pipe->write, Tar().file("first").end().substr(0, 1024)));
    std::atomic<bool> cancelled{false};
    std::thread later([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        cancelled = true;
    });
    auto info = store.layers->unpack(
            {.blob = pipe->read, .compression = Compression::none}, nullptr, cancelled);
    later.join();
    REQUIRE_FALSE(info);
    CHECK(info.error().kind == Errc::cancelled);
    CHECK(store.leftovers() == 0);
    // The sandbox held the other end; when it is gone, writing fails.
    pipe->read.reset();
    (void)::signal(SIGPIPE, SIG_IGN);
    CHECK_FALSE(base::sys::write_all(pipe->write, "x"));
}

TEST_CASE("a daemon killed in the middle leaves no layer after recovery", "[root]") {
    NEEDS(root);
    Store store;
    auto pipe = base::sys::make_pipe();
    REQUIRE(pipe);
    REQUIRE(base::sys::write_all(pipe->write, Tar().file("first").end().substr(0, 1024)));
    const pid_t daemon = ::fork();
    REQUIRE(daemon >= 0);
    if (daemon == 0) {
        const std::atomic<bool> never{false};
        (void)store.layers->unpack(
                {.blob = pipe->read, .compression = Compression::none}, nullptr, never);
        ::_exit(0);
    }
    const auto first = [&] {
        for (const auto& entry : std::filesystem::directory_iterator(store.scratch / "store/tmp")) {
            if (std::filesystem::exists(entry.path() / "tree/first")) return true;
        }
        return false;
    };
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!first() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(store.leftovers() == 1);
    ::kill(daemon, SIGKILL);
    ::waitpid(daemon, nullptr, 0);
    CHECK(store.layers->list()->empty());
    REQUIRE(store.layers->recover());
    CHECK(store.leftovers() == 0);
    // The sandbox dies with the daemon: its end of the pipe is the last one besides ours.
    pipe->read.reset();
    (void)::signal(SIGPIPE, SIG_IGN);
    bool gone = false;
    while (!gone && std::chrono::steady_clock::now() < end) {
        gone = !base::sys::write_all(pipe->write, "x");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK(gone);
}

TEST_CASE("layers are listed, found and removed", "[root]") {
    NEEDS(root);
    Store store;
    const std::string tar = Tar().file("dir/file", "12345").end();
    const std::string id = test::sha256_of(tar);
    CHECK(store.layers->find(id).error().kind == Errc::not_found);
    REQUIRE(store.unpack(tar));
    CHECK(*store.layers->list() == std::vector<std::string>{id});
    CHECK(store.layers->find(id)->bytes == 5);
    CHECK(*store.layers->remove(id) == 5);
    CHECK(store.layers->find(id).error().kind == Errc::not_found);
    CHECK(*store.layers->remove(id) == 0);
    CHECK(store.leftovers() == 0);
    CHECK(store.layers->find("../../etc").error().kind == Errc::invalid);
}

TEST_CASE("a directory is taken over as a layer with all attributes", "[root]") {
    NEEDS(root);
    Store store;
    const std::string source = store.scratch / "source";
    REQUIRE(::mkdir(source.c_str(), 0755) == 0);
    REQUIRE(::mkdir((source + "/sub").c_str(), 0750) == 0);
    test::write_file(source + "/file", "content");
    REQUIRE(::chown((source + "/file").c_str(), 1000, 1001) == 0);
    REQUIRE(::chmod((source + "/file").c_str(), 04711) == 0);
    REQUIRE(::link((source + "/file").c_str(), (source + "/sub/link").c_str()) == 0);
    REQUIRE(::symlink("../file", (source + "/sub/sym").c_str()) == 0);
    REQUIRE(::mknod((source + "/dev").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
    REQUIRE(::setxattr((source + "/sub").c_str(), "user.tag", "v", 1, 0) == 0);
    REQUIRE(::setxattr((source + "/sub").c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0);
    test::write_file(source + "/sparse", "");
    REQUIRE(::truncate((source + "/sparse").c_str(), 16 << 20) == 0);
    auto directory = base::sys::open_host(source, O_PATH | O_DIRECTORY);
    auto info = store.layers->import_directory(*directory, "sha256:abc");
    if (!info) FAIL(info.error().text);
    const std::string tree = store.layers->directory_of("sha256:abc");
    const auto file = stat_of(tree + "/file");
    CHECK((file.st_uid == 1000 && file.st_gid == 1001 && file.st_mode == (S_IFREG | 04711) &&
           file.st_nlink == 2));
    CHECK(stat_of(tree + "/sub/link").st_ino == file.st_ino);
    CHECK(stat_of(tree + "/sub").st_mode == (S_IFDIR | 0750));
    CHECK(std::filesystem::read_symlink(tree + "/sub/sym") == "../file");
    CHECK(xattr_of(tree + "/sub", "user.tag") == "v");
    CHECK(xattr_of(tree + "/sub", "trusted.overlay.opaque").empty());
    CHECK(stat_of(tree + "/sparse").st_blocks == 0);
    CHECK_FALSE(std::filesystem::exists(tree + "/dev"));
    CHECK(info->skipped_devices == 1);
    CHECK(info->dropped_xattrs == 1);
    REQUIRE(::chown((source + "/file").c_str(), 70'000, 0) == 0);
    const auto refused = store.layers->import_directory(*directory, "sha256:def");
    REQUIRE_FALSE(refused);
    // Under the name that the file system lists first: "file" or its hard link.
    CHECK_THAT(
            refused.error().text,
            Catch::Contains("owner 70000:0 is outside of 0 to 65535") &&
                    (Catch::Contains("file: ") || Catch::Contains("sub/link: ")));
    CHECK(store.leftovers() == 0);
}
