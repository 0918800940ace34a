#include "cli/arguments.hpp"

#include <catch2/catch.hpp>

using namespace cli;

namespace {

Arguments parse(std::vector<std::string> words, std::string_view host = {}) {
    auto parsed = parse_arguments(std::move(words), host);
    if (!parsed) FAIL(parsed.error().text);
    return std::move(parsed).value().arguments;
}

std::string usage_error(std::vector<std::string> words) {
    auto parsed = parse_arguments(std::move(words), {});
    return parsed ? "no error" : parsed.error().text;
}

}  // namespace

TEST_CASE("run takes docker's flags and leaves the command's own flags alone") {
    const auto arguments =
            parse({"run",    "-it", "--rm",     "--name", "web",   "-e",           "A=1",
                   "-e",     "B=2", "-w",       "/srv",   "-u",    "www",          "-v",
                   "/a:/b",  "-v",  "/c:/d:rw", "-m",     "64m",   "--cpu-shares", "512",
                   "--pids", "100", "--disk",   "1g",     "--net", "10.1.0.0/30",  "busybox",
                   "ls",     "-l",  "--json",   "-e"});
    const auto& run = std::get<RunOptions>(arguments.command);
    CHECK(run.process.interactive);
    CHECK(run.process.tty);
    CHECK(run.remove);
    CHECK(run.container.name == "web");
    CHECK(run.container.env == std::vector<std::string>{"A=1", "B=2"});
    CHECK(run.process.working_directory == "/srv");
    CHECK(run.process.user == "www");
    REQUIRE(run.container.volumes.size() == 2);
    CHECK_FALSE(run.container.volumes[0].writable);
    CHECK(run.container.volumes[1].writable);
    CHECK(run.container.memory == 64U << 20);
    CHECK(run.container.cpu_shares == 512);
    CHECK(run.container.pids == 100);
    CHECK(run.container.disk == 1U << 30);
    CHECK(run.container.network == "10.1.0.0/30");
    CHECK(run.container.image == "busybox");
    CHECK(run.process.command == std::vector<std::string>{"ls", "-l", "--json", "-e"});
    CHECK_FALSE(arguments.global.json);
}

TEST_CASE("run without a command leaves it to the image") {
    const auto arguments = parse({"run", "-d", "busybox"});
    CHECK(std::get<RunOptions>(arguments.command).process.command.empty());
    CHECK(std::get<RunOptions>(arguments.command).process.detach);
}

TEST_CASE("exec keeps the flags of its command and a double dash") {
    const auto arguments = parse({"exec", "-i", "h", "sh", "-c", "echo -n hi"});
    CHECK(std::get<ExecOptions>(arguments.command).process.command ==
          std::vector<std::string>{"sh", "-c", "echo -n hi"});
    CHECK(usage_error({"exec", "-e", "A", "h", "env"}).find("'A' is not KEY=VALUE") !=
          std::string::npos);
    const auto dashed = parse({"exec", "h", "--", "ls", "-a"});
    CHECK(std::get<ExecOptions>(dashed.command).process.command ==
          std::vector<std::string>{"ls", "-a"});
}

TEST_CASE("the host comes from the flag, then the environment, then the default") {
    CHECK(parse({"doctor"}).global.host == "unix:///run/cloche/garden.sock");
    CHECK(parse({"doctor"}, "tcp://a:1").global.host == "tcp://a:1");
    CHECK(parse({"--host", "tcp://b:2", "doctor"}, "tcp://a:1").global.host == "tcp://b:2");
    CHECK(parse({"doctor", "--host", "tcp://b:2"}).global.host == "tcp://b:2");
}

TEST_CASE("reads take --json behind the noun and the verb") {
    CHECK(parse({"container", "list", "--json"}).global.json);
    CHECK(parse({"--json", "image", "ls"}).global.json);
    CHECK(std::get<ListOptions>(parse({"container", "ls", "-f", "a=b", "-q"}).command).filters ==
          std::vector<std::string>{"a=b"});
    CHECK(std::get<DestroyOptions>(parse({"container", "rm", "a", "b"}).command).handles.size() ==
          2);
    CHECK(std::get<CopyOptions>(parse({"cp", "h:/a", "b"}).command).source == "h:/a");
    CHECK(std::get<LogsOptions>(parse({"logs", "-f", "h"}).command).follow);
    CHECK(std::holds_alternative<StatsOptions>(parse({"stats"}).command));
}

TEST_CASE("usage errors name the flag and do not print the help") {
    CHECK(usage_error({"run", "-m", "lots", "busybox"}).find("--memory") != std::string::npos);
    CHECK(usage_error({"run", "-v", "a:b", "busybox"}).find("absolute") != std::string::npos);
    CHECK(usage_error({"run", "-v", "/a:/b:rx", "busybox"}).find("neither rw nor ro") !=
          std::string::npos);
    CHECK(usage_error({"run", "-e", "NOVALUE", "busybox"}).find("--env") != std::string::npos);
    CHECK(usage_error({"run", "--rm", "-d", "busybox"}).find("--rm") != std::string::npos);
    CHECK(usage_error({"run", "--privileged", "--userns-privileged", "busybox"})
                  .find("--userns-privileged") != std::string::npos);
    CHECK(usage_error({"run"}).find("IMAGE") != std::string::npos);
    CHECK(usage_error({"frobnicate"}).find("'frobnicate'") != std::string::npos);
    CHECK(usage_error({"image", "frobnicate"}).find("'frobnicate'") != std::string::npos);
    CHECK(usage_error({"image", "pull", "--password-stdin", "x"}).find("--username") !=
          std::string::npos);
    CHECK(usage_error({"run", "--password-file", "/f", "x"}).find("--username") !=
          std::string::npos);
    CHECK(usage_error({}) != "no error");
}

TEST_CASE("help and version are texts to print") {
    CHECK(parse_arguments({"--version"}, {}).value().print.starts_with("cloche "));
    const auto help = parse_arguments({"run", "--help"}, {}).value().print;
    for (const auto* flag :
         {"--rm", "--name", "--privileged", "--userns-privileged", "--env", "--workdir", "--user",
          "--volume", "--memory", "--cpu-shares", "--pids", "--disk", "--net", "--seccomp",
          "--detach", "--interactive", "--tty"}) {
        INFO(flag);
        CHECK(help.find(flag) != std::string::npos);
    }
}
