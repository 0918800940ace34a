#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "fixture.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

using namespace base::http;
using test::HttpServer;
using test::RawConnection;
using namespace std::chrono_literals;

namespace {

std::string pattern(std::size_t size) {
    std::string out(size, 0);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
    return out;
}

ClientRequest get(std::string target) {
    return {.method = "GET", .target = std::move(target), .headers = {}, .body = {}};
}

ClientRequest upload_of(const std::string& data, std::size_t& at) {
    return {.method = "PUT",
            .target = "/",
            .headers = {},
            .body = {},
            .upload = [&data, &at](std::span<char> into) -> base::Result<std::size_t> {
                const auto count = std::min(into.size(), data.size() - at);
                std::copy_n(data.data() + at, count, into.data());
                at += count;
                return count;
            }};
}

}  // namespace

TEST_CASE("a body of any size goes through a pipe and comes back from a pipe") {
    HttpServer server([](Request& request) -> Response {
        auto pipe = request.body_pipe();
        if (!pipe) return Response::error(pipe.error());
        auto all = base::sys::read_all(pipe->read_end(), 64 << 20);
        if (auto whole = pipe->finish(); !whole) return Response::error(whole.error());
        auto back = base::sys::make_pipe().value();
        auto writer = std::make_shared<std::thread>(
                [end = std::make_shared<base::Fd>(std::move(back.write)),
                 data = std::move(all).value()] {
                    (void)base::sys::write_all(*end, data);
                    end->reset();
                });
        return Response::from_fd(
                std::move(back.read), "application/x-tar", [writer]() -> base::Result<void> {
                    writer->join();
                    return base::ok;
                });
    });
    auto client = server.client();
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3} << 20}) {
        const auto data = pattern(size);
        std::size_t at = 0;
        auto answer = client.call(upload_of(data, at), 64 << 20);
        REQUIRE(answer);
        CHECK(answer->status == 200);
        CHECK(answer->body == data);
    }
}

