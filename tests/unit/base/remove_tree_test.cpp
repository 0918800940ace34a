#include "base/sys/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

namespace {

namespace fs = std::filesystem;
using base::FdRef;
using base::sys::remove_tree_at;

struct Place {
    fs::path path =
            fs::temp_directory_path() / ("cloche-remove-tree-" + std::to_string(::getpid()));

    Place() {
        fs::create_directories(path / "tree/deep/deeper");
        std::ofstream(path / "tree/deep/file") << "text";
        fs::create_directory(path / "outside");
        std::ofstream(path / "outside/kept") << "text";
        fs::create_directory_symlink(path / "outside", path / "tree/link");
    }

    ~Place() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("a tree is removed by its absolute path, and what its links name stays") {
    const Place place;
    for (const auto* slashes : {"", "//"}) {
        fs::create_directories(place.path / "tree/deep");
        REQUIRE(remove_tree_at(FdRef{AT_FDCWD}, place.path.string() + "/tree" + slashes));
        CHECK_FALSE(fs::exists(place.path / "tree"));
    }
    CHECK(fs::exists(place.path / "outside/kept"));
    CHECK(remove_tree_at(FdRef{AT_FDCWD}, place.path.string() + "/tree"));
    CHECK(remove_tree_at(FdRef{AT_FDCWD}, place.path.string() + "/not/there/at/all"));
}

TEST_CASE("an absolute path below a directory is refused and removes nothing") {
    const Place place;
    const auto parent =
            base::sys::open_host(place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(parent);
    const auto refused = remove_tree_at(*parent, place.path.string() + "/outside");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == base::Errc::invalid);
    CHECK(fs::exists(place.path / "outside/kept"));
    const auto root = remove_tree_at(FdRef{AT_FDCWD}, "/");
    REQUIRE_FALSE(root);
    CHECK(root.error().kind == base::Errc::invalid);
}
