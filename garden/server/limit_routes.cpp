// The old calls that change limits of a living container (garden-api §12). Garden's own router has
// dropped them; whoever still sends them is served.
#include "base/fail.hpp"
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

namespace garden::server {

using base::Errc;
using base::http::Request;
using base::http::Response;

namespace {

api::CpuLimits cpu_of(const LimitsSpec& limits) {
    return {.limit_in_shares = limits.cpu_shares};  // never `weight`: garden-api §6
}

api::DiskLimits disk_of(const LimitsSpec& limits) {
    api::DiskLimits wire{.byte_hard = limits.disk_bytes};
    if (limits.disk_bytes != 0 && limits.disk_scope == DiskScope::exclusive) wire.scope = 1;
    return wire;
}

}  // namespace

void Service::add_limit_routes() {
    add("PUT", "/containers/:handle/limits/bandwidth", &Service::set_bandwidth, Touch::yes);
    add("PUT", "/containers/:handle/limits/cpu", &Service::set_cpu, Touch::yes);
    add("PUT", "/containers/:handle/limits/disk", &Service::set_disk, Touch::yes);
    add("PUT", "/containers/:handle/limits/memory", &Service::set_memory, Touch::yes);
    add("PUT", "/cloche/v1/containers/:handle/limits/pids", &Service::set_pids, Touch::yes);
}

Response Service::set_cpu(Request& request, const Handle& handle) {
    const auto body = json_body<api::CpuLimits>(request);
    if (!body) return refuse_body(request, body.error());
    LimitsChange change;
    change.cpu = LimitsChange::Cpu{.weight = body->weight, .shares = body->limit_in_shares};
    const auto limits = engine_.change_limits(handle, change);
    return limits ? json_answer(cpu_of(*limits)) : refuse(request, limits.error());
}

Response Service::set_memory(Request& request, const Handle& handle) {
    const auto body = json_body<api::MemoryLimits>(request);
    if (!body) return refuse_body(request, body.error());
    LimitsChange change;
    change.memory_bytes = body->limit_in_bytes;
    const auto limits = engine_.change_limits(handle, change);
    if (!limits) return refuse(request, limits.error());
    return json_answer(api::MemoryLimits{.limit_in_bytes = limits->memory_bytes});
}

Response Service::set_disk(Request& request, const Handle& handle) {
    const auto body = json_body<api::DiskLimits>(request);
    if (!body) return refuse_body(request, body.error());
    if (body->scope > 1) {
        return refuse(
                request, base::fail(Errc::invalid, "scope: expected 0 or 1, got {}", body->scope));
    }
    LimitsChange change;
    change.disk = LimitsChange::Disk{
            .bytes = body->byte_hard,
            .scope = body->scope == 0 ? DiskScope::total : DiskScope::exclusive};
    const auto limits = engine_.change_limits(handle, change);
    return limits ? json_answer(disk_of(*limits)) : refuse(request, limits.error());
}

Response Service::set_pids(Request& request, const Handle& handle) {
    const auto body = json_body<api::PidLimits>(request);
    if (!body) return refuse_body(request, body.error());
    LimitsChange change;
    change.pids = body->max;
    const auto limits = engine_.change_limits(handle, change);
    if (!limits) return refuse(request, limits.error());
    return json_answer(api::PidLimits{.max = limits->pids});
}

Response Service::set_bandwidth(Request& request, const Handle& handle) {
    const auto body = json_body<api::BandwidthLimits>(request);
    if (!body) return refuse_body(request, body.error());
    const auto done = engine_.limit_bandwidth(handle, body->rate, body->burst);
    return done ? bandwidth(request, handle) : refuse(request, done.error());
}

Response Service::cpu(Request& request, const Handle& handle) {
    const auto limits = engine_.limits(handle);
    return limits ? json_answer(cpu_of(*limits)) : refuse(request, limits.error());
}

Response Service::disk(Request& request, const Handle& handle) {
    const auto limits = engine_.limits(handle);
    return limits ? json_answer(disk_of(*limits)) : refuse(request, limits.error());
}

}  // namespace garden::server
