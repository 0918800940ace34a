#include "garden/api/event_log.hpp"

#include "base/fail.hpp"
#include "base/json_describe.hpp"
#include "garden/api/client.hpp"
#include "garden/api/client_detail.hpp"

namespace garden::api {

namespace {

template <class V>
void describe(V& v, EventLogPage& o) {
    v.always("lines", o.lines);
    v.always("last_seq", o.last_seq);
    v.always("lost", o.lost);
    v.always("error", o.error);
    v.always("key", o.key);
}

}  // namespace

BASE_JSON_DESCRIBED(EventLogPage)

base::Result<EventLogPage> Client::event_log(std::uint64_t since, std::uint64_t limit) {
    const auto body =
            TRY(call("GET", base::format("/cloche/v1/audit/log?since={}&limit={}", since, limit)));
    return base::json::decode<EventLogPage>(body, base::json::Rest::ignore, kAnswerLimits);
}

}  // namespace garden::api
