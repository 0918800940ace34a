// Routes of actual LRPs (receptor-api §5).
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "brain/receptor/api.hpp"
#include "brain/receptor/errors.hpp"
#include "brain/receptor/responses.hpp"

namespace brain::receptor {

namespace {

Response list_of(const base::Result<std::vector<api::ActualLrpGroup>>& groups) {
    if (!groups) return unknown(groups.error());
    base::json::Writer w;
    w.begin_array();
    for (const auto& group : *groups)
        if (const auto lrp = flatten(group)) write(w, *lrp);
    w.end_array();
    return Response::json(w.take());
}

// Nothing there is no error of the brain, whichever way it says so.
base::Result<api::ActualPtr> find(
        api::PublicBrain& brain, std::string_view guid, std::int32_t index) {
    const auto group = brain.find_actual_lrp(guid, index);
    if (group) return flatten(*group);
    if (is_named(group.error(), api::kResourceNotFound)) return api::ActualPtr();
    return group.error();
}

base::Result<std::int32_t> index_of(const Request& request) {
    return base::parse_number<std::int32_t>(request.param("index"), "index");
}

}  // namespace

Response Api::list_actual_lrps(Request& request) {
    return list_of(brain_.list_actual_lrps(request.query.get("domain")));
}

Response Api::list_actual_lrps_of(Request& request) {
    const auto guid = request.param("process_guid");
    if (guid.empty()) return missing("process_guid");
    return list_of(brain_.list_actual_lrps_of(guid));
}

Response Api::get_actual_lrp(Request& request) {
    const auto guid = request.param("process_guid");
    if (guid.empty()) return missing("process_guid");
    const auto index = index_of(request);
    if (!index) return refuse(kInvalidRequest, index.error().text);
    const auto found = find(brain_, guid, *index);
    if (!found) return unknown(found.error());
    // Not the envelope (receptor-api §12).
    return *found ? Response::json(json_of(**found)) : Response::json("null", 404);
}

Response Api::kill_actual_lrp(Request& request) {
    const auto guid = request.param("process_guid");
    if (guid.empty()) return missing("process_guid");
    const auto index = index_of(request);
    if (!index) return refuse(kInvalidRequest, index.error().text);
    const auto found = find(brain_, guid, *index);
    if (!found) return unknown(found.error());
    if (!*found)
        return refuse(
                kActualLrpIndexNotFound,
                base::format("index {} of process '{}' not found", *index, shown(guid)));
    // Its result is nobody's business: the converger mends what is left over (§5.3).
    (void)brain_.retire_actual_lrp(guid, *index);
    return {.status = 204};
}

}  // namespace brain::receptor
