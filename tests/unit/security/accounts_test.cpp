#include "security/accounts.hpp"

#include <catch2/catch.hpp>

using security::AccountFiles;
using security::resolve_user;

namespace {

const AccountFiles kFiles{
        .passwd =
                "root:x:0:0:root:/root:/bin/sh\n"
                "alice:x:1001:1010:Alice:/home/alice:/bin/sh\n"
                "second:x:1001:7::/home/second:/bin/sh\n"
                "1234:x:55:55::/home/number:/bin/sh\n"
                "relative:x:60:60::home:/bin/sh\n"
                "nohome:x:61:61:::/bin/sh\n"
                "huge:x:4294967296:1::/:/bin/sh\n"
                "last:x:4294967295:1::/:/bin/sh\n"
                "broken:x:1\n"
                "tail:x:77:78::/home/tail:/bin/sh",
        .group = "root:x:0:\n"
                 "wheel:x:10:root\n"
                 "gardenparty:x:1010:alice\n"
                 "gardenparty2:x:1011:bob,alice\n"
                 "almost:x:1012:alicex,xalice\n"
                 "bad:x:nan:alice\n"
                 "huge:x:5000000000:alice"};

std::string error_of(std::string_view text, const AccountFiles& files = kFiles) {
    const auto user = resolve_user(text, files);
    return user ? "" : user.error().text;
}

using Ids = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("ID-09 users get exactly their groups, the primary one included") {
    const auto alice = resolve_user("alice", kFiles).value();
    CHECK(alice.uid == 1001);
    CHECK(alice.gid == 1010);
    CHECK(alice.groups == Ids{1010, 1011});
    CHECK(alice.home == "/home/alice");
    CHECK(alice.name == "alice");
    CHECK(resolve_user("root", kFiles).value().groups == Ids{0, 10});
}

TEST_CASE("garden 10.3 the empty user is root") {
    const auto user = resolve_user("", kFiles).value();
    CHECK(user.uid == 0);
    CHECK(user.gid == 0);
    CHECK(user.home == "/root");
    CHECK(user.groups == Ids{0, 10});
}

TEST_CASE("garden 10.3 numbers need no entry, but use one") {
    const auto known = resolve_user("1001", kFiles).value();
    CHECK(known.gid == 1010);
    CHECK(known.name == "alice");
    CHECK(known.groups == Ids{1010, 1011});
    const auto unknown = resolve_user("1000000000", kFiles).value();
    CHECK(unknown.uid == 1'000'000'000);
    CHECK(unknown.gid == 0);
    CHECK(unknown.home == "/");
    CHECK(unknown.name.empty());
    CHECK(unknown.groups == Ids{0});
}

TEST_CASE("garden 10.3 an explicit group is the only one") {
    for (const auto* text : {"alice:10", "alice:wheel", "1001:10", "1001:wheel"}) {
        const auto user = resolve_user(text, kFiles).value();
        CHECK(user.uid == 1001);
        CHECK(user.gid == 10);
        CHECK(user.groups.empty());
        CHECK(user.home == "/home/alice");
    }
    const auto user = resolve_user("1000000000:1000000000", kFiles).value();
    CHECK(user.uid == 1'000'000'000);
    CHECK(user.gid == 1'000'000'000);
    CHECK(user.groups.empty());
}

TEST_CASE("ID-10 digits are a number, never a name") {
    CHECK(resolve_user("1234", kFiles).value().uid == 1234);
    CHECK(resolve_user("1234", kFiles).value().home == "/");
}

TEST_CASE("ID-10 a number that is no id is an error, never root and never a name") {
    for (const auto* text :
         {"2147483648", "4294967295", "4294967296", "18446744073709551616",
          "99999999999999999999999", "-1", "0:2147483648", "0:4294967296", "alice:-5"}) {
        INFO(text);
        CHECK(error_of(text) == "uids and gids must be in range 0-2147483647");
    }
    CHECK(resolve_user("2147483647:2147483647", kFiles).value().uid == 2'147'483'647);
    CHECK(resolve_user("007", kFiles).value().uid == 7);
}

TEST_CASE("ID-10 entries whose numbers are no ids do not exist") {
    CHECK(error_of("huge").starts_with("unable to find user huge"));
    CHECK(error_of("last").starts_with("unable to find user last"));
    CHECK(error_of("0:huge").starts_with("unable to find group huge"));
    CHECK(error_of("broken").starts_with("unable to find user broken"));
}

TEST_CASE("garden §3 texts of unknown users and groups") {
    CHECK(error_of("nobody") == "unable to find user nobody: no matching entries in passwd file");
    CHECK(error_of("0:nothing") ==
          "unable to find group nothing: no matching entries in group file");
    for (const auto* text : {" alice", "alice ", "Alice", "0x0", "+1", "1e3", "x"}) {
        INFO(text);
        CHECK(error_of(text).starts_with("unable to find user"));
    }
    CHECK(error_of("a:b:c") == "user 'a:b:c' has more than one ':'");
    CHECK(error_of(std::string_view("al\0ice", 6)).find("control character") != std::string::npos);
    CHECK(error_of(std::string(2000, 'a')).find("the limit is 1024") != std::string::npos);
}

TEST_CASE("garden 10.3 without a passwd file root and numbers still work") {
    const AccountFiles none;
    for (const auto* text : {"", "root", "0"}) {
        const auto user = resolve_user(text, none).value();
        CHECK(user.uid == 0);
        CHECK(user.gid == 0);
        CHECK(user.home == "/");
    }
    CHECK(resolve_user("5:6", none).value().gid == 6);
    CHECK(error_of("alice", none) ==
          "unable to find user alice: no matching entries in passwd file");
    CHECK(error_of("root", {.passwd = "alice:x:1:1::/:\n", .group = ""})
                  .starts_with("unable to find user root"));
}

TEST_CASE("the last line needs no newline and homes are absolute") {
    CHECK(resolve_user("tail", kFiles).value().gid == 78);
    CHECK(resolve_user("relative", kFiles).value().home == "/");
    CHECK(resolve_user("nohome", kFiles).value().home == "/");
}
