#include "base/sys/file.hpp"
#include "cli/session.hpp"
#include "cli/tar_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch.hpp>

using namespace cli;
namespace fs = std::filesystem;

namespace {

struct Directory {
    std::string path = "/tmp/cli-tar-XXXXXX";
    fs::path before = fs::current_path();

    Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }

    ~Directory() {
        fs::current_path(before);  // unpack_tar stands in its directory
        fs::remove_all(path);
    }

    std::string operator/(const std::string& name) const { return path + "/" + name; }
};

void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}

std::string read(const std::string& path) {
    return base::sys::read_host_file(path).value_or("(none)");
}

TarSource source_of(std::string data) {
    return [data, at = std::size_t{0}](std::span<char> into) mutable -> base::Result<std::size_t> {
        const auto count = std::min(into.size(), data.size() - at);
        std::copy_n(data.data() + at, count, into.data());
        at += count;
        return count;
    };
}

std::string packed(const Directory& scratch, const std::string& path, const std::string& name) {
    const auto file =
            base::sys::open_host(scratch / "out.tar", O_CREAT | O_TRUNC | O_WRONLY, 0600).value();
    REQUIRE(pack_tar(path, name, file));
    return base::sys::read_host_file(scratch / "out.tar", 16 << 20).value();
}

// One entry of any kind, as a hostile container would write it.
struct Evil {
    std::string name;
    unsigned type = AE_IFREG;
    std::string link, content, hard;
};

std::string archive_of(const std::vector<Evil>& entries) {
    std::string out(1 << 20, 0);
    std::size_t used = 0;
    auto* a = ::archive_write_new();
    ::archive_write_set_format_pax_restricted(a);
    REQUIRE(::archive_write_open_memory(a, out.data(), out.size(), &used) == ARCHIVE_OK);
    for (const auto& each : entries) {
        auto* e = ::archive_entry_new();
        ::archive_entry_set_pathname(e, each.name.c_str());
        ::archive_entry_set_filetype(e, each.type);
        ::archive_entry_set_perm(e, 04755);
        ::archive_entry_set_size(e, static_cast<la_int64_t>(each.content.size()));
        if (!each.link.empty()) ::archive_entry_set_symlink(e, each.link.c_str());
        if (!each.hard.empty()) ::archive_entry_set_hardlink(e, each.hard.c_str());
        REQUIRE(::archive_write_header(a, e) == ARCHIVE_OK);
        (void)::archive_write_data(a, each.content.data(), each.content.size());
        ::archive_entry_free(e);
    }
    (void)::archive_write_close(a);
    (void)::archive_write_free(a);
    out.resize(used);
    return out;
}

}  // namespace

TEST_CASE("a tree is packed and unpacked under a new name") {
    Directory d;
    fs::create_directories(d / "src/inner");
    write(d / "src/a", "alpha");
    write(d / "src/inner/b", std::string(200'000, 'b'));
    fs::create_symlink("../a", d / "src/inner/link");
    const auto tar = packed(d, d / "src", "src");
    CHECK(first_entry(source_of(tar)).value() == EntryKind::directory);
    fs::create_directory(d / "dst");
    REQUIRE(unpack_tar(source_of(tar), d / "dst", "src", "copy"));
    CHECK(read(d / "dst/copy/a") == "alpha");
    CHECK(read(d / "dst/copy/inner/b").size() == 200'000);
    CHECK(fs::read_symlink(d / "dst/copy/inner/link") == "../a");
}

TEST_CASE("the content of a directory unpacks without its name") {
    Directory d;
    fs::create_directories(d / "src");
    write(d / "src/a", "alpha");
    fs::create_directory(d / "dst");
    REQUIRE(unpack_tar(source_of(packed(d, d / "src", ".")), d / "dst", ".", ""));
    CHECK(read(d / "dst/a") == "alpha");
}

TEST_CASE("hostile archives do not leave the directory") {
    Directory d;
    fs::create_directory(d / "dst");
    write(d / "victim", "untouched");
    const auto attack = [&](const std::vector<Evil>& entries) {
        (void)unpack_tar(source_of(archive_of(entries)), d / "dst", "x", "x");
        CHECK(read(d / "victim") == "untouched");
    };
    attack({{.name = "../victim", .content = "bad"}});
    attack({{.name = "x/../../victim", .content = "bad"}});
    attack({{.name = d / "victim", .content = "bad"}});
    attack({{.name = "x", .type = AE_IFLNK, .link = d.path},
            {.name = "x/victim", .content = "bad"}});
    attack({{.name = "x", .type = AE_IFDIR},
            {.name = "x/l", .type = AE_IFLNK, .link = "../.."},
            {.name = "x/l/victim", .content = "bad"}});
    attack({{.name = "x", .type = AE_IFDIR},
            {.name = "x/h", .hard = "../victim"},
            {.name = "x/h", .content = "bad"}});
}

TEST_CASE("set-id bits and devices of a container do not arrive") {
    Directory d;
    fs::create_directory(d / "dst");
    REQUIRE(unpack_tar(
            source_of(archive_of(
                    {{.name = "x", .type = AE_IFDIR},
                     {.name = "x/suid", .content = "c"},
                     {.name = "x/dev", .type = AE_IFCHR}})),
            d / "dst", "x", "x"));

    struct ::stat status {};

    REQUIRE(::stat((d / "dst/x/suid").c_str(), &status) == 0);
    CHECK((status.st_mode & 07000) == 0);
    CHECK_FALSE(fs::exists(d / "dst/x/dev"));
}

TEST_CASE("a cut archive is an error") {
    Directory d;
    write(d / "a", std::string(100'000, 'a'));
    fs::create_directory(d / "dst");
    const auto tar = packed(d, d / "a", "a");
    CHECK_FALSE(unpack_tar(source_of(tar.substr(0, 50'000)), d / "dst", "a", "a"));
    CHECK_FALSE(unpack_tar(source_of(""), d / "dst", "a", "a"));
}

TEST_CASE("the overlap of printed and fresh output is found") {
    CHECK(overlap("one\ntwo\n", "two\nthree\n") == 4);
    CHECK(overlap("abc", "xyz") == 0);
    CHECK(overlap("abc", "abc") == 3);
    CHECK(overlap("", "abc") == 0);
}

TEST_CASE("the only file of an archive is read within its limit") {
    const auto one = archive_of({{.name = "result", .content = std::string(100'000, 'r')}});
    CHECK(only_file(source_of(one), 100'000).value() == std::string(100'000, 'r'));
    const auto over = only_file(source_of(one), 99'999);
    REQUIRE_FALSE(over);
    CHECK(over.error().kind == base::Errc::exhausted);
    CHECK(only_file(source_of(archive_of({{.name = "empty"}})), 10).value().empty());
    const auto link = archive_of({{.name = "result", .type = AE_IFLNK, .link = "/etc/shadow"}});
    CHECK_FALSE(only_file(source_of(link), 10));
    CHECK_FALSE(only_file(source_of(archive_of({{.name = "d", .type = AE_IFDIR}})), 10));
    CHECK(only_file(source_of(archive_of({})), 10).error().kind == base::Errc::not_found);
    CHECK_FALSE(only_file(source_of(one.substr(0, 50'000)), 100'000));  // cut
}
