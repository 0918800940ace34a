// One gardend per directory: the second is refused, and starts when the first has ended.
#include "garden/server/lock.hpp"

#include "base/sys/file.hpp"

#include <unistd.h>

#include <filesystem>

#include <catch2/catch.hpp>

TEST_CASE("a second daemon on the same directories is refused, and let in once the first is gone") {
    if (::geteuid() != 0) {
        WARN("skipped: locks lie in /run, which needs root");
        return;
    }
    const auto root =
            std::filesystem::temp_directory_path() / ("cloche-lock-" + std::to_string(::getpid()));
    const auto state = (root / "state").string();
    const auto store = (root / "store").string();
    const std::string tag = "zl";
    {
        auto first = garden::server::lock_host(state, store, tag, std::chrono::milliseconds(0));
        REQUIRE(first);
        const auto second =
                garden::server::lock_host(state, store, tag, std::chrono::milliseconds(50));
        REQUIRE_FALSE(second);
        CHECK(second.error().kind == base::Errc::conflict);
        CHECK(second.error().text.find("another gardend is running") != std::string::npos);
        const auto other = garden::server::lock_host(
                state, (root / "elsewhere").string(), "zm", std::chrono::milliseconds(0));
        REQUIRE_FALSE(other);  // the state directory is shared, whatever the tag
    }
    CHECK(garden::server::lock_host(state, store, tag, std::chrono::milliseconds(0)));
    std::filesystem::remove_all(root);
    for (const char* name : {"zl", "zm"})
        for (const char* end : {".lock", ".owner"})
            std::filesystem::remove(std::string("/run/cloche/gardend-") + name + end);
}

TEST_CASE("a daemon whose directories are one holds the lock once and is not refused by itself") {
    if (::geteuid() != 0) {
        WARN("skipped: locks lie in /run, which needs root");
        return;
    }
    const auto root =
            std::filesystem::temp_directory_path() / ("cloche-locks-" + std::to_string(::getpid()));
    std::filesystem::create_directories(root / "state");
    std::filesystem::create_directory_symlink(root / "state", root / "link");
    const auto state = (root / "state").string();
    const auto link = (root / "link").string();
    {
        const auto first =
                garden::server::lock_host(state, link, "zn", std::chrono::milliseconds(0));
        REQUIRE(first);
        CHECK(first->files.size() == 2);
        CHECK_FALSE(garden::server::lock_host(link, state, "zn", std::chrono::milliseconds(0)));
    }
    std::filesystem::remove_all(root);
    for (const char* end : {"lock", "owner"})
        std::filesystem::remove(std::string("/run/cloche/gardend-zn.") + end);
}
