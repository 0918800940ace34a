// What the commands of cells parse and print.
#include "base/json_writer.hpp"
#include "cli/arguments.hpp"
#include "cli/cell_view.hpp"
#include "cli/clients.hpp"
#include "cli/recipe.hpp"

#include <cstring>

#include <catch2/catch.hpp>

using namespace cli;
using namespace std::chrono_literals;

namespace {

Arguments parse(std::vector<std::string> words, std::string_view cell = {}) {
    auto parsed = parse_arguments(std::move(words), {}, cell, {});
    if (!parsed) FAIL(parsed.error().text);
    return std::move(parsed).value().arguments;
}

std::string error_of(const base::Result<Recipe>& recipe) {
    return recipe ? "no error" : recipe.error().text;
}

const std::string kRun = R"("run": {"run": {"path": "true", "user": "root"}})";
const std::string kAction = R"("action": {"run": {"path": "true", "user": "root"}})";

}  // namespace

TEST_CASE("where a cell is comes from the flag and then the environment and then the default") {
    CHECK(parse({"cell", "state"}).global.cell == "unix:///run/cloche-cell/cell.sock");
    CHECK(parse({"cell", "state"}).global.rep == "tcp://127.0.0.1:1800");
    CHECK(parse({"cell", "state"}, "tcp://a:1").global.cell == "tcp://a:1");
    CHECK(parse({"cell", "containers", "--cell", "tcp://b:2"}, "tcp://a:1").global.cell ==
          "tcp://b:2");
}

TEST_CASE("the hint about a silent daemon names the one that the command speaks to") {
    CHECK(daemon_of(parse({"cell", "evacuate"})).flag == "--rep");
    CHECK(daemon_of(parse({"cell", "logs", "a"})).variable == "CLOCHE_CELL");
    CHECK(daemon_of(parse({"task", "run", "--local", "-"})).name == "celld");
    CHECK(daemon_of(parse({"ps"})).name == "gardend");
}

TEST_CASE("task run takes its flags and needs a cell") {
    const auto arguments = parse(
            {"task", "run", "--local", "--guid", "g", "--result", "out", "--keep", "-q", "r.json"});
    const auto& task = std::get<TaskRunOptions>(arguments.command);
    CHECK(task.recipe == "r.json");
    CHECK(task.guid == "g");
    CHECK(task.result == "out");
    CHECK(task.keep);
    CHECK(task.quiet);
    const auto remote = parse_arguments({"task", "run", "r.json"}, {});
    REQUIRE_FALSE(remote);
    CHECK(remote.error().text.find("--local") != std::string::npos);
}

TEST_CASE("logs take a number of lines") {
    const auto cell = parse({"cell", "logs", "-f", "-n", "7", "guid"});
    CHECK(std::get<CellLogsOptions>(cell.command).lines == 7U);
    CHECK(std::get<CellLogsOptions>(cell.command).follow);
    CHECK(std::get<LogsOptions>(parse({"logs", "-n", "3", "h"}).command).lines == 3U);
    CHECK_FALSE(std::get<LogsOptions>(parse({"logs", "h"}).command).lines);
    CHECK_FALSE(parse_arguments({"cell", "logs", "-n", "-1", "guid"}, {}));
}

TEST_CASE("a run request becomes an allocation and a run") {
    const auto recipe = parse_recipe(
            R"({"guid": "g", "memory_mb": 64, "disk_mb": 32, "max_pids": 9, "rootfs": "/r",
                "result_file": "/out", "env": [{"name": "A", "value": "1"}], )" +
                    kRun + "}",
            {});
    REQUIRE(recipe);
    CHECK(recipe->allocation.guid == "g");
    CHECK(recipe->allocation.memory_mb == 64);
    CHECK(recipe->allocation.disk_mb == 32);
    CHECK(recipe->allocation.max_pids == 9);
    CHECK(recipe->run.guid == "g");
    CHECK(recipe->run.info.rootfs == "/r");
    CHECK(recipe->run.info.env.front().name == "A");
    CHECK(recipe->result_file == "/out");
    CHECK(parse_recipe("{" + kRun + "}", "mine")->run.guid == "mine");
    CHECK(parse_recipe("{" + kRun + "}", {})->allocation.guid.starts_with("task-"));
}

