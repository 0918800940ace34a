#include "tests/unit/brain_core/bench.hpp"

#include "base/fail.hpp"
#include "base/uuid.hpp"

#include <catch2/catch.hpp>

namespace test {

using namespace std::chrono_literals;

base::Result<void> Unreliable::commit(store::Term term, std::span<const store::Change> changes) {
    std::optional<base::Errc> failure;
    bool done = true;
    {
        const std::lock_guard lock(mutex_);
        ++commits;
        failure = std::exchange(next_, std::nullopt);
        if (failure) done = done_;
    }
    if (done) TRY(behind_.commit(term, changes));
    if (failure) return base::fail(*failure, "as the test wants it");
    return base::ok;
}

Directory::Directory()
    : path(std::filesystem::temp_directory_path() / ("brain_core." + base::random_uuid())) {
    std::filesystem::create_directory(path);
}

Directory::~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
}

core::Config Life::quick() {
    core::Config config;
    config.name = "brain-1";
    config.lead_time = 2s;
    config.convergence = 1h;
    config.presence_grace = 60s;
    return config;
}

Life::Life(const Directory& directory, core::Config config) {
    sqlite = store::open_sqlite({.path = directory.path / "brain.db"}).value();
    store = std::make_unique<Unreliable>(*sqlite);
    core = std::make_unique<core::Core>(std::move(config), *store, effects, clock);
    core->start();
    wait_until_leading();
}

Life::~Life() {
    core->stop();
}

void Life::wait_until_leading() {
    if (!soon([&] { return core->standing().role == core::Role::leader; }))
        throw std::runtime_error("no lead: " + core->standing().text);
}

api::CellPresence Life::cell(const std::string& id) const {
    api::CellPresence presence;
    presence.cell_id = id;
    presence.rep_url = "http://127.0.0.1:1800";
    presence.zone = "z1";
    return presence;
}

void Life::arrive(const std::string& id) {
    REQUIRE(core->put_presence(cell(id), "life of " + id, 60s));
}

api::DesiredLrp app(const std::string& guid, int instances) {
    api::DesiredLrp lrp;
    lrp.process_guid = guid;
    lrp.domain = "apps";
    lrp.instances = instances;
    lrp.definition.rootfs = "preloaded:busybox";
    lrp.definition.memory_mb = 64;
    return lrp;
}

api::Task job(const std::string& guid) {
    api::Task task;
    task.task_guid = guid;
    task.domain = "apps";
    task.task_definition.definition.rootfs = "preloaded:busybox";
    return task;
}

api::LrpKey key(const std::string& guid, int index) {
    return {.process_guid = guid, .index = index, .domain = "apps"};
}

api::InstanceKey instance(const std::string& guid, const std::string& cell) {
    return {.instance_guid = guid, .cell_id = cell};
}

api::RunningLrp running(
        const std::string& guid,
        int index,
        const std::string& instance_guid,
        const std::string& cell) {
    return {.key = key(guid, index),
            .instance = instance(instance_guid, cell),
            .net_info = {.address = "10.0.0.1"},
            .internal_routes = {},
            .metric_tags = {},
            .routable = true,
            .availability_zone = "z1"};
}

bool soon(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) return false;
        base::pause_for(5ms);
    }
    return true;
}

}  // namespace test
