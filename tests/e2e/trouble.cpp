#include "tests/e2e/trouble.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include <catch2/catch.hpp>

namespace test {

int run_command(const std::vector<std::string>& argv) {
    std::vector<char*> words;
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        (void)::close_range(3, ~0U, 0);
        ::execvp(words[0], words.data());
        ::_exit(127);
    }
    // -1 would wait for anybody's child, and a status that nobody wrote reads as success.
    REQUIRE(child > 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

SmallDisk::SmallDisk(Kind kind, unsigned mebibytes) {
    char name[] = "/var/tmp/cloche-disk-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    directory_ = name;
    path_ = directory_ + "/mounted";
    REQUIRE(::mkdir(path_.c_str(), 0755) == 0);
    const auto size = std::to_string(mebibytes) + "M";
    switch (kind) {
        case Kind::tmpfs:
            REQUIRE(::mount("none", path_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0);
            break;
        case Kind::ext4:
        case Kind::btrfs: {
            const auto image = directory_ + "/image";
            REQUIRE(run_command({"truncate", "-s", size, image}) == 0);
            if (kind == Kind::ext4)
                REQUIRE(run_command({"mkfs.ext4", "-q", "-m", "0", image}) == 0);
            else
                REQUIRE(run_command({"mkfs.btrfs", "-q", image}) == 0);
            REQUIRE(run_command({"mount", "-o", "loop", image, path_}) == 0);
            break;
        }
    }
}

SmallDisk::~SmallDisk() {
    // Somebody may still be closing a file.
    for (int i = 0; i < 100 && ::umount2(path_.c_str(), 0) != 0; ++i) ::usleep(50'000);
    (void)::umount2(path_.c_str(), MNT_DETACH);
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

void SmallDisk::fill() {
    const base::Fd file(
            ::open((path_ + "/ballast").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    REQUIRE(file);
    const std::array<char, 65536> block{};
    for (std::size_t size = block.size(); size > 0; size /= 4) {
        while (::write(file.get(), block.data(), size) == static_cast<ssize_t>(size)) {
        }
        (void)::fsync(file.get());
    }
}

void SmallDisk::free() {
    REQUIRE(::unlink((path_ + "/ballast").c_str()) == 0);
    ::sync();
}

HungMount::HungMount(const std::string& path)
    : path_(path), device_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
    REQUIRE(device_);
    const auto options = "fd=" + std::to_string(device_.get()) +
                         ",rootmode=40000,user_id=0,group_id=0,allow_other";
    REQUIRE(::mount("hung", path.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0);
}

HungMount::~HungMount() {
    release();
}

void HungMount::release() {
    if (!device_) return;
    device_.reset();  // the connection is aborted with its last descriptor
    (void)::umount2(path_.c_str(), MNT_DETACH);
}

HungServer::HungServer(Nursery& nursery) {
    nursery.run([&] {
        socket_ = base::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        (void)::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        (void)::listen(socket_.get(), 128);
        socklen_t size = sizeof address;
        (void)::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
    });
    REQUIRE(port_ != 0);
}

}  // namespace test
