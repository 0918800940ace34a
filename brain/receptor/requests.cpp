#include "brain/receptor/requests.hpp"

#include "base/json.hpp"
#include "brain/receptor/raw_json.hpp"

namespace brain::receptor {

namespace {

using base::json::Document;
using base::json::Fields;
using base::json::Unknown;

base::Result<Document> parse(std::string_view body) {
    return Document::parse(
            body, {.bytes = kMaxBody, .depth = kMaxBodyDepth}, base::json::Rest::ignore);
}

// 2015 says seconds; who says milliseconds, too, means these.
std::int64_t start_timeout(std::uint32_t seconds, std::int64_t milliseconds) {
    return milliseconds != 0 ? milliseconds : std::int64_t{seconds} * 1'000;
}

}  // namespace

base::Result<api::Task> read_task(std::string_view body) {
    const auto document = TRY(parse(body));
    const auto root = document.root();
    api::Task task;
    TRY(from_json(root, task.task_definition));
    Fields fields(root);
    fields.optional("task_guid", task.task_guid).optional("domain", task.domain);
    TRY(fields.finish(Unknown::ignore));
    return task;
}

base::Result<api::DesiredLrp> read_desired_lrp(std::string_view body) {
    const auto document = TRY(parse(body));
    const auto root = document.root();
    api::DesiredLrp desired;
    std::uint32_t seconds = 0;
    TRY(from_json(root, desired.definition));
    Fields fields(root);
    fields.optional("process_guid", desired.process_guid)
            .optional("domain", desired.domain)
            .optional("instances", desired.instances)
            .optional("setup", desired.setup)
            .optional("monitor", desired.monitor)
            .optional("start_timeout", seconds)
            .optional("start_timeout_ms", desired.start_timeout_ms)
            .optional("ports", desired.ports)
            .optional("check_definition", desired.check_definition)
            .optional("sidecars", desired.sidecars)
            .optional("update_strategy", desired.update_strategy);
    TRY(fields.finish(Unknown::ignore));
    desired.start_timeout_ms = start_timeout(seconds, desired.start_timeout_ms);
    auto routes = TRY(raw_members(body, "routes"));
    if (routes) desired.routes = std::move(*routes);
    return desired;
}

base::Result<api::DesiredLrpUpdate> read_update(std::string_view body) {
    const auto document = TRY(parse(body));
    api::DesiredLrpUpdate update;
    Fields fields(document.root());
    fields.optional("instances", update.instances)
            .optional("annotation", update.annotation)
            .optional("metric_tags", update.metric_tags)
            .optional("image_username", update.image_username)
            .optional("image_password", update.image_password);
    TRY(fields.finish(Unknown::ignore));
    update.routes = TRY(raw_members(body, "routes"));
    return update;
}

}  // namespace brain::receptor
