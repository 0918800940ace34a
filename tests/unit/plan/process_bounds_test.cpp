// The bounds of a specification and those of the plan it becomes fit each other.
#include "garden/launch/codec.hpp"
#include "garden/plan/process_plan.hpp"
#include "garden/plan/validate.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>

using namespace garden;

namespace {

base::Result<launch::ProcessPlan> plan_of(const ProcessSpec& spec) {
    plan::HostFacts host;
    for (int resource = 0; resource < RLIM_NLIMITS; ++resource)
        host.rlimits.hard[resource] = 1'048'576;
    plan::ContainerFacts facts;
    facts.container_class = security::Class::privileged;
    const security::User user;
    const std::vector<std::string> none;
    return plan::plan_process(
            {.spec = &spec, .user = &user, .image_env = &none, .container_env = &none}, host,
            facts);
}

}  // namespace

TEST_CASE("a process with as many arguments and variables as are allowed is one the shim takes") {
    ProcessSpec spec;
    spec.id = "p";
    spec.path = "/bin/true";
    spec.args.assign(plan::kArguments, "1");
    std::size_t total = 0;
    for (int i = 0; total + 16 < 1024 * 1024; ++i) {
        spec.env.push_back(std::to_string(i) + "=");
        total += spec.env.back().size() + 1;
    }
    REQUIRE(plan::check_process_spec(spec).has_value());
    const auto made = plan_of(spec).value();
    const auto decoded = launch::decode_process_plan(encode(made), 0);
    CAPTURE(decoded ? std::string() : decoded.error().text);
    CHECK(decoded.has_value());
}

TEST_CASE("a long PATH times a long name stays small") {
    std::string path;
    for (int i = 0; i < 60'000; ++i) path += "/:";
    const auto candidates = plan::candidates_of(std::string(4000, 'x'), path);
    CHECK(candidates.size() == plan::kMaxCandidates);
}
