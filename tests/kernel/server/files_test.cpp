// Tar streams in and out (garden-api §8).
#include "server_fixture.hpp"
#include "tests/support/needs.hpp"

#include <sys/socket.h>

#include <thread>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;

namespace {

std::string put(const std::string& target, const std::string& body) {
    return "PUT " + target + " HTTP/1.1\r\nHost: api\r\nConnection: close\r\n" +
           "Content-Type: application/x-tar\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

std::string chunked(std::string_view body, std::size_t piece) {
    std::string out;
    while (!body.empty()) {
        const auto part = body.substr(0, piece);
        char size[32];
        (void)std::snprintf(size, sizeof size, "%zx\r\n", part.size());
        out.append(size).append(part).append("\r\n");
        body.remove_prefix(part.size());
    }
    return out + "0\r\n\r\n";
}

std::string dechunk(std::string_view text) {
    std::string out;
    for (;;) {
        const auto end = text.find("\r\n");
        if (end == std::string_view::npos) FAIL("no chunk in \"" << text.substr(0, 100) << "\"");
        std::size_t size = 0;
        for (const char c : text.substr(0, end))
            size = size * 16 + static_cast<std::size_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        if (size == 0) return out;
        out.append(text.substr(end + 2, size));
        text.remove_prefix(end + 4 + size);
    }
}

}  // namespace

TEST_CASE("an archive goes in with a length and in chunks, and belongs to its user") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto tar = tar_of({{"some/", ""}, {"some/file", "content\n"}});
    Wire whole(fixture.endpoint());
    whole.send(put("/containers/c/files?user=alice&destination=/home/alice/a", tar));
    CHECK(parse_answer(whole.rest()).line() == "200 {}\n");
    Wire parts(fixture.endpoint());
    parts.send(
            "PUT /containers/c/files?user=&destination=b%20c HTTP/1.1\r\nHost: api\r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
            chunked(tar, 700));
    CHECK(parse_answer(parts.rest()).line() == "200 {}\n");
    CHECK(fixture.run("c", {"cat", "/home/alice/a/some/file", "/root/b c/some/file"}).out ==
          "content\ncontent\n");
    CHECK(fixture.run("c", {"stat", "-c", "%U:%G", "/home/alice/a/some/file"}).out ==
          "alice:alice\n");
}

TEST_CASE("an archive that is broken, or may not be written, is an error that the client gets") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto send = [&](const std::string& target, const std::string& body) {
        Wire wire(fixture.endpoint());
        wire.send(put(target, body));
        return parse_answer(wire.rest());
    };
    const auto tar = tar_of({{"file", std::string(100'000, 'x')}});
    const auto root = std::string("/containers/c/files?user=root&destination=/tmp/x");
    for (const auto& body : {std::string("0123456789"), tar.substr(0, 50'000)}) {
        const auto broken = send(root, body);
        CHECK(broken.status >= 400);
        CHECK(broken.body.find("error streaming in") != std::string::npos);
    }
    CHECK(send("/containers/c/files?user=bob&destination=/tmp", tar)
                  .body.find("error streaming in") != std::string::npos);
    // The answer comes early, while the client still sends: it must arrive all the same.
    const auto large = tar_of({{"file", std::string(8 << 20, 'x')}});
    for (int i = 0; i < 5; ++i) {
        const auto denied = send("/containers/c/files?user=alice&destination=/root/x", large);
        CHECK(denied.status >= 400);
        CHECK(denied.body.find("error streaming in") != std::string::npos);
        CHECK(denied.body.find("Permission denied") != std::string::npos);
    }
    CHECK(send("/containers/nope/files?user=alice&destination=/tmp", large).status == 404);
}

TEST_CASE("a body that breaks off is no archive, even when its part could be unpacked") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto tar = tar_of({{"file", "x"}});
    Wire wire(fixture.endpoint());
    const auto text = chunked(tar, 700);
    wire.send(
            "PUT /containers/c/files?user=root&destination=/tmp/x HTTP/1.1\r\nHost: api\r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
            text.substr(0, text.size() - 5));  // without the last chunk
    (void)::shutdown(wire.socket().get(), SHUT_WR);
    const auto answer = wire.rest();
    CHECK(answer.find(" 200 ") == std::string::npos);
    CHECK(call(fixture.endpoint(), "GET", "/containers/c/info").status == 200);
}

TEST_CASE("an archive comes out: a directory by its name, with a slash by its contents") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    fixture.run("c", {"sh", "-c", "echo one > /tmp/f; touch /home/alice/there"});
    const auto get = [&](const std::string& query) {
        return call(fixture.endpoint(), "GET", "/containers/c/files?" + query);
    };
    const auto file = get("user=root&source=/tmp/f");
    CHECK(file.head ==
          "HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n"
          "Connection: close\r\n");
    const auto tar = dechunk(file.body);
    CHECK(tar.starts_with(std::string("f\0", 2)));
    CHECK(tar.substr(512, 4) == "one\n");
    CHECK(dechunk(get("user=alice&source=../alice").body).starts_with("alice/"));
    CHECK(dechunk(get("user=alice&source=/home/alice/").body).starts_with("./"));
    const auto missing = get("user=root&source=/does/not/exist");
    CHECK(missing.status >= 400);
    CHECK(missing.body.find("stream-out") != std::string::npos);
    CHECK(get("user=bob&source=/tmp").status >= 400);
    // What comes out goes in.
    Wire wire(fixture.endpoint());
    wire.send(put("/containers/c/files?user=alice&destination=copy", tar));
    CHECK(parse_answer(wire.rest()).status == 200);
    CHECK(fixture.run("c", {"cat", "/home/alice/copy/f"}).out == "one\n");
}

TEST_CASE("a client that reads no further ends the producer") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    fixture.run("c", {"dd", "if=/dev/zero", "of=/tmp/big", "bs=1048576", "count=50"});
    {
        Wire wire(fixture.endpoint());
        wire.send(go_request("GET", "/containers/c/files?user=root&source=/tmp/big"));
        (void)wire.until("\r\n\r\n");
    }
    // Its place is free again, and the container can go.
    CHECK(eventually([&] {
        return fixture.service().metrics().text().find(
                       "gardend_at_work{share=\"file streams\"} 0") != std::string::npos;
    }));
    CHECK(call(fixture.endpoint(), "DELETE", "/containers/c").status == 200);
}

TEST_CASE("files of a stopped container can be streamed") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    CHECK(call(fixture.endpoint(), "PUT", "/containers/c/stop", "{}").line() == "200 {}\n");
    Wire wire(fixture.endpoint());
    wire.send(put("/containers/c/files?user=root&destination=/tmp", tar_of({{"a", "b"}})));
    CHECK(parse_answer(wire.rest()).status == 200);
    auto client = fixture.client();
    auto out = client.stream_out("c", "root", "/tmp/a").value();
    CHECK(out.read_all(1 << 20).value().starts_with("a"));
    std::string left = tar_of({{"typed", "text"}});
    client.stream_in("c", "root", "/tmp", [&](std::span<char> into) -> base::Result<std::size_t> {
              const auto count = std::min(into.size(), left.size());
              std::copy_n(left.begin(), count, into.begin());
              left.erase(0, count);
              return count;
          }).value();
    CHECK(fixture.run("c", {"cat", "/tmp/typed"}).out == "text");
}