TEST_CASE("a container that was listed can be run again") {
    executor::api::Container container{.guid = "old", .memory_mb = 5};
    container.tags = {{"result-file", "/result"}, {"lifecycle", "task"}, {"own", "1"}};
    container.info.run = executor::api::Action{
            .value = executor::api::RunAction{.path = "true", .user = "root"}};
    const auto recipe = parse_recipe(base::json::encode(container), "new");
    REQUIRE(recipe);
    CHECK(recipe->allocation.guid == "new");
    CHECK(recipe->allocation.memory_mb == 5);
    CHECK(recipe->result_file == "/result");
    // With its mark a rep would delete it as its own that is not wanted any more.
    CHECK_FALSE(recipe->run.tags.contains("lifecycle"));
    CHECK_FALSE(recipe->allocation.tags.contains("lifecycle"));
    CHECK(recipe->allocation.tags.contains("own"));
}

TEST_CASE("a task of the receptor becomes a run request") {
    const auto recipe = parse_recipe(
            R"({"task_guid": "t", "domain": "d", "rootfs": "/r", "memory_mb": 7, "log_guid": "lg",
                "log_source": "STG", "result_file": "/res", "privileged": true,
                "egress_rules": [{"protocol": "all", "destinations": ["0.0.0.0/0"]}],
                "env": [{"name": "A", "value": "1"}], )" +
                    kAction + "}",
            {});
    REQUIRE(recipe);
    CHECK(recipe->run.guid == "t");
    CHECK(recipe->allocation.memory_mb == 7);
    CHECK(recipe->result_file == "/res");
    const auto& info = recipe->run.info;
    CHECK(info.privileged);
    CHECK(info.egress_rules.size() == 1);
    CHECK(info.env.size() == 1);
    CHECK(info.cpu_weight == 1);
    CHECK(info.log_config.guid == "lg");
    CHECK(info.log_rate_limit_bytes_per_second == -1);
    CHECK(std::get<executor::api::RunAction>(info.run->value).log_source == "STG");
}

TEST_CASE("what is wrong in a recipe is named") {
    CHECK(error_of(parse_recipe("{}", {})).find("run: an action is required") == 0);
    CHECK(error_of(parse_recipe("{" + kRun + "," + kAction + "}", {})).find("run and action") == 0);
    CHECK(error_of(parse_recipe(R"({"memory_md": 1, )" + kRun + "}", {})) ==
          "memory_md: unknown in a run request");
    CHECK(error_of(parse_recipe(R"({"rootfs": "/r", "setup": {}, )" + kAction + "}", {})) ==
          "setup: unknown in a task");
    CHECK(error_of(parse_recipe(R"({"memory_mb": "1", )" + kRun + "}", {})).find("memory_mb: ") ==
          0);
    CHECK(error_of(parse_recipe(R"({"memory_mb": -1, )" + kRun + "}", {})).find("memory_mb: -1") ==
          0);
    CHECK(error_of(parse_recipe(R"({"run": {"run": {"path": ""}}})", {})).find("run.run.path") ==
          0);
    CHECK(error_of(parse_recipe(R"({"rootfs": "/r", "action": {"run": {}}})", {}))
                  .find("action.run.path") == 0);
    CHECK(error_of(parse_recipe("{" + kAction + "}", {})).find("rootfs: ") == 0);
    CHECK(error_of(parse_recipe(R"({"rootfs": "/r", "image_layers": [], )" + kAction + "}", {}))
                  .find("image_layers: not in a task that runs locally") == 0);
    CHECK(error_of(parse_recipe("[]", {})).find("object") != std::string::npos);
    CHECK(error_of(parse_recipe("{" + kRun + "}", "../x")).find("guid: ") == 0);
}

