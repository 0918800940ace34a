#include "garden/api/image_checks.hpp"

#include "base/http/message.hpp"
#include "base/json_describe.hpp"
#include "garden/api/client.hpp"
#include "garden/api/client_detail.hpp"

namespace garden::api {

namespace {

template <class V>
void describe(V& v, LayerCheck& o) {
    v.always("diff_id", o.diff_id);
    v.always("state", o.state);
    v.always("images", o.images);
    v.always("entries", o.entries);
    v.always("bytes", o.bytes);
    v.always("differences", o.differences);
    v.always("findings", o.findings);
}

template <class V>
void describe(V& v, VerifyAnswer& o) {
    v.always("good", o.good);
    v.always("layers", o.layers);
}

}  // namespace

BASE_JSON_DESCRIBED(LayerCheck)
BASE_JSON_DESCRIBED(VerifyAnswer)

base::Result<VerifyAnswer> Client::verify_images(std::string_view reference) {
    std::string target = "/cloche/v1/images/verify";
    if (!reference.empty()) target += "?reference=" + base::http::percent_encode(reference);
    // As long as the disk needs to read every layer.
    const auto body = TRY(call("POST", target, {}, base::http::kNoDeadline));
    return base::json::decode<VerifyAnswer>(body, base::json::Rest::ignore, kAnswerLimits);
}

base::Result<std::uint64_t> Client::prune_images(std::chrono::seconds unused_for) {
    const auto target =
            "/cloche/v1/images/prune?unused_for_seconds=" + std::to_string(unused_for.count());
    const auto body = TRY(call("POST", target, {}, base::http::kNoDeadline));
    return TRY(base::json::decode<PruneAnswer>(body, base::json::Rest::ignore, kAnswerLimits))
            .freed_bytes;
}

}  // namespace garden::api
