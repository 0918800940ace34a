// Requests of Garden clients: what is read writes to text that reads to the same, and a
// specification that passes its checks becomes a plan that garden-shim accepts.
#include "base/json.hpp"
#include "garden/api/types.hpp"
#include "garden/launch/codec.hpp"
#include "garden/plan/launch_plan.hpp"
#include "garden/plan/plan_json.hpp"
#include "garden/plan/process_plan.hpp"
#include "garden/plan/validate.hpp"
#include "garden/server/convert.hpp"
#include "tests/fuzz/json_input.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace {

garden::plan::HostFacts host_facts() {
    garden::plan::HostFacts host;
    host.cgroup_hierarchies = {"cpu,cpuacct", "memory", "name=systemd"};
    for (int resource = 0; resource < 16; ++resource) host.rlimits.hard[resource] = 1'048'576;
    return host;
}

garden::plan::ContainerFacts facts_of(const garden::ContainerSpec& spec) {
    garden::plan::ContainerFacts facts;
    facts.container_class = garden::plan::to_security(spec.container_class);
    if (garden::plan::has_user_namespace(facts.container_class)) {
        facts.id_base = 0x90000;
        facts.id_length = 65'536;
    }
    facts.filter.hash = "sha256:of-the-class-filter";
    facts.bind_source_is_file.assign(spec.bind_mounts.size(), false);
    return facts;
}

// FS-13: however a destination is spelled, it is not one of the engine's own.
void check_destination(const std::string& destination) {
    const auto normal = std::filesystem::path("/" + destination).lexically_normal().string();
    const auto below = [&](const std::string& reserved) {
        return normal == reserved || normal == reserved + "/" || normal.starts_with(reserved + "/");
    };
    fuzz::require(normal != "/" && !below("/proc") && !below("/sys"), "FS-13 holds");
    fuzz::require(normal != "/dev" && normal != "/dev/", "FS-13 holds for /dev");
}

void container(std::string_view text) {
    garden::api::ContainerSpec wire;
    if (!fuzz::round_trip(text, wire)) return;
    if (wire.handle.empty()) wire.handle = "made-by-the-engine";
    const auto spec = garden::server::to_spec(std::move(wire));
    if (!spec || !garden::plan::check_container_spec(*spec)) return;
    for (const auto& bind : spec->bind_mounts) check_destination(bind.destination);
    const auto facts = facts_of(*spec);
    const auto plan = garden::plan::plan_container(*spec, host_facts(), facts);
    const auto bytes = encode(plan.container);
    const auto decoded = garden::launch::decode_container_plan(bytes, plan.fds.size());
    fuzz::require(decoded && encode(*decoded) == bytes, "a plan is accepted by garden-shim");
    const auto namespaces = encode(plan.namespaces);
    fuzz::require(
            garden::launch::decode_namespace_plan(namespaces).has_value(),
            "the plan of namespaces is accepted by garden-shim");
    fuzz::require(
            base::json::Document::parse(garden::plan::to_json(plan, facts)).has_value(),
            "a plan prints as JSON");
}

void process(std::string_view text) {
    garden::api::ProcessSpec wire;
    if (!fuzz::round_trip(text, wire)) return;
    if (wire.id.empty()) wire.id = "made-by-the-engine";
    const auto spec = garden::server::to_spec(std::move(wire));
    if (!spec || !garden::plan::check_process_spec(*spec)) return;
    security::User user;
    user.home = "/root";
    const std::vector<std::string> none;
    const auto plan = garden::plan::plan_process(
            {.spec = &*spec, .user = &user, .image_env = &none, .container_env = &none},
            host_facts(), facts_of({}));
    if (!plan) return;
    const auto bytes = encode(*plan);
    const auto decoded = garden::launch::decode_process_plan(bytes, 0);
    fuzz::require(decoded && encode(*decoded) == bytes, "a process is accepted by garden-shim");
}

}  // namespace

// First byte: which request.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    switch (input.byte() % 6) {
        case 0:
            container(input.rest());
            break;
        case 1:
            process(input.rest());
            break;
        case 2:
            fuzz::only_text<garden::api::NetOutRule>(input.rest());
            break;
        case 3:
            fuzz::only_text<garden::api::ProcessMessage>(input.rest());
            break;
        case 4:
            fuzz::only_text<garden::api::NetInRequest>(input.rest());
            break;
        default:
            fuzz::only_text<garden::api::PropertyValue>(input.rest());
            break;
    }
    return 0;
}
