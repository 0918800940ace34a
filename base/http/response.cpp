#include "base/fail.hpp"
#include "base/http/request.hpp"
#include "base/sys/stream_socket.hpp"

#include <errno.h>
#include <unistd.h>

#include <utility>

#include <nlohmann/json.hpp>

namespace base::http {

namespace {

// How often a producer that is silent is left to see whether the client is still there.
constexpr std::chrono::milliseconds kClientCheck{500};

// At least one byte, 0 at the end; gives up when the client is gone.
Result<std::size_t> read_source(FdRef source, std::span<char> into, const Writer& writer) {
    for (;;) {
        if (!TRY(sys::wait_ready(
                    source, sys::Ready::read, std::chrono::steady_clock::now() + kClientCheck))) {
            if (writer.peer_gone())
                return fail(Errc::cancelled, "the client closed the connection");
            continue;
        }
        const auto count = ::read(source.get(), into.data(), into.size());
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno != EINTR && errno != EAGAIN) return fail_errno("read the answer's source");
    }
}

Result<void> copy_source(FdRef source, Writer& writer) {
    std::vector<char> piece(kChunkBytes);
    for (;;) {
        const auto count = TRY(read_source(source, piece, writer));
        if (count == 0) return ok;
        TRY(writer.write(std::string_view(piece.data(), count)));
    }
}

// Ends once, also when the client was gone before its answer began.
struct Source {
    Fd fd;
    std::function<Result<void>()> finish;

    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;

    ~Source() { (void)end(); }

    Result<void> end() {
        fd.reset();  // a producer that still writes gets EPIPE now
        const auto last = std::exchange(finish, {});
        return last ? last() : Result<void>();
    }
};

}  // namespace

Response Response::text(int status, std::string body, std::string type) {
    Response response{
            .status = status,
            .headers = {},
            .body = std::move(body),
            .stream = {},
            .takeover = {},
            .silent_close = false};
    response.headers.set("Content-Type", std::move(type));
    return response;
}

Response Response::json(std::string body, int status) {
    return text(status, std::move(body), "application/json");
}

Response Response::from_fd(Fd source, std::string type, std::function<Result<void>()> finish) {
    Response response = text(200, "", std::move(type));
    // std::function wants to be copied; the one owner is the response.
    auto shared = std::make_shared<Source>();
    shared->fd = std::move(source);
    shared->finish = std::move(finish);
    response.stream = [shared](Writer& writer) -> Result<void> {
        auto copied = copy_source(shared->fd, writer);
        auto finished = shared->end();
        return copied ? std::move(finished) : std::move(copied);
    };
    return response;
}

Response Response::events(std::function<Result<void>(EventWriter&)> run) {
    Response response = text(200, "", "text/event-stream");
    response.headers.set("Cache-Control", "no-cache");
    response.stream = [run = std::move(run)](Writer& writer) {
        EventWriter events(writer);
        return run(events);
    };
    return response;
}

Response Response::hijack(int status, std::function<void(Hijacked)> takeover, std::string type) {
    Response response = text(status, "", std::move(type));
    // garden-api 7.1: Go's client wants a framing in the header, and ignores it afterwards.
    response.headers.set("Transfer-Encoding", "chunked");
    response.takeover = std::move(takeover);
    return response;
}

Response Response::error(const Error& error) {
    nlohmann::json body;
    body["error"]["kind"] = std::string(to_string(error.kind));
    body["error"]["message"] = error.text;
    return json(
            body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
            http_status(error.kind));
}

Result<void> EventWriter::send(std::string_view event, std::string_view data, std::string_view id) {
    if (event.find_first_of("\r\n") != std::string_view::npos ||
        id.find_first_of("\r\n") != std::string_view::npos)
        return fail(Errc::invalid, "event name '{}' or id '{}': line break", event, id);
    std::string text;
    if (!id.empty()) text.append("id: ").append(id).append("\n");
    if (!event.empty()) text.append("event: ").append(event).append("\n");
    for (;;) {
        const auto end = std::min(data.find('\n'), data.size());
        text.append("data: ").append(data.substr(0, end)).append("\n");
        if (end == data.size()) break;
        data.remove_prefix(end + 1);
    }
    text.append("\n");
    return writer_.write(text);
}

Result<void> EventWriter::comment(std::string_view text) {
    if (text.find_first_of("\r\n") != std::string_view::npos)
        return fail(Errc::invalid, "event comment '{}': line break", text);
    return writer_.write(": " + std::string(text) + "\n\n");
}

}  // namespace base::http
