// The small parts of the store: limits, last use, seals.
#include "base/sys/file.hpp"
#include "rootfs/image/last_use.hpp"
#include "rootfs/store/seal.hpp"
#include "rootfs/store_limit.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include <catch2/catch.hpp>

namespace {

struct Directory {
    std::string path = (std::filesystem::temp_directory_path() /
                        ("cloche-store-" + std::to_string(::getpid()) + "-XXXXXX"))
                               .string();
    base::Fd fd;

    Directory() {
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        fd = std::move(*base::sys::open_host(path, O_RDONLY | O_DIRECTORY));
    }

    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    ~Directory() { std::filesystem::remove_all(path); }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path + "/" + name) << text;
    }
};

std::string digest(char letter) {
    return "sha256:" + std::string(64, letter);
}

}  // namespace

TEST_CASE("limits of the store are percent or bytes") {
    using rootfs::parse_store_limit;
    using rootfs::StoreLimit;
    CHECK_FALSE(parse_store_limit("", "x")->set());
    CHECK(*parse_store_limit("85%", "x") == StoreLimit{.percent = 85});
    CHECK(*parse_store_limit("20G", "x") == StoreLimit{.bytes = std::uint64_t{20} << 30});
    CHECK(*parse_store_limit("4096", "x") == StoreLimit{.bytes = 4096});
    for (const char* text : {"0", "0%", "100%", "-1", "1.5G", "G", "%", "20 G", "99999999999T"})
        CHECK_FALSE(parse_store_limit(text, "x"));
}

TEST_CASE("the last use of an image is found again and a broken file is none") {
    const Directory directory;
    {
        rootfs::LastUse uses(directory.fd);
        CHECK(uses.of(digest('a'), 5) == 5);
        uses.touch(digest('a'), 100);
        uses.touch(digest('b'), 200);
        uses.forget(digest('b'));
        CHECK(uses.of(digest('a'), 300) == 300);
        REQUIRE(uses.save());
    }
    rootfs::LastUse again(directory.fd);
    CHECK(again.of(digest('a'), 0) == 100);
    CHECK(again.of(digest('b'), 0) == 0);
    directory.write("last-use", "nonsense\n" + digest('a') + " x\n\n" + digest('b') + " 7");
    const rootfs::LastUse broken(directory.fd);
    CHECK(broken.of(digest('a'), 1) == 1);
    CHECK(broken.of(digest('b'), 1) == 7);
}

TEST_CASE("a seal finds what was changed, added and removed") {
    const std::atomic<bool> never{false};
    const auto found = [&never](const std::function<void(const std::string&)>& change) {
        const Directory tree;
        std::filesystem::create_directory(tree.path + "/d");
        tree.write("d/one", "content");
        tree.write("two\nlines", "x");
        std::filesystem::create_symlink("d/one", tree.path + "/link");
        std::filesystem::create_hard_link(tree.path + "/d/one", tree.path + "/name");
        const auto seal = rootfs::seal_tree(tree.fd);
        REQUIRE(seal);
        const auto clean = rootfs::check_seal(tree.fd, *seal, never);
        REQUIRE(clean);
        REQUIRE(clean->differences == 0);
        CHECK(clean->entries == 6);
        CHECK(clean->bytes == 8);
        change(tree.path);
        const auto check = rootfs::check_seal(tree.fd, *seal, never);
        REQUIRE(check);
        CHECK(check->differences == check->findings.size());
        std::string text;
        for (const auto& finding : check->findings) text += finding + "|";
        return text;
    };
    CHECK(found([](const auto&) {}).empty());
    CHECK(found([](const auto& path) { std::filesystem::remove(path + "/link"); }) ==
          "missing: link|");
    CHECK(found([](const auto& path) { std::ofstream(path + "/d/new"); }) == "added: d/new|");
    CHECK(found([](const auto& path) { (void)::chmod((path + "/d").c_str(), 0700 | S_ISVTX); }) ==
          "changed: d (mode)|");
    CHECK(found([](const auto& path) {
              std::filesystem::remove(path + "/link");
              std::filesystem::create_symlink("elsewhere", path + "/link");
          }).starts_with("changed: link ("));
    const auto both = found([](const auto& path) { std::ofstream(path + "/name") << "cOntent"; });
    CHECK_THAT(both, Catch::Contains("d/one") && Catch::Contains("changed: name"));
    CHECK(found([](const auto& path) { std::filesystem::remove(path + "/two\nlines"); }) ==
          "missing: two\\nlines|");
}

TEST_CASE("a seal that is not whole is refused") {
    const std::atomic<bool> never{false};
    const Directory tree;
    const auto seal = rootfs::seal_tree(tree.fd);
    REQUIRE(seal);
    for (const auto& text :
         {std::string(), seal->substr(1), seal->substr(0, seal->size() - 1), *seal + "\n"})
        CHECK_FALSE(rootfs::check_seal(tree.fd, text, never));
}