TEST_CASE("lines of the cell have a source of their own") {
    const auto recipe = parse_recipe(
            R"({"run": {"serial": {"actions": [
                  {"run": {"path": "a", "user": "root"}},
                  {"emit_progress": {"action": {"run": {"path": "b", "user": "root"}}}},
                  {"run": {"path": "c", "user": "root", "log_source": "OWN"}}]}}})",
            {});
    if (!recipe) FAIL(recipe.error().text);
    const auto& info = recipe->run.info;
    CHECK(info.log_config.source_name == kCellSource);
    CHECK_FALSE(info.log_config.guid.empty());
    using namespace executor::api;
    const auto& actions = std::get<SerialAction>(info.run->value).actions;
    CHECK(std::get<RunAction>(actions[0].value).log_source == "TASK");
    const auto& progress = std::get<EmitProgressAction>(actions[1].value);
    CHECK(std::get<RunAction>((*progress.action).value).log_source == "TASK");
    CHECK(std::get<RunAction>(actions[2].value).log_source == "OWN");
}

TEST_CASE("containers of a cell are a table") {
    executor::api::Container container{
            .guid = "g",
            .memory_mb = 64,
            .tags = {{"lifecycle", "task"}},
            .state = executor::api::State::completed,
            .allocated_at = std::chrono::nanoseconds(100s).count(),
            .external_ip = "192.0.2.1",
            .internal_ip = "10.0.0.2",
            .run_result = {.failed = true, .failure_reason = "bad\x1b[2J"}};
    container.info.ports = {{.container_port = 8080, .host_port = 61001}, {.container_port = 2222}};
    const std::chrono::system_clock::time_point now{220s};
    CHECK(cell_container_table({container}, now).text(false) ==
          "GUID   STATE       KIND   MEMORY   DISK     AGE   ADDRESS    EXTERNAL    PORTS          "
          "    REASON\n"
          "g      completed   task   64 MiB      -   2 min   10.0.0.2   192.0.2.1   61001->8080 "
          "2222   bad?[2J\n");
}

TEST_CASE("the state of a cell is told in words") {
    rep::api::CellState state;
    state.cell_id = "cell-1";
    state.zone = "z1";
    state.evacuating = true;
    state.rootfs_providers = {
            {"docker", {.arbitrary = true}}, {"preloaded", {.names = {"a", "b"}}}};
    state.available_resources = {.memory_mb = 1024, .disk_mb = 2048, .containers = 3};
    state.total_resources = {.memory_mb = 4096, .disk_mb = 8192, .containers = 250};
    state.lrps.resize(1);
    const auto text = cell_summary(state).text(false);
    const auto has = [&](const char* name, const char* value) {
        const auto row = text.find(std::string("\n") + name + "  ");
        if (row == std::string::npos) return false;
        const auto at = text.find_first_not_of(' ', row + 1 + std::strlen(name));
        return text.substr(at).starts_with(std::string(value) + "\n");
    };
    CHECK(has("zone", "z1"));
    CHECK(has("evacuating", "yes"));
    CHECK(has("memory", "1.0 GiB free of 4.0 GiB"));
    CHECK(has("containers", "3 free of 250"));
    CHECK(has("rootfs docker", "any"));
    CHECK(has("rootfs preloaded", "a b"));
    CHECK(has("work", "1 LRP, 0 tasks"));
    CHECK(has("volume drivers", "-"));
}

TEST_CASE("a line of a log is safe for a terminal") {
    const executor::api::LogRecord record{
            .sequence = 1,
            .time_ns = 1'000'000'000,
            .kind = executor::api::LogKind::err,
            .source = "APP",
            .text = "a\x1b]b\tc"};
    const auto line = log_line(record);
    CHECK(line.starts_with("1970-01-01T00:00:01"));
    CHECK(line.ends_with(" APP err a?]b\tc\n"));
    CHECK(lost_lines(1).find("1 line was lost") != std::string::npos);
    CHECK(lost_lines(2).find("2 lines were lost") != std::string::npos);
}
