#include "tests/kernel/rootfs/volumes_world.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/store/tree.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include <catch2/catch.hpp>

namespace test {

using base::Errc;
using base::Result;

Scratch::Scratch() : Scratch(std::filesystem::temp_directory_path().string()) {}

Scratch::Scratch(const std::string& below) {
    path_ = below + "/cloche-rootfs-" + std::to_string(::getpid()) + "-XXXXXX";
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
}

Scratch::~Scratch() {
    const auto cut = path_.rfind('/');  // an absolute name would lead out of where it is resolved
    auto parent = base::sys::open_host(path_.substr(0, cut), O_RDONLY | O_DIRECTORY);
    if (parent) (void)rootfs::remove_tree(*parent, path_.substr(cut + 1));
}

UserNamespace::UserNamespace(std::uint32_t base) : base_(base) {
    std::array<int, 2> ready{};
    REQUIRE(::pipe2(ready.data(), O_CLOEXEC) == 0);
    keeper_ = ::fork();
    REQUIRE(keeper_ >= 0);
    if (keeper_ == 0) {
        const char ok = ::unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
        (void)!::write(ready[1], &ok, 1);
        for (;;) ::pause();
    }
    char answer = 'n';
    REQUIRE(::read(ready[0], &answer, 1) == 1);
    ::close(ready[0]);
    ::close(ready[1]);
    REQUIRE(answer == 'y');
    const std::string proc = "/proc/" + std::to_string(keeper_);
    const std::string map = "0 " + std::to_string(base) + " 65536";
    for (const char* file : {"/uid_map", "/gid_map"}) {
        auto opened = base::sys::open_host(proc + file, O_WRONLY);
        REQUIRE(opened);
        REQUIRE(base::sys::write_all(*opened, map));
    }
    auto opened = base::sys::open_host(proc + "/ns/user", O_RDONLY);
    REQUIRE(opened);
    fd_ = std::move(*opened);
}

UserNamespace::~UserNamespace() {
    ::kill(keeper_, SIGKILL);
    ::waitpid(keeper_, nullptr, 0);
}

int run_inside(
        base::FdRef root, const UserNamespace* user_namespace, const std::function<int()>& body) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        // chroot comes first: inside the namespace we would not own the mount namespace, and need
        // not.
        if (::fchdir(root.get()) != 0 || ::chroot(".") != 0) ::_exit(200);
        if (user_namespace != nullptr) {
            if (::setns(user_namespace->fd().get(), CLONE_NEWUSER) != 0) ::_exit(201);
            if (::setgroups(0, nullptr) != 0 || ::setresgid(0, 0, 0) != 0 ||
                ::setresuid(0, 0, 0) != 0)
                ::_exit(202);
        }
        ::umask(022);
        ::_exit(body());
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

Result<rootfs::Image> PlainImages::ensure(
        const rootfs::ImageRequest&,
        const std::function<void(const rootfs::Progress&)>&,
        const std::atomic<bool>&) {
    return base::fail(Errc::unsupported, "not part of this test");
}

Result<std::vector<rootfs::ImageRow>> PlainImages::list() {
    return std::vector<rootfs::ImageRow>{};
}

Result<rootfs::Image> PlainImages::inspect(std::string_view) {
    return base::fail(Errc::not_found, "not part of this test");
}

Result<void> PlainImages::remove(std::string_view) {
    return base::ok;
}

Result<std::uint64_t> PlainImages::prune() {
    return std::uint64_t{0};
}

Result<void> PlainImages::hold(const rootfs::Image&, std::string_view) {
    return base::ok;
}

Result<void> PlainImages::release(std::string_view) {
    return base::ok;
}

Result<std::vector<std::string>> PlainImages::owners() {
    return std::vector<std::string>{};
}

Result<void> PlainImages::recover() {
    return base::ok;
}

void write_file(const std::string& path, const std::string& text, mode_t mode) {
    auto file = base::sys::open_host(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    REQUIRE(file);
    REQUIRE(base::sys::write_all(*file, text));
    REQUIRE(::fchmod(file->get(), mode) == 0);
}

std::string read_file(const std::string& path) {
    auto text = base::sys::read_host_file(path);
    return text ? *text : std::string();
}

std::size_t count_entries(const std::string& directory) {
    auto opened = base::sys::open_host(directory, O_RDONLY | O_DIRECTORY);
    if (!opened) return 0;
    auto names = base::sys::list_directory(*opened);
    return names ? names->size() : 0;
}

}  // namespace test
