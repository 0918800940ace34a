// What containers were refused, and why something is refused (docs/api.md).
#include "base/clock.hpp"
#include "garden/api/denials.hpp"
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

namespace garden::server {

using base::http::Request;
using base::http::Response;

namespace {

std::string time_text(std::int64_t ns) {
    return base::to_rfc3339(std::chrono::system_clock::time_point(
            std::chrono::duration_cast<std::chrono::system_clock::duration>(
                    std::chrono::nanoseconds(ns))));
}

api::Denials to_wire(ContainerDenials found) {
    api::Denials out;
    out.since = time_text(found.since_ns);
    out.total = found.report.total;
    out.other = found.report.other;
    out.suppressed = found.report.suppressed;
    for (auto& entry : found.report.calls)
        out.calls.push_back(
                {.call = std::move(entry.call),
                 .architecture = std::move(entry.architecture),
                 .action = std::move(entry.action),
                 .count = entry.count,
                 .first = time_text(entry.first_ns),
                 .last = time_text(entry.last_ns)});
    for (auto& sample : found.report.samples)
        out.samples.push_back(
                {.call = std::move(sample.call),
                 .command = std::move(sample.command),
                 .executable = std::move(sample.executable),
                 .pid = sample.pid,
                 .uid = sample.uid,
                 .time = time_text(sample.time_ns)});
    out.host = {
            .available = found.host.available,
            .why = found.host.why,
            .unresolved = found.host.unresolved,
            .lost = found.host.lost};
    return out;
}

}  // namespace

void Service::add_denial_routes() {
    add("GET", "/cloche/v1/containers/:handle/denials", &Service::denials, Touch::no);
    const auto ask = [this](const char* name, const char* help,
                            std::uint64_t DenialFigures::*member) {
        metrics_.ask(name, help, {}, true, [this, member] {
            return static_cast<double>(engine_.denial_figures().*member);
        });
    };
    ask("gardend_seccomp_denials_total", "System calls refused to containers by their filters.",
        &DenialFigures::denials);
    ask("gardend_seccomp_denials_suppressed_total",
        "Refused calls over the rate of their container, only counted.",
        &DenialFigures::suppressed);
    ask("gardend_seccomp_records_unresolved_total",
        "Records whose container could not be told any more.", &DenialFigures::unresolved);
    ask("gardend_seccomp_records_lost_total",
        "Audit records that the kernel dropped before they were read.", &DenialFigures::lost);
}

Response Service::denials(Request& request, const Handle& handle) {
    auto found = engine_.denials(handle);
    if (!found) return refuse(request, found.error());
    return json_answer(to_wire(std::move(*found)));
}

}  // namespace garden::server
