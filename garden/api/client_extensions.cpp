#include "base/fail.hpp"
#include "garden/api/client.hpp"
#include "garden/api/client_detail.hpp"

namespace garden::api {

using base::http::kNoDeadline;
using base::http::percent_encode;

namespace {

// A pull is silent while a large layer is unpacked, but never this long.
constexpr std::chrono::minutes kPullSilence{30};

template <class T>
base::Result<T> decode(const std::string& body) {
    return base::json::decode<T>(body, base::json::Rest::ignore, kAnswerLimits);
}

base::Error pull_error(const std::string& text) {
    const auto error = decode<PullError>(text);
    if (!error) return base::fail(base::Errc::internal, "pull failed: {}", text.substr(0, 512));
    base::Error out = base::fail(base::Errc::internal, "{}", error->message);
    for (const auto kind :
         {base::Errc::invalid, base::Errc::not_found, base::Errc::already_exists,
          base::Errc::conflict, base::Errc::denied, base::Errc::exhausted, base::Errc::unavailable,
          base::Errc::timeout, base::Errc::cancelled, base::Errc::unsupported, base::Errc::corrupt})
        if (base::to_string(kind) == error->kind) out.kind = kind;
    return out;
}

}  // namespace

base::Result<std::vector<ImageRow>> Client::images() {
    return TRY(decode<ImageList>(TRY(call("GET", "/cloche/v1/images")))).images;
}

base::Result<Image> Client::image(std::string_view reference) {
    return decode<Image>(
            TRY(call("GET", "/cloche/v1/images/inspect?reference=" + percent_encode(reference))));
}

base::Result<void> Client::remove_image(std::string_view reference) {
    TRY(call(
            "DELETE", "/cloche/v1/images?reference=" + percent_encode(reference), {}, kNoDeadline));
    return base::ok;
}

base::Result<Image> Client::pull(
        const ImageRef& image, const std::function<void(const PullProgress&)>& progress) {
    base::http::EventReader events(TRY(open(
            {.method = "POST",
             .target = "/cloche/v1/images/pull",
             .headers = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream"}},
             .body = base::json::encode(image),
             .upload = {},
             .timeout = kNoDeadline})));
    for (;;) {
        const auto event = TRY(events.next(kPullSilence));
        if (!event)
            return base::fail(
                    base::Errc::unavailable, "pull {}: the daemon ended the stream early",
                    image.uri);
        if (event->name == "done") return decode<Image>(event->data);
        if (event->name == "error") return pull_error(event->data);
        if (event->name != "progress") continue;
        const auto step = TRY(decode<PullProgress>(event->data));
        if (progress) progress(step);
    }
}

base::Result<std::string> Client::plan(const ContainerSpec& spec) {
    return call("POST", "/cloche/v1/plan", base::json::encode(spec), kNoDeadline);
}

base::Result<std::vector<Orphan>> Client::doctor() {
    return TRY(decode<DoctorAnswer>(TRY(call("GET", "/cloche/v1/doctor", {}, kNoDeadline))))
            .orphans;
}

base::Result<std::string> Client::features() {
    return call("GET", "/cloche/v1/features");
}

base::Result<std::vector<ProcessRow>> Client::processes(std::string_view handle) {
    return TRY(decode<ProcessList>(TRY(call(
                       "GET", "/cloche/v1/containers/" + percent_encode(handle) + "/processes"))))
            .processes;
}

base::Result<std::string> Client::logs(
        std::string_view handle, std::string_view process_id, bool is_stderr) {
    return call(
            "GET", "/cloche/v1/containers/" + percent_encode(handle) + "/processes/" +
                           percent_encode(process_id) +
                           "/logs?stream=" + (is_stderr ? "err" : "out"));
}

}  // namespace garden::api
