#include "brain/link/client.hpp"

#include "base/fail.hpp"
#include "brain/link/messages.hpp"

namespace brain::link {

using base::Errc;
using base::json::encode;

HttpBrain::HttpBrain(HttpBrainConfig config) : timeout_(config.timeout) {
    for (auto& brain : config.brains)
        brains_.push_back(std::make_unique<base::http::Client>(std::move(brain)));
}

base::Result<std::string> HttpBrain::ask(
        base::http::Client& brain, std::string_view name, const std::string& body) const {
    base::http::ClientRequest request{
            .method = "POST",
            .target = std::string(kPrefix) + std::string(name),
            .headers = {},
            .body = body,
            .upload = {},
            .timeout = timeout_};
    request.headers.add("Content-Type", "application/json");
    auto answer = TRY(brain.call(std::move(request), kMaxBody));
    if (answer.good()) return std::move(answer.body);
    const auto refusal = base::json::decode<Refusal>(answer.body, base::json::Rest::ignore);
    if (!refusal)
        return base::fail(
                Errc::unavailable, "{}: status {}: {}", name, answer.status,
                answer.body.substr(0, 256));
    return to_error(*refusal, answer.status);
}

base::Result<std::string> HttpBrain::call(std::string_view name, const std::string& body) {
    auto error = base::fail(Errc::unavailable, "no brain is configured");
    const auto first = leader_.load();
    for (std::size_t i = 0; i < brains_.size(); ++i) {
        const auto at = (first + i) % brains_.size();
        auto answer = ask(*brains_[at], name, body);
        // A refusal is a brain's word: another brain would say the same.
        if (answer || !api::error_name(answer.error()).empty()) {
            leader_ = at;
            return answer;
        }
        error = std::move(answer.error());
    }
    return error;
}

template <class Answer, class Call>
base::Result<Answer> HttpBrain::answer_to(std::string_view name, const Call& asked) {
    const auto body = TRY(call(name, encode(asked)));
    return base::json::decode<Answer>(body, base::json::Rest::ignore, {.bytes = kMaxBody});
}

base::Result<void> HttpBrain::claim_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    const InstanceCall asked{.key = key, .instance = instance, .reason = {}};
    (void)TRY(call("claim_actual_lrp", encode(asked)));
    return base::ok;
}

base::Result<void> HttpBrain::start_actual_lrp(const api::RunningLrp& running) {
    (void)TRY(call("start_actual_lrp", encode(running)));
    return base::ok;
}

base::Result<void> HttpBrain::crash_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance, std::string_view reason) {
    const InstanceCall asked{.key = key, .instance = instance, .reason = std::string(reason)};
    (void)TRY(call("crash_actual_lrp", encode(asked)));
    return base::ok;
}

base::Result<void> HttpBrain::remove_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    const InstanceCall asked{.key = key, .instance = instance, .reason = {}};
    (void)TRY(call("remove_actual_lrp", encode(asked)));
    return base::ok;
}

base::Result<void> HttpBrain::remove_evacuating_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    const InstanceCall asked{.key = key, .instance = instance, .reason = {}};
    (void)TRY(call("remove_evacuating_actual_lrp", encode(asked)));
    return base::ok;
}

base::Result<bool> HttpBrain::evacuate_claimed_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    const InstanceCall asked{.key = key, .instance = instance, .reason = {}};
    return TRY(answer_to<YesNo>("evacuate_claimed_actual_lrp", asked)).yes;
}

base::Result<bool> HttpBrain::evacuate_running_actual_lrp(const api::RunningLrp& running) {
    return TRY(answer_to<YesNo>("evacuate_running_actual_lrp", running)).yes;
}

base::Result<bool> HttpBrain::evacuate_stopped_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    const InstanceCall asked{.key = key, .instance = instance, .reason = {}};
    return TRY(answer_to<YesNo>("evacuate_stopped_actual_lrp", asked)).yes;
}

base::Result<bool> HttpBrain::evacuate_crashed_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance, std::string_view reason) {
    const InstanceCall asked{.key = key, .instance = instance, .reason = std::string(reason)};
    return TRY(answer_to<YesNo>("evacuate_crashed_actual_lrp", asked)).yes;
}

base::Result<api::DesiredLrp> HttpBrain::desired_lrp(std::string_view process_guid) {
    const ProcessCall asked{.process_guid = std::string(process_guid)};
    return answer_to<api::DesiredLrp>("desired_lrp", asked);
}

base::Result<bool> HttpBrain::start_task(std::string_view task_guid, std::string_view cell_id) {
    const TaskCall asked{
            .task_guid = std::string(task_guid), .cell_id = std::string(cell_id), .reason = {}};
    return TRY(answer_to<YesNo>("start_task", asked)).yes;
}

base::Result<api::Task> HttpBrain::task(std::string_view task_guid) {
    const TaskCall asked{.task_guid = std::string(task_guid), .cell_id = {}, .reason = {}};
    return answer_to<api::Task>("task", asked);
}

base::Result<void> HttpBrain::complete_task(const api::TaskOutcome& outcome) {
    (void)TRY(call("complete_task", encode(outcome)));
    return base::ok;
}

base::Result<void> HttpBrain::reject_task(std::string_view task_guid, std::string_view reason) {
    const TaskCall asked{
            .task_guid = std::string(task_guid), .cell_id = {}, .reason = std::string(reason)};
    (void)TRY(call("reject_task", encode(asked)));
    return base::ok;
}

base::Result<std::vector<api::ActualLrp>> HttpBrain::actual_lrps(std::string_view cell_id) {
    return std::move(TRY(sync(cell_id, "")).lrps);
}

base::Result<std::vector<api::Task>> HttpBrain::tasks(std::string_view cell_id) {
    return std::move(TRY(sync(cell_id, "")).tasks);
}

base::Result<api::SyncAnswer> HttpBrain::sync(std::string_view cell_id, std::string_view digest) {
    const CellCall asked{
            .cell_id = std::string(cell_id), .owner = {}, .digest = std::string(digest)};
    auto records = TRY(answer_to<Records>("sync", asked));
    return api::SyncAnswer{
            .unchanged = records.unchanged,
            .lrps = std::move(records.lrps),
            .tasks = std::move(records.tasks)};
}

base::Result<void> HttpBrain::put_presence(
        const api::CellPresence& presence,
        std::string_view owner,
        std::chrono::milliseconds time_to_live) {
    const PresenceCall asked{
            .presence = presence, .owner = std::string(owner), .ttl_ms = time_to_live.count()};
    (void)TRY(call("put_presence", encode(asked)));
    return base::ok;
}

base::Result<void> HttpBrain::release_presence(std::string_view cell_id, std::string_view owner) {
    const CellCall asked{
            .cell_id = std::string(cell_id), .owner = std::string(owner), .digest = {}};
    (void)TRY(call("release_presence", encode(asked)));
    return base::ok;
}

}  // namespace brain::link
