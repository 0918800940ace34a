#include "garden/api/denials.hpp"

#include "base/http/message.hpp"
#include "base/json_describe.hpp"
#include "garden/api/client.hpp"
#include "garden/api/client_detail.hpp"

namespace garden::api {

namespace {

template <class V>
void describe(V& v, DenialCount& o) {
    v.always("call", o.call);
    v.always("architecture", o.architecture);
    v.always("action", o.action);
    v.always("count", o.count);
    v.always("first", o.first);
    v.always("last", o.last);
}

template <class V>
void describe(V& v, DenialSample& o) {
    v.always("call", o.call);
    v.always("command", o.command);
    v.always("executable", o.executable);
    v.always("pid", o.pid);
    v.always("uid", o.uid);
    v.always("time", o.time);
}

template <class V>
void describe(V& v, DenialHost& o) {
    v.always("available", o.available);
    v.always("why", o.why);
    v.always("unresolved", o.unresolved);
    v.always("lost", o.lost);
}

template <class V>
void describe(V& v, Denials& o) {
    v.always("since", o.since);
    v.always("total", o.total);
    v.always("other", o.other);
    v.always("suppressed", o.suppressed);
    v.always("calls", o.calls);
    v.always("samples", o.samples);
    v.always("host", o.host);
}

}  // namespace

BASE_JSON_DESCRIBED(DenialCount)
BASE_JSON_DESCRIBED(DenialSample)
BASE_JSON_DESCRIBED(DenialHost)
BASE_JSON_DESCRIBED(Denials)

base::Result<Denials> Client::denials(std::string_view handle) {
    const auto body = TRY(call(
            "GET", "/cloche/v1/containers/" + base::http::percent_encode(handle) + "/denials"));
    return base::json::decode<Denials>(body, base::json::Rest::ignore, kAnswerLimits);
}

}  // namespace garden::api
