// Containers, records and a cell to put them in. Used by the tests of the rep.
#pragma once

#include "rep/core/config.hpp"
#include "rep/core/memory_brain.hpp"
#include "rep/plan/harmony.hpp"
#include "rep/plan/identity.hpp"
#include "tests/unit/rep/fake_executor.hpp"

#include <functional>
#include <string>
#include <thread>

namespace test {

inline constexpr auto kCell = "cell-1";

inline rep::plan::Cell cell() {
    rep::plan::Cell out;
    out.id = kCell;
    out.rep_url = "http://127.0.0.1:1800";
    out.zone = "z1";
    out.stacks = {{"cflinuxfs4", ""}};
    return out;
}

// Times short enough to wait for.
inline rep::core::Config config() {
    using std::chrono::milliseconds;
    rep::core::Config out;
    out.cell = cell();
    out.times = {
            .bulk = milliseconds(30'000),
            .bulk_evacuating = milliseconds(40),
            .retry = milliseconds(20),
            .presence = milliseconds(20),
            .presence_ttl = milliseconds(2'000)};
    out.evacuation.poll = milliseconds(10);
    return out;
}

inline executor::api::Action action(const std::string& path = "/bin/app") {
    executor::api::RunAction run;
    run.path = path;
    run.user = "vcap";
    return {.value = std::move(run)};
}

inline brain::api::DesiredLrp desired(const std::string& guid, std::int32_t instances) {
    brain::api::DesiredLrp out;
    out.process_guid = guid;
    out.domain = "apps";
    out.instances = instances;
    out.definition.rootfs = "preloaded:cflinuxfs4";
    out.definition.action = action();
    out.definition.memory_mb = 64;
    out.ports = {8080};
    return out;
}

inline brain::api::Task task(const std::string& guid, const std::string& result_file = {}) {
    brain::api::Task out;
    out.task_guid = guid;
    out.domain = "jobs";
    out.task_definition.definition.rootfs = "preloaded:cflinuxfs4";
    out.task_definition.definition.action = action("/bin/job");
    out.task_definition.result_file = result_file;
    return out;
}

inline rep::api::Lrp lrp_work(const std::string& guid, std::int32_t index, std::int64_t mb = 64) {
    rep::api::Lrp out;
    out.process_guid = guid;
    out.index = index;
    out.domain = "apps";
    out.needs.rootfs = "preloaded:cflinuxfs4";
    out.needs.memory_mb = mb;
    return out;
}

inline rep::api::Task task_work(const std::string& guid, std::int64_t mb = 64) {
    rep::api::Task out;
    out.task_guid = guid;
    out.domain = "jobs";
    out.needs.rootfs = "preloaded:cflinuxfs4";
    out.needs.memory_mb = mb;
    return out;
}

inline brain::api::LrpKey key(const std::string& guid = "app", std::int32_t index = 0) {
    return {.process_guid = guid, .index = index, .domain = "apps"};
}

// Of `key`, in a state; running ones have what a start tells the brain.
inline Container lrp_container(
        const std::string& guid, State state, const brain::api::LrpKey& of = key()) {
    Container c;
    c.guid = guid;
    c.state = state;
    c.tags[std::string(rep::plan::kLifecycleTag)] = "lrp";
    c.tags[std::string(rep::plan::kDomainTag)] = of.domain;
    c.tags[std::string(rep::plan::kProcessGuidTag)] = of.process_guid;
    c.tags[std::string(rep::plan::kProcessIndexTag)] = std::to_string(of.index);
    c.tags[std::string(rep::plan::kInstanceGuidTag)] = guid;
    if (state == State::running) {
        c.external_ip = "10.0.0.1";
        c.internal_ip = "10.255.0.1";
        c.routable = true;
    }
    return c;
}

inline Container task_container(const std::string& guid, State state) {
    Container c;
    c.guid = guid;
    c.state = state;
    c.tags[std::string(rep::plan::kLifecycleTag)] = "task";
    c.tags[std::string(rep::plan::kDomainTag)] = "jobs";
    return c;
}

inline brain::api::ActualLrp record(
        const std::string& instance,
        brain::api::LrpState state,
        const std::string& cell_id = kCell,
        brain::api::Presence presence = brain::api::Presence::ordinary) {
    brain::api::ActualLrp out;
    out.key = key();
    out.state = state;
    out.presence = presence;
    using brain::api::LrpState;
    if (state != LrpState::claimed && state != LrpState::running) return out;
    out.instance = {.instance_guid = instance, .cell_id = cell_id};
    if (state != LrpState::running) return out;
    // What a running lrp_container() says.
    out.net_info = {
            .address = "10.0.0.1",
            .ports = {},
            .instance_address = "10.255.0.1",
            .preferred_address = brain::api::PreferredAddress::host,
            .instance_ipv6_address = {}};
    out.routable = true;
    out.availability_zone = "z1";
    return out;
}

// Within ten seconds; looks often.
inline bool eventually(
        const std::function<bool()>& condition,
        std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

}  // namespace test
