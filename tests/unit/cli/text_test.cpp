#include "cli/copy_path.hpp"
#include "cli/detach_keys.hpp"
#include "cli/exit_code.hpp"
#include "cli/human.hpp"
#include "cli/image_name.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"

#include <catch2/catch.hpp>

using namespace cli;
using namespace std::chrono_literals;

TEST_CASE("a table aligns its columns and leaves no trailing blanks") {
    Table table({{"HANDLE"}, {"MEMORY", Table::Align::right}, {"STATE"}});
    table.add({"web", "12 MiB", "active"});
    table.add({"ünïcode-long", "1 B"});
    CHECK(table.text(false) ==
          "HANDLE         MEMORY   STATE\n"
          "web            12 MiB   active\n"
          "ünïcode-long      1 B   -\n");
    CHECK(table.text(true).starts_with("\x1b[1mHANDLE"));
}

TEST_CASE("text from containers cannot steer the terminal") {
    Table table({{"A"}});
    table.add({"\x1b[2Jx\r"});
    CHECK(table.text(false) == "A\n?[2Jx?\n");
    CHECK(printable("a\nb\tc\x7f", "\n\t") == "a\nb\tc?");
    CHECK(printable("\u009b31m\u0085 \u00a0ünï€𝄞") == "?31m? \u00a0ünï€𝄞");
    // Stray, cut off and too long: none of these is UTF-8, some terminals read C1 in them.
    CHECK(printable("\x9b"
                    "31m") == "?31m");
    CHECK(printable("\xe2\x82") == "??");
    CHECK(printable("\xe0\x82\x9b") == "???");
    CHECK(printable("\xc1\x9b\xff") == "???");
}

TEST_CASE("sizes are printed short and read back") {
    CHECK(human_bytes(0) == "0 B");
    CHECK(human_bytes(1536) == "1.5 KiB");
    CHECK(human_bytes(12U << 20) == "12 MiB");
    CHECK(human_age(59s) == "59 s");
    CHECK(human_age(3h) == "3 h");
    CHECK(human_age(72h) == "3 d");
    CHECK(parse_bytes("1024", "x").value() == 1024);
    CHECK(parse_bytes("1.5g", "x").value() == 1536U << 20);
    CHECK(parse_bytes("64MiB", "x").value() == 64U << 20);
    CHECK(parse_bytes("64mb", "x").value() == 64U << 20);
    for (const auto* bad : {"", "m", "0", "-1m", "1x", "1mm", "inf", "nan", "99999999t", "0x10"}) {
        INFO(bad);
        CHECK_FALSE(parse_bytes(bad, "x"));
    }
}

TEST_CASE("copy paths are read as docker reads them") {
    CHECK(parse_copy_path("h:/a/b").value().handle == "h");
    CHECK(parse_copy_path("h:/a/b").value().path == "/a/b");
    CHECK(parse_copy_path("h:rel").value().path == "rel");
    CHECK(parse_copy_path("h:/a/.").value().path == "/a/");
    CHECK(parse_copy_path("h:/a//").value().path == "/a/");
    CHECK(parse_copy_path("h:.").value().path == "./");
    CHECK(parse_copy_path("h:/").value().path == "/");
    CHECK(parse_copy_path("h:/.a.").value().path == "/.a.");
    CHECK(parse_copy_path("/a:b").value().local());
    CHECK(parse_copy_path("./h:b").value().path == "./h:b");
    CHECK(parse_copy_path("-").value().local());
    CHECK_FALSE(parse_copy_path(""));
    CHECK_FALSE(parse_copy_path(":/a"));
    CHECK_FALSE(parse_copy_path("h:"));
}

TEST_CASE("image names become URIs") {
    const auto uri = [](std::string_view name) { return image_uri(name, "/home/ana").value(); };
    CHECK(uri("busybox") == "docker:///busybox");
    CHECK(uri("busybox:1.36") == "docker:///busybox#1.36");
    CHECK(uri("team/app:v1") == "docker:///team/app#v1");
    CHECK(uri("localhost:5000/team/app:v1") == "docker://localhost:5000/team/app#v1");
    CHECK(uri("ghcr.io/a/b@sha256:00") == "docker://ghcr.io/a/b@sha256:00");
    CHECK(uri("docker://x/y#z") == "docker://x/y#z");
    CHECK(uri("preloaded:cflinuxfs4") == "preloaded:cflinuxfs4");
    CHECK(uri("/rootfs.tar") == "/rootfs.tar");
    CHECK(uri("./rootfs") == "/home/ana/./rootfs");
    CHECK_FALSE(image_uri("", "/"));
    // A shell in a removed directory: "/./rootfs" would be another place.
    CHECK_FALSE(image_uri("./rootfs", ""));
}

