#include "security/accounts.hpp"

#include "base/sys/file.hpp"
#include "tests/kernel/security/child.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

namespace fs = std::filesystem;

namespace {

// A root file system as a hostile image would have it.
class Root {
  public:
    Root() { fs::create_directory(path + "/etc"); }

    ~Root() { fs::remove_all(path); }

    base::Result<security::AccountFiles> read() const {
        const auto root = base::sys::open_host(path, O_PATH | O_DIRECTORY).value();
        const auto begin = std::chrono::steady_clock::now();
        auto files = security::read_account_files(root);
        CHECK(std::chrono::steady_clock::now() - begin <
              std::chrono::seconds(2));  // whatever it is, nothing waits for it
        return files;
    }

    std::string refusal() const {
        const auto files = read();
        return files ? "" : files.error().text;
    }

    std::string path = test::temporary_directory();
    std::string passwd = path + "/etc/passwd";
    std::string group = path + "/etc/group";
};

}  // namespace

TEST_CASE("ID-10 the container's files are read, missing ones are empty") {
    Root root;
    CHECK(root.read().value().passwd.empty());
    test::write_file(root.passwd, "a:x:1:2::/:\n");
    test::write_file(root.group, "g:x:3:a\n");
    CHECK(root.read().value().passwd == "a:x:1:2::/:\n");
    CHECK(root.read().value().group == "g:x:3:a\n");
    fs::remove_all(root.path + "/etc");
    CHECK(root.read().value().passwd.empty());
}

TEST_CASE("ID-10 links resolve inside the root only") {
    Root root;
    fs::create_symlink("/etc/passwd", root.passwd);  // itself, seen from inside
    CHECK(!root.read());
    fs::remove(root.passwd);
    fs::create_symlink("../../../../../../../../etc/hostname", root.passwd);
    CHECK(root.read().value().passwd.empty());  // the host's exists, the container's does not
    test::write_file(root.path + "/real", "r:x:5:5::/:\n");
    fs::remove(root.passwd);
    fs::create_symlink("../../../real", root.passwd);
    CHECK(root.read().value().passwd == "r:x:5:5::/:\n");
    fs::remove_all(root.path + "/etc");
    fs::create_symlink("/etc", root.path + "/etc");
    CHECK(!root.read());
}

TEST_CASE("ID-10 a magic link out of the root is refused", "[root]") {
    NEEDS(root);
    Root root;
    // A procfs inside the root, as a container has one.
    const auto ended = test::in_child([&](int out) {
        fs::create_directory(root.path + "/proc");
        if (::unshare(CLONE_NEWNS) != 0) return 1;
        if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 2;
        if (::mount("proc", (root.path + "/proc").c_str(), "proc", 0, nullptr) != 0) return 3;
        fs::create_symlink("/proc/self/root/etc/passwd", root.passwd);
        const auto directory = base::sys::open_host(root.path, O_PATH | O_DIRECTORY);
        const auto files = security::read_account_files(*directory);
        if (files) (void)!::write(out, files->passwd.data(), files->passwd.size());
        return files ? 4 : 0;
    });
    INFO(ended.output);
    CHECK(ended.code == 0);
}

TEST_CASE("ID-10 fifos, devices, sockets and directories are refused without waiting", "[root]") {
    NEEDS(root);
    Root root;
    SECTION("fifo") {
        REQUIRE(::mkfifo(root.passwd.c_str(), 0644) == 0);
    }
    SECTION("endless device") {
        REQUIRE(::mknod(root.passwd.c_str(), S_IFCHR | 0644, makedev(1, 5)) == 0);
    }
    SECTION("terminal") {
        REQUIRE(::mknod(root.passwd.c_str(), S_IFCHR | 0644, makedev(5, 0)) == 0);
    }
    SECTION("block device") {
        REQUIRE(::mknod(root.passwd.c_str(), S_IFBLK | 0644, makedev(7, 0)) == 0);
    }
    SECTION("directory") {
        REQUIRE(fs::create_directory(root.passwd));
    }
    SECTION("link to a fifo") {
        REQUIRE(::mkfifo((root.path + "/pipe").c_str(), 0644) == 0);
        fs::create_symlink("/pipe", root.passwd);
    }
    SECTION("socket") {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
        root.passwd.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        ::close(fd);
    }
    CHECK(root.refusal() == "etc/passwd of the container is not a regular file");
}

TEST_CASE("ID-10 sizes have limits") {
    Root root;
    test::write_file(root.passwd, "");
    SECTION("sparse and huge") {
        REQUIRE(::truncate(root.passwd.c_str(), off_t{1} << 40) == 0);
        CHECK(root.refusal().find("the limit is 1048576") != std::string::npos);
    }
    SECTION("just too large") {
        REQUIRE(::truncate(root.passwd.c_str(), (1 << 20) + 1) == 0);
        CHECK(!root.read());
        REQUIRE(::truncate(root.passwd.c_str(), 1 << 20) == 0);
        CHECK(root.read());
    }
    SECTION("too many lines") {
        test::write_file(root.group, std::string(10'001, '\n'));
        CHECK(root.refusal() == "etc/group of the container has 10001 lines, the limit is 10000");
        REQUIRE(::truncate(root.group.c_str(), 10'000) == 0);
        CHECK(root.read());
    }
}
