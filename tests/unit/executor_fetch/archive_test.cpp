#include "executor/fetch/archive.hpp"

#include "base/sys/file.hpp"
#include "executor/fetch/extract.hpp"
#include "fixture.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include <catch2/catch.hpp>

using namespace executor;
using base::Errc;
using test::Item;
using test::Pack;
namespace fs = std::filesystem;

namespace {

constexpr ArchiveLimits kLimits{.bytes = 1 << 20, .entries = 100};

struct Bench {
    test::Directory directory;
    base::Fd top;

    Bench() {
        fs::create_directory(directory.path + "/out");
        fs::create_directory(directory.path + "/outside");
        test::write_file(directory.path + "/outside/secret", "untouched");
        top = base::sys::open_host(directory.path + "/out", O_RDONLY | O_DIRECTORY).value();
    }

    std::string out(const std::string& name) const { return directory.path + "/out/" + name; }

    base::Fd file(std::string_view bytes) const {
        test::write_file(directory.path + "/in", bytes);
        return base::sys::open_host(directory.path + "/in", O_RDONLY).value();
    }

    base::Result<std::uint64_t> unpack(std::string_view bytes, ArchiveLimits limits = kLimits) {
        return extract(file(bytes), top, limits, {});
    }

    base::Result<std::vector<std::string>> normal(
            std::string_view bytes, ArchiveLimits limits = kLimits) {
        const auto to =
                base::sys::open_host(directory.path + "/t", O_RDWR | O_CREAT | O_TRUNC, 0600)
                        .value();
        const auto size = TRY(write_tar(file(bytes), to, limits, {}));
        CHECK(static_cast<std::uint64_t>(base::sys::stat_fd(to).value().st_size) == size);
        return test::list_tar(to);
    }
};

Item file(std::string name, std::string content = "x", unsigned mode = 0644) {
    return {.name = std::move(name), .content = std::move(content), .mode = mode};
}

Item soft(std::string name, std::string target) {
    return {.name = std::move(name), .content = std::move(target), .kind = Item::Kind::symlink};
}

Item hard(std::string name, std::string target) {
    return {.name = std::move(name), .content = std::move(target), .kind = Item::Kind::hardlink};
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("names are cleaned and those that leave are refused") {
    CHECK(clean_name("a/b").value() == "a/b");
    CHECK(clean_name("/abs//./b/").value() == "abs/b");
    CHECK(clean_name("./").value().empty());
    CHECK(clean_name("a..b/..c").value() == "a..b/..c");
    for (const auto* name : {"..", "../x", "a/../b", "/..", "a/.."})
        CHECK(clean_name(name).error().kind == Errc::invalid);
    CHECK_FALSE(clean_name(std::string(kMaxEntryName + 1, 'a')));
}

TEST_CASE("a slip out of the archive is refused in each format and both forms") {
    for (const auto kind : {Pack::tar, Pack::tar_gzip, Pack::zip}) {
        for (const auto& items :
             {std::vector{file("ok"), file("../outside/secret")},
              std::vector{file("a/../../outside/secret")}}) {
            Bench b;
            CHECK_FALSE(b.unpack(pack(kind, items)));
            CHECK_FALSE(b.normal(pack(kind, items)));
            CHECK(test::read_file(b.directory.path + "/outside/secret") == "untouched");
        }
    }
}

TEST_CASE("absolute names lose their slash") {
    Bench b;
    const auto bytes = pack(Pack::tar, {file("/etc/cloche-test-passwd", "mine")});
    REQUIRE(b.unpack(bytes));
    CHECK(test::read_file(b.out("etc/cloche-test-passwd")) == "mine");
    CHECK_FALSE(fs::exists("/etc/cloche-test-passwd"));
    CHECK(b.normal(bytes).value() == Lines{"etc/cloche-test-passwd=mine"});
}

TEST_CASE("nothing is written through a link that the archive brought") {
    for (const auto kind : {Pack::tar, Pack::zip}) {
        for (const auto& target : {std::string("../outside"), std::string("/tmp")}) {
            Bench b;
            CHECK_FALSE(b.unpack(pack(kind, {soft("d", target), file("d/secret", "gone")})));
            CHECK_FALSE(fs::exists("/tmp/secret"));
            CHECK(test::read_file(b.directory.path + "/outside/secret") == "untouched");
        }
    }
    // A file in place of a link replaces the link, not what it points to.
    Bench b;
    REQUIRE(b.unpack(pack(Pack::tar, {soft("f", "../outside/secret"), file("f", "mine")})));
    CHECK(test::read_file(b.directory.path + "/outside/secret") == "untouched");
    CHECK(test::read_file(b.out("f")) == "mine");
    // A directory over a link is no directory.
    Bench c;
    CHECK_FALSE(c.unpack(
            pack(Pack::tar, {soft("d", "../outside"),
                             {.name = "d", .content = "", .kind = Item::Kind::directory}})));
}

TEST_CASE("hard links stay inside and never follow a link") {
    Bench b;
    REQUIRE(b.unpack(pack(Pack::tar, {file("dir/a", "same"), hard("b", "dir/a")})));
    CHECK(test::read_file(b.out("b")) == "same");
    CHECK(fs::hard_link_count(b.out("b")) == 2);
    for (const auto& items :
         {std::vector{hard("h", "../outside/secret")},
          std::vector{soft("d", "../outside"), hard("h", "d/secret")}}) {
        Bench c;
        CHECK_FALSE(c.unpack(pack(Pack::tar, items)));
        CHECK_FALSE(fs::exists(c.out("h")));
    }
    // One to a link is a link of its own, and what follows does not write through it.
    Bench d;
    REQUIRE(d.unpack(
            pack(Pack::tar, {soft("l", "../outside/secret"), hard("h", "l"), file("h", "mine")})));
    CHECK(test::read_file(d.directory.path + "/outside/secret") == "untouched");
}

TEST_CASE("devices and fifos are refused") {
    for (const auto kind : {Item::Kind::device, Item::Kind::fifo}) {
        Bench b;
        const auto bytes =
                pack(Pack::tar, {{.name = "null", .content = "", .kind = kind, .mode = 0666}});
        CHECK(b.unpack(bytes).error().text.find("'null' is no file, directory or link") !=
              std::string::npos);
        CHECK_FALSE(b.normal(bytes));
    }
}

TEST_CASE("set-id bits go and everything is readable for all") {
    Bench b;
    REQUIRE(b.unpack(
            pack(Pack::tar,
                 {file("su", "x", 06755), file("private", "x", 0600), file("d/open", "x", 0777)})));
    const auto mode = [&](const std::string& name) {
        struct ::stat status {};
        REQUIRE(::stat(b.out(name).c_str(), &status) == 0);
        return status.st_mode & 07777;
    };
    CHECK(mode("su") == 0755);
    CHECK(mode("private") == 0644);
    CHECK(mode("d/open") == 0755);
    CHECK((mode("d") & 0555) == 0555);
}

TEST_CASE("a bomb is stopped at its bound") {
    const std::string zeros(std::size_t{8} << 20, '\0');
    for (const auto kind : {Pack::tar_gzip, Pack::zip}) {
        const auto bomb = pack(kind, {file("bomb", zeros)});
        CHECK(bomb.size() < 100'000);
        Bench b;
        CHECK(b.unpack(bomb).error().kind == Errc::exhausted);
        CHECK(b.normal(bomb).error().text == "archive: over 1048576 bytes unpacked");
    }
    // Many small ones, and more entries than may be.
    std::vector<Item> many;
    for (int i = 0; i < 90; ++i) many.push_back(file(std::to_string(i), std::string(20'000, 'x')));
    Bench b;
    CHECK(b.normal(pack(Pack::tar_gzip, many)).error().kind == Errc::exhausted);
    many.clear();
    for (int i = 0; i < 101; ++i) many.push_back(file(std::to_string(i)));
    CHECK(b.normal(pack(Pack::zip, many)).error().text == "archive: over 100 entries");
    CHECK(b.unpack(pack(Pack::tar, many)).error().kind == Errc::exhausted);
}

TEST_CASE("archives that are cut or bent are errors and never half successes") {
    const auto tgz = pack(Pack::tar_gzip, {file("a", std::string(5000, 'a')), file("b")});
    const auto zip = pack(Pack::zip, {file("a", std::string(5000, 'a')), file("b")});
    Bench b;
    for (const auto& whole : {tgz, zip})
        for (std::size_t size = 4; size + 12 < whole.size(); size += 3)
            CHECK_FALSE(b.normal(whole.substr(0, size)));
    const auto tar = pack(Pack::tar, {file("a", std::string(5000, 'a'))});
    CHECK_FALSE(b.normal(tar.substr(0, 3000)));
    // Any bent byte is either refused or gives clean names: no crash, nothing outside.
    for (std::size_t at = 0; at < zip.size(); ++at) {
        auto bent = zip;
        bent[at] = static_cast<char>(bent[at] ^ 0x55);
        (void)b.normal(bent);
    }
    CHECK(test::read_file(b.directory.path + "/outside/secret") == "untouched");
}

TEST_CASE("names of any bytes survive") {
    Bench b;
    const std::string umlaut = "\xc3\xa4/\xe2\x82\xac.txt";
    const std::string raw = "not\xffutf8";
    const std::string deep = std::string(180, 'd') + "/" + std::string(200, 'f');
    const auto bytes = pack(Pack::tar, {file(umlaut), file(raw), file(deep), soft("l", raw)});
    CHECK(b.normal(bytes).value() == Lines{umlaut + "=x", raw + "=x", deep + "=x", "l->" + raw});
    REQUIRE(b.unpack(bytes));
    CHECK(fs::exists(b.out(umlaut)));
}
