#include "base/sys/file.hpp"
#include "rootfs/image/digest.hpp"
#include "rootfs/store/layers.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

namespace fs = std::filesystem;

namespace {

struct Folder {
    Folder() {
        char name[] = "/var/tmp/cloche-layers-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }

    ~Folder() { fs::remove_all(path); }

    fs::path path;
};

struct ::stat status_of(const fs::path& path) {
    struct ::stat status {};

    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status;
}

// A directory with everything that a copy could lose.
void fill(const fs::path& source) {
    fs::create_directories(source / "bin");
    std::ofstream(source / "bin/su") << "x";
    REQUIRE(::chown((source / "bin/su").c_str(), 0, 8) == 0);
    REQUIRE(::chmod((source / "bin/su").c_str(), 04755) == 0);
    fs::create_hard_link(source / "bin/su", source / "bin/sudo");
    fs::create_symlink("su", source / "bin/link");
    std::ofstream(source / "owned") << "mine";
    REQUIRE(::lchown((source / "owned").c_str(), 1001, 1010) == 0);
    REQUIRE(::setxattr((source / "owned").c_str(), "user.note", "hello", 5, 0) == 0);
    REQUIRE(::setxattr((source / "owned").c_str(), "trusted.no", "x", 1, 0) == 0);
    const int sparse = ::open((source / "sparse").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
    REQUIRE(::pwrite(sparse, "end", 3, 64 << 20) == 3);
    ::close(sparse);
    REQUIRE(::mkfifo((source / "fifo").c_str(), 0600) == 0);
    REQUIRE(::mknod((source / "null").c_str(), S_IFCHR | 0666, 0x103) == 0);
    REQUIRE(::chmod((source / "bin").c_str(), 01777) == 0);
}

}  // namespace

TEST_CASE("a directory becomes a layer with owners, set-id bits, attributes, links and holes") {
    NEEDS(root);
    const Folder folder;
    fill(folder.path / "source");
    const auto store = rootfs::LayerStore::open(folder.path / "store", "", {}).value();
    const auto source =
            base::sys::open_host((folder.path / "source").string(), O_PATH | O_DIRECTORY).value();
    const auto key = rootfs::sha256("key").get();
    const auto info = store->import_directory(source, key).value();
    CHECK(info.skipped_devices == 1);  // IMG-24
    CHECK(info.dropped_xattrs == 1);   // IMG-25
    const fs::path tree = store->directory_of(key);
    CHECK((status_of(tree / "bin/su").st_mode & 07777) == 04755);
    CHECK(status_of(tree / "bin/su").st_gid == 8);
    CHECK(status_of(tree / "bin/su").st_ino == status_of(tree / "bin/sudo").st_ino);
    CHECK(fs::read_symlink(tree / "bin/link") == "su");
    CHECK((status_of(tree / "bin").st_mode & 07777) == 01777);
    CHECK(status_of(tree / "owned").st_uid == 1001);
    char note[8] = {};
    CHECK(::getxattr((tree / "owned").c_str(), "user.note", note, sizeof note) == 5);
    CHECK(::getxattr((tree / "owned").c_str(), "trusted.no", note, sizeof note) == -1);
    CHECK(status_of(tree / "sparse").st_size == (64 << 20) + 3);
    CHECK(status_of(tree / "sparse").st_blocks < 64);
    CHECK(S_ISFIFO(status_of(tree / "fifo").st_mode));
    CHECK_FALSE(fs::exists(tree / "null"));
    CHECK(store->list().value() == std::vector<std::string>{key});
    CHECK(store->import_directory(source, key).value().entries == info.entries);
    CHECK(store->remove(key).value() == info.bytes);
    CHECK_FALSE(fs::exists(tree));
}

TEST_CASE("ID-06: an owner outside the range is refused, and nothing is left behind") {
    NEEDS(root);
    const Folder folder;
    fs::create_directories(folder.path / "source");
    std::ofstream(folder.path / "source/big") << "x";
    REQUIRE(::chown((folder.path / "source/big").c_str(), 70'000, 0) == 0);
    const auto store = rootfs::LayerStore::open(folder.path / "store", "", {}).value();
    const auto source =
            base::sys::open_host((folder.path / "source").string(), O_PATH | O_DIRECTORY).value();
    const auto refused = store->import_directory(source, rootfs::sha256("key").get());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("copy big: owner 70000:0 is outside of 0 to 65535") !=
          std::string::npos);
    CHECK(store->list().value().empty());
    CHECK(fs::is_empty(folder.path / "store/tmp"));
    CHECK(fs::is_empty(folder.path / "store/layers"));
}

TEST_CASE("what an interrupted import left is removed at start and never looks complete") {
    NEEDS(root);
    const Folder folder;
    const auto store = rootfs::LayerStore::open(folder.path / "store", "", {}).value();
    const auto key = rootfs::sha256("key").get();
    fs::create_directories(fs::path(store->directory_of(key)) / "bin");  // killed before its record
    fs::create_directories(folder.path / "store/tmp/sha256-half/bin");   // killed while copying
    CHECK(store->find(key).error().kind == base::Errc::not_found);
    store->recover().value();
    CHECK(fs::is_empty(folder.path / "store/tmp"));
    CHECK(fs::is_empty(folder.path / "store/layers"));
}
