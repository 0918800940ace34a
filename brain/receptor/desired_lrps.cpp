// Routes of desired LRPs (receptor-api §4).
#include "base/fail.hpp"
#include "brain/receptor/api.hpp"
#include "brain/receptor/errors.hpp"
#include "brain/receptor/requests.hpp"
#include "brain/receptor/responses.hpp"
#include "brain/validate/validate.hpp"

namespace brain::receptor {

namespace {

Response desired_not_found(std::string_view guid) {
    return refuse(kDesiredLrpNotFound, base::format("desired LRP '{}' not found", shown(guid)));
}

}  // namespace

Response Api::create_desired_lrp(Request& request) {
    const auto body = request.read_body(kMaxBody);
    if (!body) return bad_body(body.error());
    auto desired = read_desired_lrp(*body);
    if (!desired) return bad_body(desired.error());
    if (const auto found = validate::validate(*desired, rules_); !found.empty())
        return refuse(kInvalidLrp, found);
    const auto guid = desired->process_guid;
    const auto done = brain_.desire_lrp(std::move(*desired));
    if (done) return {.status = 201};
    if (is_named(done.error(), api::kResourceExists))
        return refuse(
                kDesiredLrpAlreadyExists,
                base::format("desired LRP with guid '{}' already exists", guid));
    if (is_named(done.error(), api::kInvalidRequest)) return refuse(kInvalidLrp, done.error().text);
    return unknown(done.error());
}

Response Api::list_desired_lrps(Request& request) {
    const auto all = brain_.list_desired_lrps(request.query.get("domain"));
    if (!all) return unknown(all.error());
    base::json::Writer w;
    w.begin_array();
    for (const auto& desired : *all) write(w, *desired);
    w.end_array();
    return Response::json(w.take());
}

Response Api::get_desired_lrp(Request& request) {
    const auto guid = request.param("process_guid");
    if (guid.empty()) return missing("process_guid");
    const auto desired = brain_.find_desired_lrp(guid);
    if (desired) return Response::json(json_of(**desired));
    return is_named(desired.error(), api::kResourceNotFound) ? desired_not_found(guid)
                                                             : unknown(desired.error());
}

Response Api::update_desired_lrp(Request& request) {
    const auto guid = request.param("process_guid");
    if (guid.empty()) return missing("process_guid");
    const auto body = request.read_body(kMaxBody);
    if (!body) return bad_body(body.error());
    const auto update = read_update(*body);
    if (!update) return bad_body(update.error());
    // There never was a 400 for an update (receptor-api §4.4, §12).
    if (const auto found = validate::validate(*update, rules_); !found.empty())
        return refuse(kUnknownError, found);
    auto done = brain_.update_desired_lrp(guid, *update);
    // Lost against another update: once more, over what that one left.
    if (!done && is_named(done.error(), api::kResourceConflict))
        done = brain_.update_desired_lrp(guid, *update);
    if (done) return {.status = 204};
    if (is_named(done.error(), api::kResourceNotFound)) return desired_not_found(guid);
    if (is_named(done.error(), api::kResourceConflict))
        return refuse(kResourceConflict, done.error().text);
    return unknown(done.error());
}

Response Api::delete_desired_lrp(Request& request) {
    const auto guid = request.param("process_guid");
    if (guid.empty()) return missing("process_guid");
    const auto done = brain_.remove_desired_lrp(guid);
    if (done) return {.status = 204};
    return is_named(done.error(), api::kResourceNotFound) ? desired_not_found(guid)
                                                          : unknown(done.error());
}

}  // namespace brain::receptor
