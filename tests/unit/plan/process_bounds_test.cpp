// The bounds of a specification and those of the plan it becomes fit each other.
#include "garden/launch/codec.hpp"
#include "garden/plan/process_plan.hpp"
#include "garden/plan/validate.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>

using namespace garden;

namespace {

base::Result<launch::ProcessPlan> plan_of(
        const ProcessSpec& spec, const std::vector<std::string>& container_env = {}) {
    plan::HostFacts host;
    for (int resource = 0; resource < RLIM_NLIMITS; ++resource)
        host.rlimits.hard[resource] = 1'048'576;
    plan::ContainerFacts facts;
    facts.container_class = security::Class::privileged;
    const security::User user;
    const std::vector<std::string> none;
    return plan::plan_process(
            {.spec = &spec, .user = &user, .image_env = &none, .container_env = &container_env},
            host, facts);
}

}  // namespace

TEST_CASE("a process with as many arguments and variables as are allowed is one the shim takes") {
    ProcessSpec spec;
    spec.id = "p";
    spec.path = "/bin/true";
    spec.args.assign(plan::kArguments, "1");
    std::size_t total = 0;
    for (int i = 0; total + 4096 < 1024 * 1024; ++i) {
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

TEST_CASE("the environment is bounded after it is merged, too") {  // PL-06
    const std::vector<std::string> large(7, std::string(100 * 1024, 'a'));
    const auto named = [&](const std::string& prefix) {
        std::vector<std::string> env;
        for (const auto& value : large)
            env.push_back(prefix + std::to_string(env.size()) + "=" + value);
        return env;
    };
    ProcessSpec spec;
    spec.id = "p";
    spec.path = "/bin/true";
    spec.env = named("PROCESS");
    REQUIRE(plan_of(spec));
    const auto made = plan_of(spec, named("CONTAINER"));
    REQUIRE_FALSE(made);
    CHECK_THAT(
            made.error().text,
            Catch::Contains("merged") && Catch::Contains("at most 1048576 are allowed"));
}
