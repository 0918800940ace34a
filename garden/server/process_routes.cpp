// Run, Attach, the output connections, and tar streams in and out (garden-api §7, §8).
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

#include <utility>

namespace garden::server {

using base::Errc;
using base::http::Hijacked;
using base::http::Request;
using base::http::Response;

void Service::add_process_routes() {
    add("GET", "/containers/:handle/processes/:pid/attaches/:streamid/stdout",
        &Service::standard_output);
    add("GET", "/containers/:handle/processes/:pid/attaches/:streamid/stderr",
        &Service::standard_error);
    add("POST", "/containers/:handle/processes", &Service::run, Touch::yes);
    add("GET", "/containers/:handle/processes/:pid", &Service::attach, Touch::yes);
}

namespace {

// An attachment on its way to a connection; when the client has gone meanwhile, it is let go, or
// the process would wait for its input for ever.
class Carried {
  public:
    Carried(Streams& streams, Handle handle, Attachment attachment)
        : streams_(streams), handle_(std::move(handle)), attachment_(std::move(attachment)) {}

    Carried(const Carried&) = delete;
    Carried& operator=(const Carried&) = delete;

    ~Carried() {
        if (attachment_.id != 0) streams_.drop(handle_, attachment_.id);
    }

    Attachment take() { return std::exchange(attachment_, {}); }

  private:
    Streams& streams_;
    Handle handle_;
    Attachment attachment_;
};

}  // namespace

Response Service::stream(int status, const Handle& handle, Attachment attachment) {
    // The takeover is copied around; what it carries has one owner at a time.
    auto carried = std::make_shared<Carried>(*streams_, handle, std::move(attachment));
    return Response::hijack(
            status, [this, handle, carried, touch = engine_.touch(handle)](Hijacked connection) {
                streams_->add(
                        {.socket = std::move(connection.socket),
                         .leftover = std::move(connection.leftover),
                         .handle = handle,
                         .attachment = carried->take(),
                         .touch = touch});
            });
}

Response Service::run(Request& request, const Handle& handle) {
    auto wire = json_body<api::ProcessSpec>(request);
    if (!wire) return refuse_body(request, wire.error());
    auto spec = to_spec(std::move(*wire));
    if (!spec) return refuse(request, spec.error());
    if (streams_->full()) {
        return refuse(
                request,
                base::fail(
                        Errc::unavailable, "{} process streams are open, the limit", kMaxStreams));
    }
    // 7.4, rule 1: the process runs, or the answer is an error.
    auto attachment = engine_.run(handle, std::move(*spec));
    if (!attachment) return refuse(request, attachment.error());
    return stream(201, handle, std::move(*attachment));
}

Response Service::attach(Request& request, const Handle& handle) {
    if (streams_->full()) {
        return refuse(
                request,
                base::fail(
                        Errc::unavailable, "{} process streams are open, the limit", kMaxStreams));
    }
    const std::string id(request.param("pid"));
    auto attachment = engine_.attach(handle, id);
    if (!attachment) return refuse(request, attachment.error(), id);
    return stream(200, handle, std::move(*attachment));
}

Response Service::output(Request& request, bool is_stderr) {
    // 7.3: 200 in any case; an unknown stream is an empty one.
    const Handle handle{std::string(request.param("handle"))};
    const std::string id(request.param("streamid"));
    auto pass = operations_.enter(handle.get());
    if (!pass) return refuse(request, pass.error());
    auto held = std::make_shared<base::Gate::Pass>(std::move(*pass));
    return Response::hijack(200, [this, handle, id, is_stderr, held](Hijacked connection) {
        streams_->connect(handle, id, is_stderr, connection.socket);
    });
}

Response Service::stream_in(Request& request) {
    const Handle handle{std::string(request.param("handle"))};
    const auto pass = file_streams_.enter(handle.get());
    if (!pass) return refuse(request, pass.error());
    const auto held = engine_.touch(handle);
    auto pipe = request.body_pipe();
    if (!pipe) return refuse(request, pipe.error());
    const std::string user(request.query.get("user"));
    const auto done = engine_.stream_in(
            handle, user.empty() ? "root" : user, std::string(request.query.get("destination")),
            pipe->read_end());
    // A body that was broken off is no whole archive, even when its part could be unpacked (8.1).
    const auto whole = pipe->finish();
    if (!done) return refuse(request, done.error());
    if (!whole) return refuse(request, whole.error());
    return none();
}

Response Service::stream_out(Request& request) {
    const Handle handle{std::string(request.param("handle"))};
    auto pass = file_streams_.enter(handle.get());
    if (!pass) return refuse(request, pass.error());
    auto held = std::make_shared<base::Gate::Pass>(std::move(*pass));
    auto touch = engine_.touch(handle);
    const std::string user(request.query.get("user"));
    auto outgoing = engine_.stream_out(
            handle, user.empty() ? "root" : user, std::string(request.query.get("source")));
    if (!outgoing) return refuse(request, outgoing.error());
    return Response::from_fd(
            std::move(outgoing->tar), "application/x-tar",
            [finish = std::move(outgoing->finish), held, touch = std::move(touch)] {
                return finish();
            });
}

}  // namespace garden::server
