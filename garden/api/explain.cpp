#include "garden/api/explain.hpp"

#include "base/http/message.hpp"
#include "base/json_describe.hpp"
#include "garden/api/client.hpp"
#include "garden/api/client_detail.hpp"

namespace garden::api {

namespace {

template <class V>
void describe(V& v, ExplainRequest& o) {
    v.omit("call", o.call);
    v.omit("path", o.path);
    v.omit("device", o.device);
    v.omit("connect", o.connect);
    v.omit("access", o.access);
    v.omit("protocol", o.protocol);
    v.omit("process", o.process);
}

template <class V>
void describe(V& v, Explanation& o) {
    v.always("question", o.question);
    v.always("count", o.count);
    v.always("refused", o.refused);
    v.always("layer", o.layer);
    v.always("rule", o.rule);
    v.always("seen_as", o.seen_as);
    v.always("because", o.because);
    v.always("remedy", o.remedy);
}

template <class V>
void describe(V& v, ExplainAnswer& o) {
    v.always("explanations", o.explanations);
    v.always("notes", o.notes);
}

}  // namespace

BASE_JSON_DESCRIBED(ExplainRequest)
BASE_JSON_DESCRIBED(Explanation)
BASE_JSON_DESCRIBED(ExplainAnswer)

base::Result<ExplainAnswer> Client::explain(
        std::string_view handle, const ExplainRequest& request) {
    const auto body = TRY(
            call("POST", "/cloche/v1/containers/" + base::http::percent_encode(handle) + "/explain",
                 base::json::encode(request)));
    return base::json::decode<ExplainAnswer>(body, base::json::Rest::ignore, kAnswerLimits);
}

}  // namespace garden::api
