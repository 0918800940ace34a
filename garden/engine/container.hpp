// One container in the memory of gardend. Owned by the registry, shared by the operations that work
// on it. Used by garden/engine only.
#pragma once

#include "base/fd.hpp"
#include "garden/cgroup/cgroup.hpp"
#include "garden/engine/peas.hpp"
#include "garden/engine/process_table.hpp"
#include "garden/engine/record.hpp"
#include "garden/launch/shim_client.hpp"
#include "garden/plan/facts.hpp"
#include "security/denials.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace garden {

struct Container {
    explicit Container(Handle name) : handle(std::move(name)) {}

    const Handle handle;
    ProcessTable processes;       // has its own lock
    security::DenialLog denials;  // the same; since gardend started
    PeaTable peas;                // the same

    // Until then only the creating thread touches what follows.
    std::atomic<bool> ready{false};
    std::vector<base::Fd> bind_sources;  // during create only
    std::string resolv_conf;             // during create only: what a network plugin wants in it
    // False while its shim has not answered since gardend started: it is listed and can be
    // destroyed, other operations say `join_error`. What join() fills in is read after this only.
    std::atomic<bool> joined{true};

    // Held by who ends its processes, before `mutex`: bury and destroy never meet.
    std::mutex ending;

    // Held by who changes its rules, before `mutex`: the record and the kernel change in one order.
    std::mutex changing_rules;
    std::mutex changing_limits;  // the same for its limits
    // Under `mutex`; the pointers do not change once it is ready.
    std::mutex mutex;
    ContainerRecord record;
    base::Fd bundle;
    std::shared_ptr<launch::Shim> shim;
    std::shared_ptr<cgroup::Group> group;
    plan::ContainerFacts facts;
    base::Fd init;  // pidfd of garden-init
    std::int32_t init_pid = 0;
    bool destroying = false;
    bool no_new_privileges = false;
    std::string join_error;
};

}  // namespace garden