TEST_CASE("ctrl-p ctrl-q detaches and everything else passes") {
    DetachKeys keys;
    CHECK(keys.feed("ab\x10").data == "ab");
    const auto passed = keys.feed("c");
    CHECK(passed.data ==
          "\x10"
          "c");
    CHECK_FALSE(passed.detach);
    const auto twice = keys.feed("\x10\x10\x11rest");
    CHECK(twice.data == "\x10");
    CHECK(twice.detach);
    DetachKeys split;
    CHECK(split.feed("\x10").data.empty());
    CHECK(split.feed("\x11").detach);
}

TEST_CASE("progress is plain lines without a terminal, one per change") {
    PullProgress progress("busybox", 0);
    CHECK(progress.update({.step = "resolving"}) == "pull busybox: resolving\n");
    CHECK(progress.update({.step = "resolving"}).empty());
    CHECK(progress.update(
                  {.step = "downloading",
                   .layer = "sha256:0123456789abcdef",
                   .current = 0,
                   .total = 2048}) == "pull busybox: downloading 0123456789ab (2.0 KiB)\n");
    CHECK(progress.update({.step = "downloading",
                           .layer = "sha256:0123456789abcdef",
                           .current = 9,
                           .total = 2048})
                  .empty());
    CHECK(progress.update({.step = "done"}) == "pull busybox: done\n");
}

TEST_CASE("progress on a terminal redraws its lines in place and never wraps") {
    PullProgress progress("busybox", 60);
    (void)progress.update(
            {.step = "downloading",
             .layer = "sha256:aaaaaaaaaaaaaaaa",
             .current = 512,
             .total = 1024});
    const auto text = progress.update(
            {.step = "unpacking", .layer = "sha256:bbbbbbbbbbbbbbbb", .current = 1, .total = 0});
    CHECK(text.starts_with("\x1b[2A"));
    CHECK(text.find("[=") != std::string::npos);
    CHECK(text.find("512 B / 1.0 KiB") != std::string::npos);
    PullProgress narrow(std::string(200, 'i'), 20);
    const auto lines = narrow.update(
            {.step = "downloading", .layer = "sha256:aaaaaaaaaaaaaaaa", .current = 1, .total = 3});
    std::size_t begin = 0;
    for (auto end = lines.find('\n'); end != std::string::npos;
         begin = end + 1, end = lines.find('\n', begin))
        CHECK(end - begin - std::string_view("\r\x1b[2K").size() < 20);
    CHECK(progress_bar(0, 10, 12) == "[>         ]");
    CHECK(progress_bar(5, 10, 12) == "[=====>    ]");
    CHECK(progress_bar(20, 10, 12) == "[==========]");
}

TEST_CASE("errors become the exit codes of the conventions") {
    const auto error = [](base::Errc kind, std::string text) {
        return base::Error{.kind = kind, .sys = 0, .text = std::move(text), .where = {}};
    };
    CHECK(exit_code(error(base::Errc::not_found, "")) == 3);
    CHECK(exit_code(error(base::Errc::unavailable, "")) == 4);
    CHECK(exit_code(error(base::Errc::invalid, "")) == 2);
    CHECK(exit_code(error(base::Errc::internal, "")) == 1);
    CHECK(start_exit_code(error(
                  base::Errc::internal, "exec: \"x\": executable file not found in $PATH")) == 127);
    CHECK(start_exit_code(error(
                  base::Errc::internal, "exec: \"/x\": stat /x: no such file or directory")) ==
          127);
    CHECK(start_exit_code(
                  error(base::Errc::internal, "exec: \"/etc/passwd\": permission denied")) == 126);
    CHECK(start_exit_code(error(base::Errc::denied, "execute /etc/passwd: permission denied")) ==
          126);
    CHECK(start_exit_code(error(base::Errc::internal, "other")) == 125);
}
