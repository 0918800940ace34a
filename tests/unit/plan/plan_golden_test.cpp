// The plans of the three classes as golden files: a change of a plan is a change of these files,
// seen in review. CLOCHE_UPDATE_GOLDEN=1 writes them anew.
#include "garden/plan/launch_plan.hpp"
#include "garden/plan/plan_json.hpp"
#include "garden/plan/process_plan.hpp"

#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

using namespace garden;

namespace {

plan::HostFacts host_facts(std::vector<std::string> hierarchies) {
    plan::HostFacts host;
    host.cgroup_hierarchies = std::move(hierarchies);
    host.available_capabilities = 0x1ffffffffff;
    for (int resource = 0; resource < RLIM_NLIMITS; ++resource)
        host.rlimits.hard[resource] = 1'048'576;
    return host;
}

plan::ContainerFacts container_facts(security::Class container_class) {
    plan::ContainerFacts facts;
    facts.container_class = container_class;
    if (plan::has_user_namespace(container_class)) {
        facts.id_base = 0x00090000;
        facts.id_length = 65'536;
    }
    facts.filter = {
            .program = "", .hash = "sha256:of-the-class-filter", .listing = "", .log = true};
    facts.bind_source_is_file = {false, true};
    return facts;
}

ContainerSpec full_spec(ContainerClass container_class) {
    ContainerSpec spec;
    spec.handle = Handle("ec774112a9cd-101f8293-230e-4fa8-4138-e8244e6dcfa1-long");
    spec.container_class = container_class;
    spec.bind_mounts = {
            {.source = "/srv/data",
             .destination = "/data",
             .writable = true,
             .origin_container = false},
            {.source = "/srv/one.conf",
             .destination = "/etc/one.conf",
             .writable = false,
             .origin_container = false}};
    return spec;
}

void check_golden(const std::string& name, const std::string& text) {
    const auto path = std::string(CLOCHE_SOURCE_DIR) + "/tests/unit/plan/golden/" + name;
    if (std::getenv("CLOCHE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
    std::ostringstream expected;
    expected << std::ifstream(path).rdbuf();
    CHECK(text == expected.str());
}

const std::vector<std::string> kHybrid{"cpu,cpuacct", "memory",       "pids",   "devices",
                                       "freezer",     "name=systemd", "unified"};

}  // namespace

TEST_CASE("the plan of an unprivileged container on cgroup v1") {
    const auto facts = container_facts(security::Class::unprivileged);
    check_golden(
            "unprivileged-hybrid.json",
            to_json(plan_container(
                            full_spec(ContainerClass::unprivileged), host_facts(kHybrid), facts),
                    facts));
}

TEST_CASE("the plan of an unprivileged container on cgroup v2, no_new_privs") {
    auto spec = full_spec(ContainerClass::unprivileged);
    spec.no_new_privileges = true;
    const auto facts = container_facts(security::Class::unprivileged);
    check_golden(
            "unprivileged-v2.json",
            to_json(plan_container(spec, host_facts({"unified"}), facts), facts));
}

TEST_CASE("the plan of a privileged container") {
    const auto facts = container_facts(security::Class::privileged);
    check_golden(
            "privileged.json",
            to_json(plan_container(
                            full_spec(ContainerClass::privileged), host_facts({"unified"}), facts),
                    facts));
}

TEST_CASE("the plan of a privileged container in a user namespace") {
    const auto facts = container_facts(security::Class::privileged_in_userns);
    check_golden(
            "privileged-in-userns.json",
            to_json(plan_container(
                            full_spec(ContainerClass::privileged_in_userns),
                            host_facts({"unified"}), facts),
                    facts));
}

TEST_CASE("the hostname is the end of a long handle") {
    CHECK(plan::hostname_of(Handle("short")) == "short");
    CHECK(plan::hostname_of(Handle("abcdec774112a9cd-101f8293-230e-4fa8-4138-e8244e6dcfa1")) ==
          "ec774112a9cd-101f8293-230e-4fa8-4138-e8244e6dcfa1");
}

TEST_CASE("ID-07: the user namespace belongs to the base id, and nothing maps to host root") {
    const auto namespaces = plan::plan_namespaces(container_facts(security::Class::unprivileged));
    CHECK(namespaces.owner_uid == 0x00090000);
    REQUIRE(namespaces.uids.size() == 1);
    CHECK(namespaces.uids[0].inside == 0);
    CHECK(namespaces.uids[0].outside == 0x00090000);
    CHECK(namespaces.uids[0].count == 65'536);
    CHECK_FALSE(plan::plan_namespaces(container_facts(security::Class::privileged)).user);
}

TEST_CASE("PL-11: a program is searched in absolute directories of PATH only") {
    CHECK(plan::candidates_of("/bin/ls", "/usr/bin") == std::vector<std::string>{"/bin/ls"});
    CHECK(plan::candidates_of("./ls", "/usr/bin") == std::vector<std::string>{"./ls"});
    CHECK(plan::candidates_of("ls", "/usr/bin::.:rel:/bin/") ==
          std::vector<std::string>{"/usr/bin/ls", "/bin/ls"});
    CHECK(plan::candidates_of("ls", "").empty());
}

TEST_CASE("a process of a user outside the range is refused before anything starts") {
    ProcessSpec spec;
    spec.path = "/bin/true";
    const security::User user{
            .uid = 1'000'000'000, .gid = 0, .groups = {}, .home = "/", .name = ""};
    const auto host = host_facts({"unified"});
    const auto facts = container_facts(security::Class::unprivileged);
    const auto plan = plan::plan_process({.spec = &spec, .user = &user}, host, facts);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().text == "user: uid 1000000000 is outside the container's range 0-65535");
}

TEST_CASE("a process gets its window size, its home and its groups") {
    ProcessSpec spec;
    spec.id = "p1";
    spec.path = "sh";
    spec.args = {"-c", "true"};
    spec.user = "alice";
    spec.tty = WindowSize{.columns = 0, .rows = 50};
    const security::User user{
            .uid = 1001,
            .gid = 1010,
            .groups = {1010, 1011},
            .home = "/home/alice",
            .name = "alice"};
    const auto plan = plan::plan_process(
                              {.spec = &spec, .user = &user}, host_facts({"unified"}),
                              container_facts(security::Class::unprivileged))
                              .value();
    CHECK(plan.argv == std::vector<std::string>{"sh", "-c", "true"});
    CHECK(plan.cwd == "/home/alice");
    CHECK(plan.groups == std::vector<std::uint32_t>{1010, 1011});
    CHECK(plan.stdio == launch::Stdio::terminal);
    CHECK(plan.columns == 80);
    CHECK(plan.rows == 50);
    CHECK(plan.confinement.capabilities.effective == 0);
    CHECK(plan.confinement.capabilities.bounding == 0xa80425fb);  // CAP-01
}
