// One walk for many callers, and never one that began before the call.
#include "rootfs/fetch/directory_keys.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/fetch/directory_key.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <semaphore>
#include <vector>

#include <catch2/catch.hpp>

using rootfs::Digest;
using rootfs::DirectoryKeys;

namespace {

struct Tree {
    std::string path = (std::filesystem::temp_directory_path() /
                        ("cloche-keys-" + std::to_string(::getpid()) + "-XXXXXX"))
                               .string();
    base::Fd fd;

    Tree() {
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        fd = std::move(*base::sys::open_host(path, O_RDONLY | O_DIRECTORY));
    }

    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    ~Tree() { std::filesystem::remove_all(path); }

    void write(const std::string& name) const { std::ofstream(path + "/" + name) << name; }
};

}  // namespace

TEST_CASE("the key of a directory is that of a walk of its own, and follows every change") {
    const Tree tree;
    DirectoryKeys keys;
    tree.write("a");
    const auto first = keys.key(tree.fd).value();
    CHECK(first == rootfs::directory_key(tree.fd).value());
    CHECK(keys.key(tree.fd).value() == first);
    tree.write("b");
    CHECK(keys.key(tree.fd).value() != first);
}

TEST_CASE("callers that come during a walk share the next one") {
    constexpr int kCallers = 8;
    const Tree tree;
    std::counting_semaphore<> begun{0}, go_on{0};
    std::atomic<int> walks{0};
    DirectoryKeys keys([&](base::FdRef) -> base::Result<Digest> {
        const int number = ++walks;
        begun.release();
        go_on.acquire();
        return Digest("walk " + std::to_string(number));
    });
    const auto ask = [&] { return keys.key(tree.fd).value().get(); };
    auto first = std::async(std::launch::async, ask);
    begun.acquire();
    std::vector<std::future<std::string>> late;
    for (int i = 0; i < kCallers; ++i) late.push_back(std::async(std::launch::async, ask));
    go_on.release(1 + kCallers);  // enough for a walk each, were there one each
    CHECK(first.get() == "walk 1");
    // Who came too late for the second has a walk after it; nobody has the first one's.
    for (auto& one : late) CHECK(one.get() != "walk 1");
    CHECK(walks >= 2);
}

TEST_CASE("a walk of one directory does not hold up another, and a failure is not kept") {
    const Tree slow, quick;
    std::binary_semaphore begun{0}, go_on{0};
    std::atomic<bool> broken{true};
    const auto slow_id = base::sys::stat_fd(slow.fd)->st_ino;
    DirectoryKeys keys([&](base::FdRef directory) -> base::Result<Digest> {
        if (base::sys::stat_fd(directory)->st_ino == slow_id) {
            begun.release();
            go_on.acquire();
        } else if (broken) {
            return base::fail(base::Errc::unavailable, "the disk hangs");
        }
        return Digest("found");
    });
    auto held = std::async(std::launch::async, [&] { return keys.key(slow.fd).value().get(); });
    begun.acquire();
    CHECK(keys.key(quick.fd).error().text == "the disk hangs");
    broken = false;
    CHECK(keys.key(quick.fd).value().get() == "found");
    go_on.release();
    CHECK(held.get() == "found");
}
