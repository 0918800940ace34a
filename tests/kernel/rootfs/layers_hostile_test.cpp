#include "tests/kernel/rootfs/layers_store.hpp"
#include "tests/support/needs.hpp"

#include <sys/stat.h>

using base::Errc;
using Catch::Matchers::Contains;
using rootfs::Compression;
using test::Store;
using test::Tar;
using test::TarFields;

TEST_CASE("names that lead out of the layer are refused", "[root]") {
    NEEDS(root);
    Store store;
    test::write_file(store.scratch / "victim", "untouched");
    CHECK_THAT(store.refusal(Tar().file("../victim").end()), Contains("'..' component"));
    CHECK_THAT(store.refusal(Tar().file("a/../../victim").end()), Contains("'..' component"));
    CHECK_THAT(
            store.refusal(Tar().file(std::string(400, 'n')).end()),
            Contains("400 bytes, the limit is 255"));
    std::string deep;
    for (int i = 0; i < 2'100; ++i) deep += "d/";
    CHECK_THAT(store.refusal(Tar().file(deep + "f").end()), Contains("the limit is 4096"));
    CHECK_THAT(
            store.refusal(Tar().file(std::string(10'000, '/') + "f").end()),
            Contains("the limit is 4096"));
    CHECK(test::read_file(store.scratch / "victim") == "untouched");
    // A leading slash is the root of the layer, nothing else.
    CHECK(test::read_file(store.tree(Tar().file("//etc//absolute").end()) + "/etc/absolute") ==
          "x");
}

TEST_CASE("links are never a way for later entries", "[root]") {
    NEEDS(root);
    Store store;
    const std::string outside = store.scratch.path();
    CHECK_THAT(
            store.refusal(Tar().symlink("out", outside).file("out/planted").end()),
            Contains("out is a symbolic link"));
    CHECK_THAT(
            store.refusal(Tar().symlink("out", "../../..").file("out/planted").end()),
            Contains("symbolic link"));
    CHECK_THAT(
            store.refusal(Tar().symlink("a", "b").symlink("b", "a").file("a/x").end()),
            Contains("symbolic link"));
    CHECK_THAT(
            store.refusal(Tar().symlink("p", ".").directory("p/p/").end()),
            Contains("symbolic link"));
    CHECK_THAT(
            store.refusal(Tar().file("f").file("f/below").end()), Contains("f is not a directory"));
    CHECK_FALSE(std::filesystem::exists(outside + "/planted"));
    // A whiteout through a link neither.
    CHECK_THAT(
            store.refusal(Tar().symlink("l", outside).file("l/.wh.blob", "").end()),
            Contains("symbolic link"));
    CHECK_THAT(
            store.refusal(Tar().symlink("l", "x").file("l/.wh..wh..opq", "").end()),
            Contains("symbolic link"));
}

TEST_CASE("hard links stay inside and on files", "[root]") {
    NEEDS(root);
    Store store;
    CHECK_THAT(
            store.refusal(Tar().hardlink("h", "/etc/passwd").end()), Contains("not in this layer"));
    CHECK_THAT(
            store.refusal(Tar().hardlink("h", "../../../../etc/passwd").end()), Contains("'..'"));
    CHECK_THAT(
            store.refusal(Tar().symlink("s", "/etc").hardlink("h", "s/passwd").end()),
            Contains("not in this layer"));
    CHECK_THAT(
            store.refusal(Tar().symlink("s", "/etc/passwd").hardlink("h", "s").end()),
            Contains("not a file"));
    CHECK_THAT(
            store.refusal(Tar().directory("d/").hardlink("h", "d").end()), Contains("not a file"));
    CHECK_THAT(store.refusal(Tar().file("f").hardlink("f", "f").end()), Contains("to itself"));
    CHECK_THAT(
            store.refusal(Tar().file(".wh.w", "").hardlink("h", "w").end()),
            Contains("not a file"));
}

TEST_CASE("device nodes are skipped and counted, whiteouts in disguise refused", "[root]") {
    NEEDS(root);
    Store store;
    const auto info = store.unpack(
            Tar().add({.name = "null", .type = '3', .mode = 0666, .major = 1, .minor = 3})
                    .add({.name = "disk", .type = '4', .major = 8, .minor = 0})
                    .file("f")
                    .end());
    REQUIRE(info);
    CHECK(info->skipped_devices == 2);
    CHECK(test::count_entries(store.layers->directory_of(info->diff_id)) == 1);
    REQUIRE(store.layers->remove(info->diff_id));
    CHECK_THAT(store.refusal(Tar().add({.name = "wh", .type = '3'}).end()), Contains("0:0"));
    for (const std::string name : {".wh.", ".wh..", ".wh...", "d/.wh.", ".wh.x/y"}) {
        INFO(name);
        CHECK_THAT(store.refusal(Tar().file(name, "").end()), Contains("whiteout"));
    }
}

TEST_CASE("attributes that mean something to overlay or another root are refused", "[root]") {
    NEEDS(root);
    Store store;
    const auto with = [](const std::string& name, const std::string& value) {
        return Tar().add({.name = "f", .pax = {{"SCHILY.xattr." + name, value}}}).end();
    };
    CHECK_THAT(
            store.refusal(with("trusted.overlay.redirect", "/etc")),
            Contains("trusted.overlay.redirect is not for images"));
    CHECK_THAT(store.refusal(with("user.overlay.opaque", "y")), Contains("not for images"));
    CHECK_THAT(store.refusal(with("security.capability", "short")), Contains("5 bytes"));
    const std::string other_root(
            "\x00\x00\x00\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xe8"
            "\x03\x00\x00",
            24);
    CHECK_THAT(store.refusal(with("security.capability", other_root)), Contains("root id 1000"));
    TarFields many{.name = "f"};
    for (int i = 0; i < 65; ++i)
        many.pax.emplace_back("SCHILY.xattr.user.a" + std::to_string(i), "v");
    CHECK_THAT(store.refusal(Tar().add(many).end()), Contains("the limit is 64"));
}

TEST_CASE("ids beyond the range are refused and named", "[root]") {
    NEEDS(root);
    Store store;
    CHECK_THAT(
            store.refusal(Tar().add({.name = "big", .uid = 65'536}).end()),
            Contains("entry big: uid 65536 is outside of 0 to 65535"));
    CHECK_THAT(
            store.refusal(Tar().add({.name = "big", .gid = 4'294'967'295}).end()),
            Contains("gid 4294967295"));
    CHECK_THAT(
            store.refusal(Tar().add({.name = "neg", .pax = {{"uid", "-1"}}}).end()),
            Contains("neg"));
    CHECK(store.unpack(Tar().add({.name = "edge", .uid = 65'535, .gid = 65'535}).end()));
}

TEST_CASE("bombs stop early and say which limit", "[root]") {
    NEEDS(root);
    Store small(
            {.layer_bytes = 64 << 20, .ratio = 200, .ratio_free_bytes = 4 << 20, .entries = 1'000});
    const std::string zeros(std::size_t{48} << 20, '\0');
    CHECK_THAT(
            small.refusal(test::gzip(Tar().file("zeros", zeros).end(), 9), Compression::gzip),
            Contains("ratio of 200"));
    CHECK(small.kind == Errc::exhausted);
    CHECK_THAT(
            small.refusal(test::zstd(Tar().file("zeros", zeros).end()), Compression::zstd),
            Contains("ratio of 200"));
    CHECK_THAT(small.refusal(Tar().file("a", zeros).file("b", zeros).end()), Contains("67108864"));
    std::string sparse = "1\n999999999990\n9\n";
    sparse.resize(512, '\0');
    sparse += "ninebytes";
    // A size that is only claimed, and a hole that only looks large.
    CHECK_THAT(
            small.refusal(
                    Tar().add({.name = "claim", .claimed_size = std::uint64_t{7} << 30}).end()),
            Contains("67108864"));
    CHECK_THAT(
            small.refusal(Tar().add({.name = "s",
                                     .data = sparse,
                                     .pax = {{"GNU.sparse.major", "1"},
                                             {"GNU.sparse.minor", "0"},
                                             {"GNU.sparse.name", "s"},
                                             {"GNU.sparse.realsize", "999999999999"}}})
                                  .end()),
            Contains("999999999999 bytes"));
    Tar crowd;
    for (int i = 0; i < 1'001; ++i) crowd.file("f" + std::to_string(i), "");
    CHECK_THAT(small.refusal(crowd.end()), Contains("1000 entries"));
    CHECK(small.kind == Errc::exhausted);
}

TEST_CASE("damaged blobs are errors and leave nothing", "[root]") {
    NEEDS(root);
    Store store;
    const std::string tar =
            Tar().file("data", std::string(300'000, 'd') + std::string(300'000, 'e')).end();
    const std::string packed = test::gzip(tar);
    CHECK_THAT(
            store.refusal(packed.substr(0, packed.size() / 2), Compression::gzip),
            Contains("cut off"));
    CHECK_THAT(
            store.refusal(packed.substr(0, packed.size() - 3), Compression::gzip),
            Contains("gzip"));
    CHECK_THAT(store.refusal(packed + "garbage", Compression::gzip), Contains("follow the end"));
    CHECK_THAT(
            store.refusal(packed + std::string(512, '\0'), Compression::gzip),
            Contains("follow the end"));
    std::string wrong = packed;
    wrong[wrong.size() - 6] =
            static_cast<char>(wrong[wrong.size() - 6] ^ 1);  // in the trailer's checksum
    CHECK_THAT(store.refusal(wrong, Compression::gzip), Contains("checksum"));
    CHECK_THAT(store.refusal("", Compression::gzip), Contains("cut off"));
    const std::string frame = test::zstd(tar);
    CHECK_THAT(
            store.refusal(frame.substr(0, frame.size() - 5), Compression::zstd),
            Contains("cut off"));
    CHECK_THAT(store.refusal(frame + "garbage", Compression::zstd), Contains("zstd"));
    CHECK_THAT(store.refusal(packed, Compression::zstd), Contains("zstd"));
    CHECK_THAT(store.refusal("", Compression::zstd), Contains("cut off"));
    CHECK_THAT(store.refusal(tar.substr(0, 100'000)), Contains("tar"));
    CHECK_THAT(
            store.refusal(Tar().add({.name = "f", .bad_checksum = true}).end()), Contains("tar"));
    CHECK_THAT(store.refusal(std::string(2048, 'z')), Contains("tar"));
    CHECK(store.kind == Errc::corrupt);
}

TEST_CASE("pax headers that are garbage end the layer", "[root]") {
    NEEDS(root);
    Store store;
    const auto extension = [](const std::string& body) {
        return Tar().add({.name = "x", .type = 'x', .data = body}).file("f").end();
    };
    for (const std::string body :
         {"garbage", "99999999999999 path=x\n", "-5 path=x\n", "0 path=x\n", "12 pathnoequal\n"}) {
        INFO(body);
        CHECK_THAT(store.refusal(extension(body)), Contains("tar"));
    }
    CHECK_THAT(
            store.refusal(
                    Tar().add({.name = "L", .type = 'L', .claimed_size = std::uint64_t{1} << 30})
                            .end()),
            Contains("tar"));
    CHECK_THAT(
            store.refusal(Tar().add({.name = "f", .pax = {{"size", "-1"}}}).end()), Contains(""));
}

TEST_CASE("another content than the expected one is refused", "[root]") {
    NEEDS(root);
    Store store;
    const std::string tar = Tar().file("f").end();
    const std::string other = "sha256:" + std::string(64, '0');
    const auto info = store.unpack(tar, Compression::none, other);
    REQUIRE_FALSE(info);
    CHECK(info.error().kind == Errc::corrupt);
    CHECK_THAT(info.error().text, Contains(test::sha256_of(tar)) && Contains(other));
    CHECK(store.leftovers() == 0);
    CHECK(store.layers->find(other).error().kind == Errc::not_found);
    CHECK(store.unpack(tar, Compression::none, "../x").error().kind == Errc::invalid);
}

TEST_CASE("control bytes of a hostile name do not reach the error text", "[root]") {
    NEEDS(root);
    Store store;
    const std::string text = store.refusal(Tar().file("..\x1b[31m/../red\n").end());
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
}

TEST_CASE("a missing unpacker is an error that leaves nothing", "[root]") {
    NEEDS(root);
    Store store;
    const std::string program = store.scratch / "missing-program";
    auto other = rootfs::LayerStore::open(store.scratch / "other", program, {});
    REQUIRE(other);
    const auto file = store.blob(Tar().file("f").end());
    const auto info = (*other)->unpack(
            {.blob = file, .compression = Compression::none}, nullptr, store.never);
    REQUIRE_FALSE(info);
    CHECK(info.error().kind == Errc::not_found);
    CHECK_THAT(info.error().text, Contains("missing-program"));
    CHECK(test::count_entries(store.scratch / "other/tmp") == 0);
}
