#include "rootfs/volume/overlay.hpp"

#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "tests/kernel/rootfs/quota_world.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>
#include <vector>

using rootfs::OverlayApi;
using rootfs::Overlays;

namespace {

struct Place {
    Place() {
        for (const char* name : {"empty", "scratch", "low", "volumes"})
            REQUIRE(::mkdir((scratch / name).c_str(), 0755) == 0);
        test::write_file(scratch / "low/file", "low");
    }

    std::vector<base::Fd> lowers(base::FdRef user_namespace) const {
        std::vector<base::Fd> lowers;
        for (const char* name : {"low", "empty"}) {
            auto lower = rootfs::lower_mount(scratch / name, user_namespace);
            REQUIRE(lower);
            lowers.push_back(std::move(*lower));
        }
        return lowers;
    }

    test::Scratch scratch;
};

// An overlay with a file of its own name in the upper layer.
base::Result<base::Fd> mount_named(
        Overlays& overlays, const Place& place, const std::string& name, base::FdRef ids) {
    const auto lowers = place.lowers(ids);
    const std::string directory = place.scratch / ("volumes/" + name);
    for (const char* part : {"", "/upper", "/work"})
        TRY(base::sys::ensure_directory(directory + part, 0755));
    // A detached mount, as the root of a loop image is.
    const auto root = TRY(base::sys::clone_tree(base::FdRef{AT_FDCWD}, directory, false));
    const auto upper = TRY(base::sys::open_at(root, "upper", O_RDONLY | O_DIRECTORY));
    const auto work = TRY(base::sys::open_at(root, "work", O_RDONLY | O_DIRECTORY));
    TRY(base::sys::write_atomic_at(upper, "name", name, 0644, base::sys::Durable::no));
    return overlays.mount(
            {.lowers = lowers,
             .detached_lowers = true,
             .upper = upper,
             .work = work,
             .upper_mount = root});
}

bool mounted_below(const std::string& directory) {
    auto mounts = base::sys::read_host_file("/proc/self/mountinfo", 16 << 20);
    REQUIRE(mounts);
    return mounts->find(directory + "/") != std::string::npos;
}

}  // namespace

TEST_CASE("every way to mount an overlay that works here gives the same", "[root]") {
    NEEDS(root, userns);
    Place place;
    test::UserNamespace ids(0x12000000);
    int works = 0;
    for (const auto api :
         {OverlayApi::descriptors, OverlayApi::strings, OverlayApi::option_string}) {
        for (const bool attach : {false, true}) {
            Overlays overlays(place.scratch / "scratch", {.api = api, .attach = attach});
            const std::string name = std::string(rootfs::to_string(api)) + (attach ? "+" : "");
            auto root = mount_named(overlays, place, name, ids.fd());
            CHECK_FALSE(mounted_below(place.scratch.path()));
            if (!root) {
                // What needs no kernel of the last years must always work.
                CHECK_FALSE((api == OverlayApi::option_string && attach));
                continue;
            }
            ++works;
            CHECK(*base::sys::read_file_at(*root, "name") == name);
            CHECK(*base::sys::read_file_at(*root, "file") == "low");
            struct ::stat status = {};
            REQUIRE(::fstatat(root->get(), "file", &status, 0) == 0);
            CHECK(status.st_uid == ids.base());
        }
    }
    CHECK(works >= 1);
    auto chosen = Overlays::open(place.scratch.path());
    if (!chosen) FAIL(chosen.error().text);
    CHECK(mount_named(**chosen, place, "chosen", ids.fd()));
}

TEST_CASE("overlays mounted by path at the same time are never taken for each other", "[root]") {
    NEEDS(root, userns);
    Place place;
    test::UserNamespace ids(0x12010000);
    Overlays overlays(
            place.scratch / "scratch", {.api = OverlayApi::option_string, .attach = true});
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    constexpr int kThreads = 6;
    constexpr int kRounds = 15;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kRounds; ++i) {
                const std::string name = std::to_string(t) + "-" + std::to_string(i);
                auto root = mount_named(overlays, place, name, ids.fd());
                if (!root) continue;
                auto text = base::sys::read_file_at(*root, "name");
                if (text && *text == name) ++right;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(right == kThreads * kRounds);
    CHECK_FALSE(mounted_below(place.scratch.path()));
}

TEST_CASE("what a crash left mounted in the scratch directory goes at the next start", "[root]") {
    NEEDS(root);
    Place place;
    REQUIRE(::mkdir((place.scratch / "scratch/0").c_str(), 0700) == 0);
    for (int i = 0; i < 2; ++i) {
        auto tree = base::sys::clone_tree(base::FdRef{AT_FDCWD}, place.scratch / "low", false);
        REQUIRE(tree);
        REQUIRE(base::sys::attach_mount(*tree, base::FdRef{AT_FDCWD}, place.scratch / "scratch/0"));
    }
    CHECK(mounted_below(place.scratch.path()));
    REQUIRE(Overlays::open(place.scratch.path()));
    CHECK_FALSE(mounted_below(place.scratch.path()));
}