TEST_CASE("an upload that is broken off is an error for the handler") {
    std::promise<base::Errc> seen;
    HttpServer server([&](Request& request) -> Response {
        auto pipe = request.body_pipe();
        (void)base::sys::read_all(pipe->read_end(), 1 << 20);
        auto whole = pipe->finish();
        seen.set_value(whole ? base::Errc::internal : whole.error().kind);
        return Response::text(400, "");
    });
    {
        RawConnection raw(server.endpoint());
        raw.send("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
        raw.close_write();
    }
    CHECK(seen.get_future().get() == base::Errc::unavailable);
}

TEST_CASE("a consumer that stops early does not wait for the rest of the body") {
    HttpServer server([](Request& request) -> Response {
        auto pipe = request.body_pipe();
        char first = 0;
        (void)!::read(pipe->read_end().get(), &first, 1);
        auto whole = pipe->finish();
        return Response::text(500, whole ? "stopped" : whole.error().text);
    });
    RawConnection raw(server.endpoint());
    raw.send("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    CHECK(raw.read_until("stopped", 2s).starts_with("HTTP/1.1 500"));
}

TEST_CASE("a stream that fails midway is cut, not ended") {
    HttpServer server([](Request&) {
        Response response = Response::text(200, "");
        response.stream = [](Writer& writer) -> base::Result<void> {
            TRY(writer.write("part"));
            return base::fail(base::Errc::internal, "tar failed");
        };
        return response;
    });
    auto answer = server.client().call(get("/"));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == base::Errc::unavailable);
}

TEST_CASE("a producer stops when the client has gone") {
    std::promise<void> stopped;
    HttpServer server([&](Request&) {
        Response response = Response::text(200, "");
        response.stream = [&](Writer& writer) -> base::Result<void> {
            const std::string block(64 * 1024, 'x');
            for (;;) {
                auto written = writer.write(block);
                if (written) continue;
                stopped.set_value();
                return written;
            }
        };
        return response;
    });
    {
        auto client = server.client();
        auto stream = client.open(get("/")).value();
        std::array<char, 100> piece{};
        CHECK(stream.read_some(piece).value() > 0);
    }
    CHECK(stopped.get_future().wait_for(3s) == std::future_status::ready);
}

TEST_CASE("a hijacked connection hands over the socket and what was read too far") {
    std::promise<Hijacked> taken;
    HttpServer server([&](Request& request) {
        auto body = request.read_body();
        REQUIRE(body);
        return Response::hijack(
                201, [&](Hijacked hijacked) { taken.set_value(std::move(hijacked)); });
    });
    RawConnection raw(server.endpoint());
    raw.send("POST /p HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}{\"early\":1}\n");
    const auto head = raw.read_until("\r\n\r\n");
    CHECK(head.starts_with("HTTP/1.1 201 Created\r\n"));
    CHECK(head.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(head.find("Connection") == std::string::npos);
    auto hijacked = taken.get_future().get();
    CHECK(hijacked.leftover == "{\"early\":1}\n");
    REQUIRE(base::sys::write_all(hijacked.socket, "raw bytes"));
    CHECK(raw.read_until("raw bytes") == "raw bytes");
    raw.send("more");
    char got[5] = "";
    CHECK(::recv(hijacked.socket.get(), got, 4, MSG_WAITALL) == 4);
    CHECK(std::string(got) == "more");
    // The server has forgotten it: stopping does not touch the socket.
    CHECK(server.server().stop(1s));
    REQUIRE(base::sys::write_all(hijacked.socket, "still"));
    CHECK(raw.read_until("still") == "still");
}

TEST_CASE("the client takes a connection over with the bytes behind the header") {
    HttpServer server([](Request&) {
        return Response::hijack(200, [](Hijacked hijacked) {
            (void)base::sys::write_all(hijacked.socket, "{\"first\":1}\n");
            char byte = 0;
            while (::read(hijacked.socket.get(), &byte, 1) == 1)
                (void)base::sys::write_all(hijacked.socket, {&byte, 1});
        });
    });
    auto client = server.client();
    auto hijacked = std::move(client.open(get("/")).value()).hijack().value();
    auto text = hijacked.leftover;
    char byte = 0;
    while (!text.ends_with('\n') && ::read(hijacked.socket.get(), &byte, 1) == 1)
        text.push_back(byte);
    CHECK(text == "{\"first\":1}\n");
    REQUIRE(base::sys::write_all(hijacked.socket, "z"));
    CHECK(::read(hijacked.socket.get(), &byte, 1) == 1);
    CHECK(byte == 'z');
}

TEST_CASE("events arrive with name, id and lines, and comments are no events") {
    HttpServer server([](Request&) {
        return Response::events([](EventWriter& events) -> base::Result<void> {
            TRY(events.send("progress", "one\ntwo", "7"));
            TRY(events.comment("still here"));
            TRY(events.send("", "plain"));
            if (events.send("bad\nname", "x"))
                return base::fail(base::Errc::internal, "accepted a line break");
            return base::ok;
        });
    });
    auto client = server.client();
    EventReader reader(client.open(get("/")).value());
    CHECK(reader.stream().headers().get("content-type") == "text/event-stream");
    auto first = reader.next(2s).value();
    REQUIRE(first);
    CHECK(first->name == "progress");
    CHECK(first->data == "one\ntwo");
    CHECK(first->id == "7");
    auto second = reader.next(2s).value();
    REQUIRE(second);
    CHECK(second->name == "message");
    CHECK(second->data == "plain");
    CHECK_FALSE(reader.next(2s).value());
}

TEST_CASE("an event that does not come is a timeout and the stream stays usable") {
    std::promise<void> go;
    auto gate = go.get_future().share();
    HttpServer server([gate](Request&) {
        return Response::events([gate](EventWriter& events) -> base::Result<void> {
            gate.wait();
            return events.send("late", "x");
        });
    });
    auto client = server.client();
    EventReader reader(client.open(get("/")).value());
    auto none = reader.next(30ms);
    REQUIRE_FALSE(none);
    CHECK(none.error().kind == base::Errc::timeout);
    go.set_value();
    CHECK(reader.next(2s).value()->name == "late");
}
