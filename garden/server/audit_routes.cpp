// GET /cloche/v1/audit and /cloche/v1/audit/host (OBS-01). Every container has a deadline of its
// own: one that hangs is an error in the report and holds up nobody.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/version.hpp"
#include "garden/audit/report.hpp"
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>

namespace garden::server {

using base::Errc;
using base::http::Request;
using base::http::Response;

void Service::add_audit_routes() {
    add_query("GET", "/cloche/v1/audit", &Service::audit);
    add_query("GET", "/cloche/v1/audit/host", &Service::audit_host);
}

namespace {

api::AuditReport new_report() {
    utsname name{};
    (void)::uname(&name);
    return {.time = base::to_rfc3339(std::chrono::system_clock::now()),
            .host = static_cast<const char*>(name.nodename),
            .kernel = base::format(
                    "{} {}", static_cast<const char*>(name.release),
                    static_cast<const char*>(name.machine)),
            .daemon_version = std::string(base::version())};
}

// Shared by the request and its jobs; outlives the request when a container hangs.
struct Audits {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, base::Result<audit::ContainerAudit>> answers;

    void put(const std::string& handle, base::Result<audit::ContainerAudit> answer) {
        const std::lock_guard lock(mutex);
        answers.insert_or_assign(handle, std::move(answer));
        changed.notify_all();
    }
};

}  // namespace

// Asks for each container on the pool of bulk queries, within their bounds.
void Service::audit_each(
        const std::set<std::string>& handles,
        api::AuditReport& report,
        std::vector<audit::Belongings>& belongings) {
    auto audits = std::make_shared<Audits>();
    for (const auto& handle : handles) {
        auto pass = bulks_.enter(handle);
        auto submitted = pass ? base::Result<void>() : base::Result<void>(pass.error());
        if (pass) {
            auto held = std::make_shared<base::Gate::Pass>(std::move(*pass));
            submitted = bulk_pool_.submit([this, audits, handle, held] {
                audits->put(handle, engine_.audit(Handle(handle)));
            });
        }
        if (!submitted) audits->put(handle, submitted.error());
    }
    std::unique_lock lock(audits->mutex);
    // Those that wait for a worker do not spend their own time: the last one may take its whole
    // deadline.
    auto before = audits->answers.size();
    while (audits->answers.size() < handles.size()) {
        (void)audits->changed.wait_for(lock, config_.bulk_deadline);
        if (audits->answers.size() == before) break;  // nobody has answered for so long
        before = audits->answers.size();
    }
    for (const auto& handle : handles) {
        const auto found = audits->answers.find(handle);
        if (found == audits->answers.end()) {
            report.subjects.push_back(audit::failed_subject(
                    handle, base::format("no answer in {} ms", config_.bulk_deadline.count())));
        } else if (!found->second) {
            report.subjects.push_back(audit::failed_subject(handle, found->second.error().text));
        } else {
            report.subjects.push_back(found->second->subject);
            belongings.push_back(found->second->belongings);
        }
    }
}

Response Service::audit(Request& request) {
    std::set<std::string> handles;
    for (const auto& [name, value] : request.query)
        if (name == "handle") handles.insert(value);
    if (handles.size() > api::kMaxAuditHandles) {
        return refuse(
                request, base::fail(
                                 Errc::invalid, "handle: {} are named, at most {} are allowed",
                                 handles.size(), api::kMaxAuditHandles));
    }
    const auto all = engine_.list({});
    for (const auto& handle : handles) {
        if (std::find(all.begin(), all.end(), Handle(handle)) == all.end())
            return refuse(request, base::fail(Errc::not_found, "unknown handle: {}", handle));
    }
    const bool everybody = handles.empty();
    if (everybody)
        for (const auto& handle : all) handles.insert(handle.get());
    auto report = new_report();
    std::vector<audit::Belongings> belongings;
    audit_each(handles, report, belongings);
    if (everybody) report.subjects.push_back(audit::audit_pairs(belongings));
    return json_answer(report);
}

Response Service::audit_host(Request&) {
    auto report = new_report();
    report.subjects.push_back(engine_.audit_host());
    return json_answer(report);
}

}  // namespace garden::server
