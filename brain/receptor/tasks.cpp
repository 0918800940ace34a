// Routes of tasks (receptor-api §3).
#include "base/fail.hpp"
#include "brain/receptor/api.hpp"
#include "brain/receptor/errors.hpp"
#include "brain/receptor/requests.hpp"
#include "brain/receptor/responses.hpp"
#include "brain/validate/validate.hpp"

namespace brain::receptor {

namespace {

Response task_not_found(std::string_view guid) {
    return refuse(kTaskNotFound, base::format("task '{}' not found", shown(guid)));
}

}  // namespace

Response Api::create_task(Request& request) {
    const auto body = request.read_body(kMaxBody);
    if (!body) return bad_body(body.error());
    auto task = read_task(*body);
    if (!task) return bad_body(task.error());
    const auto& callback = task->task_definition.completion_callback_url;
    if (!callback.empty())
        if (const auto found = validate::validate_callback_url(callback); !found.empty())
            return refuse(kInvalidTask, found);
    if (const auto found = validate::validate(*task, rules_); !found.empty())
        return refuse(kInvalidTask, found);
    const auto guid = task->task_guid;
    const auto done = brain_.desire_task(std::move(*task));
    if (done) return {.status = 201};
    if (is_named(done.error(), api::kResourceExists))
        return refuse(kTaskGuidAlreadyExists, base::format("task guid '{}' already exists", guid));
    if (is_named(done.error(), api::kInvalidRequest))
        return refuse(kInvalidTask, done.error().text);
    return unknown(done.error());
}

Response Api::list_tasks(Request& request) {
    const auto tasks = brain_.list_tasks(request.query.get("domain"));
    if (!tasks) return unknown(tasks.error());
    base::json::Writer w;
    w.begin_array();
    for (const auto& task : *tasks) write(w, *task);
    w.end_array();
    return Response::json(w.take());
}

Response Api::get_task(Request& request) {
    const auto guid = request.param("task_guid");
    if (guid.empty()) return missing("task_guid");
    const auto task = brain_.find_task(guid);
    if (task) return Response::json(json_of(**task));
    return is_named(task.error(), api::kResourceNotFound) ? task_not_found(guid)
                                                          : unknown(task.error());
}

// Two transitions of the store: one that is not COMPLETED falls at the first.
Response Api::delete_task(Request& request) {
    const auto guid = request.param("task_guid");
    if (guid.empty()) return missing("task_guid");
    auto done = brain_.resolve_task(guid);
    if (done) done = brain_.delete_task(guid);
    if (done) return {.status = 200};
    if (is_named(done.error(), api::kResourceNotFound)) return task_not_found(guid);
    if (is_named(done.error(), api::kInvalidStateTransition))
        return refuse(kTaskNotDeletable, base::format("task '{}' is not completed", shown(guid)));
    return unknown(done.error());
}

Response Api::cancel_task(Request& request) {
    const auto guid = request.param("task_guid");
    if (guid.empty()) return missing("task_guid");
    const auto done = brain_.cancel_task(guid);
    if (done) return {.status = 200};
    // One that is over is no conflict but UnknownError (receptor-api §12).
    return is_named(done.error(), api::kResourceNotFound) ? task_not_found(guid)
                                                          : unknown(done.error());
}

}  // namespace brain::receptor
