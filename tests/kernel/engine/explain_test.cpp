// What explain says is what happens: each refusal is tried in a real container, and its errno is
// compared with the answer.
#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;

namespace {

class Fixture : public EngineFixture {
  public:
    Fixture() {
        for (const char* applet :
             {"mount", "mknod", "chown", "nc", "dmesg", "sethostname", "unshare"})
            std::filesystem::create_symlink("busybox", rootfs() + "/bin/" + applet);
    }

    Explained ask(const Handle& handle, const ExplainRequest& request) {
        auto report = engine().explain(handle, request).value();
        REQUIRE(report.explanations.size() == 1);
        return report.explanations.front();
    }

    // What a shell says when it does `what`; "" when it works.
    std::string tried(const Handle& handle, const std::string& what, const std::string& user = "") {
        const auto done = run(handle, {"sh", "-c", what}, user);
        if (done.exit_code == 0) return "";
        // The second is busybox' own, for mount.
        static const std::pair<const char*, const char*> kWords[] = {
                {"Operation not permitted", "EPERM"},
                {"permission denied (are you root?)", "EPERM"},
                {"Permission denied", "EACCES"},
                {"Read-only file system", "EROFS"},
                {"No route to host", "EHOSTUNREACH"},
                {"Connection refused", "ECONNREFUSED"},
                {"Network is unreachable", "ENETUNREACH"}};
        for (const auto& [words, name] : kWords)
            if ((done.err + done.out).find(words) != std::string::npos) return name;
        return "exit " + std::to_string(done.exit_code) + ": " + done.err;
    }

    Handle create_as(const std::string& handle, ContainerClass of) {
        auto asked = spec(handle);
        asked.container_class = of;
        return engine().create(std::move(asked), {}).value();
    }
};

}  // namespace

TEST_CASE("explain tells the truth about calls") {
    NEEDS(root, userns, nft);
    Fixture fixture;
    const auto plain = fixture.create("plain");
    const auto mighty = fixture.create_as("mighty", ContainerClass::privileged);
    const auto mount = fixture.ask(plain, {.call = "mount"});
    CHECK(mount.layer == "filter");
    CHECK(mount.rule == "SC-05");
    CHECK(fixture.tried(plain, "mount -t tmpfs none /tmp") == mount.seen_as);
    CHECK_FALSE(fixture.ask(mighty, {.call = "mount"}).refused);
    CHECK(fixture.tried(mighty, "mount -t tmpfs none /tmp") == "");

    const auto node = fixture.ask(plain, {.call = "mknod"});
    CHECK(node.layer == "user namespace");
    CHECK(fixture.tried(plain, "mknod /tmp/null c 1 3") == node.seen_as);
    CHECK(fixture.tried(plain, "mknod /tmp/pipe p") == "");  // which needs no right at all

    CHECK_FALSE(fixture.ask(plain, {.call = "chown"}).refused);
    CHECK(fixture.tried(plain, "chown 5 /tmp") == "");
    CHECK(fixture.engine().explain(plain, {.call = "no such call"}).error().kind ==
          base::Errc::invalid);
    CHECK(fixture.engine().explain(plain, {.call = "mount", .path = "/"}).error().kind ==
          base::Errc::invalid);
    CHECK(fixture.engine().explain(Handle("nobody"), {}).error().kind == base::Errc::not_found);
}

TEST_CASE("explain tells the truth about the capabilities of one process") {
    NEEDS(root, userns, nft);
    Fixture fixture;
    const auto mighty = fixture.create_as("mighty", ContainerClass::privileged);
    auto sleeper = EngineFixture::process({"sleep", "1000"}, "alice");
    sleeper.id = "of-alice";
    (void)fixture.engine().run(mighty, sleeper).value();
    const auto of_alice = fixture.ask(mighty, {.call = "mount", .process = "of-alice"});
    CHECK(of_alice.layer == "capability");
    CHECK(of_alice.rule == "CAP-03");
    CHECK(fixture.tried(mighty, "mount -t tmpfs none /tmp", "alice") == of_alice.seen_as);
    const auto chown = fixture.ask(mighty, {.call = "chown", .process = "of-alice"});
    CHECK(chown.layer == "capability");
    CHECK(fixture.tried(mighty, "chown 5 /home/alice", "alice") == chown.seen_as);
    CHECK(fixture.engine()
                  .explain(mighty, {.call = "mount", .process = "none"})
                  .error()
                  .text.find("unknown process: none") != std::string::npos);
}

TEST_CASE("explain tells the truth about paths") {
    NEEDS(root, userns, nft);
    Fixture fixture;
    const auto source = fixture.config().state_directory + "/bound";
    std::filesystem::create_directories(source);
    REQUIRE(::chown(source.c_str(), 0, 0) == 0);
    auto asked = fixture.spec("plain");
    asked.bind_mounts = {
            {.source = source, .destination = "/fixed", .writable = false},
            {.source = source, .destination = "/open", .writable = true}};
    const auto plain = fixture.engine().create(std::move(asked), {}).value();

    const auto masked = fixture.ask(plain, {.path = "/proc/kallsyms", .access = "read"});
    CHECK(masked.layer == "mask");
    CHECK(fixture.run(plain, {"wc", "-c", "/proc/kallsyms"}).out == "0 /proc/kallsyms\n");
    CHECK(fixture.ask(plain, {.path = "/sys/firmware/acpi"}).layer == "mask");
    CHECK(fixture.run(plain, {"ls", "-A", "/sys/firmware"}).out == "");

    for (const char* path : {"/proc/sys/kernel/domainname", "/sys/kernel/x", "/fixed/x"}) {
        INFO(path);
        const auto found = fixture.ask(plain, {.path = path, .access = "write"});
        CHECK(found.layer == "read-only");
        CHECK(fixture.tried(plain, std::string("echo x > ") + path) == found.seen_as);
    }
    CHECK(fixture.ask(plain, {.path = "/fixed/x", .access = "write"}).rule == "CL-03");
    CHECK_FALSE(fixture.ask(plain, {.path = "/fixed", .access = "read"}).refused);

    // Its owner is root of the host, who is nobody in the container.
    const auto strange = fixture.ask(plain, {.path = "/open", .access = "write"});
    CHECK(strange.layer == "user namespace");
    CHECK(fixture.tried(plain, "echo x > /open/x") == strange.seen_as);
    CHECK_FALSE(fixture.ask(plain, {.path = "/open", .access = "read"}).refused);
    CHECK_FALSE(fixture.ask(plain, {.path = "/dev/null"}).refused);
    CHECK(fixture.tried(plain, "echo x > /dev/null") == "");
    CHECK_FALSE(fixture.ask(plain, {.path = "/tmp/x", .access = "write"}).refused);
    CHECK(fixture.tried(plain, "echo x > /tmp/x") == "");
    for (const char* path : {"tmp", "/tmp/../etc", "/a//b"})
        CHECK(fixture.engine().explain(plain, {.path = path}).error().kind == base::Errc::invalid);
}

TEST_CASE("explain tells the truth about devices") {
    NEEDS(root, userns, nft);
    Fixture fixture;
    const auto mighty = fixture.create_as("mighty", ContainerClass::privileged);
    // No driver has it: were it allowed, opening would be ENXIO.
    CHECK_FALSE(fixture.ask(mighty, {.device = "b 241:7", .access = "make"}).refused);
    CHECK(fixture.tried(mighty, "mknod /dev/b b 241 7") == "");
    const auto block = fixture.ask(mighty, {.device = "b 241:7", .access = "read"});
    CHECK(block.layer == "device");
    CHECK(fixture.tried(mighty, "cat /dev/b") == block.seen_as);
    // Elsewhere no device is opened at all.
    CHECK(fixture.tried(mighty, "mknod /tmp/null c 1 3") == "");
    CHECK(fixture.tried(mighty, "cat /tmp/null") == "EACCES");
    const auto plain = fixture.create("plain");
    CHECK_FALSE(fixture.ask(plain, {.device = "c 1:3"}).refused);
    CHECK(fixture.ask(plain, {.device = "c 1:3", .access = "make"}).layer == "user namespace");
    CHECK(fixture.ask(plain, {.device = "c 10:229"}).layer == "device");
    CHECK(fixture.engine().explain(plain, {.device = "c *:3"}).error().kind == base::Errc::invalid);
}

TEST_CASE("explain tells the truth about connections, before and after the rule that it names") {
    NEEDS(root, userns, nft);
    Fixture fixture;
    const auto one = fixture.create("one");
    const auto two = fixture.create("two");
    const auto address = fixture.engine().info(two).value().container_ip;
    const auto host = fixture.engine().info(one).value().host_ip;
    const auto connect = [&](const std::string& to, int port) {
        return fixture.tried(one, "nc -w 2 " + to + " " + std::to_string(port) + " </dev/null");
    };

    struct Case {
        std::string to;
        std::string rule;
    };

    for (const auto& each : {Case{address, "NET-04"}, Case{host, "NET-04"}}) {
        INFO(each.to);
        const auto found = fixture.ask(one, {.connect = each.to + ":80"});
        CHECK(found.refused);
        CHECK(found.layer == "network");
        CHECK(found.rule == each.rule);
        CHECK(connect(each.to, 80) == found.seen_as);
    }

    // Nothing leads there from the test's network namespace.
    CHECK(fixture.ask(one, {.connect = "169.254.169.254:80"}).rule == "NET-05");

    // What was refused is explained without being asked about.
    const auto recent = [&](const std::string& question) {
        for (int i = 0; i < 250; ++i) {
            const auto report = fixture.engine().explain(one, {}).value();
            for (const auto& entry : report.explanations)
                if (entry.question == question) return entry;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        return Explained{};
    };
    const auto question = "connect to " + address + ":80 by tcp";
    const auto logged = recent(question);
    CHECK(logged.refused);
    CHECK(logged.count >= 1);
    CHECK(logged.remedy.find(R"("networks":[{"start":")" + address) != std::string::npos);

    fixture.engine()
            .net_out(
                    one, {OutRuleSpec{
                                 .protocol = 1,
                                 .networks = {{.first = address, .last = ""}},
                                 .ports = {{.first = 80, .last = 80}}}})
            .value();
    CHECK_FALSE(fixture.ask(one, {.connect = address + ":80"}).refused);
    CHECK(connect(address, 80) == "ECONNREFUSED");  // two itself: nobody listens
    CHECK_FALSE(recent(question).refused);
    CHECK(fixture.ask(one, {.connect = address + ":81"}).refused);
    CHECK(connect(address, 81) == "EHOSTUNREACH");

    auto asked = fixture.spec("lone");
    asked.network = std::string(kNoNetwork);
    const auto lone = fixture.engine().create(std::move(asked), {}).value();
    const auto none = fixture.ask(lone, {.connect = address + ":80"});
    CHECK(none.rule == "NET-09");
    CHECK(fixture.tried(lone, "nc -w 2 " + address + " 80 </dev/null") == none.seen_as);
}

TEST_CASE("explain without a question explains refused calls with their counts") {
    NEEDS(root, userns, nft);
    Fixture fixture;
    // The kernel is silent in the test's own network namespace; who started the test has another.
    fixture.config().host_network = "/proc/" + std::to_string(::getppid()) + "/ns/net";
    fixture.restart();
    const auto figures = fixture.engine().denial_figures();
    if (!figures.available || !figures.why.empty()) {
        WARN("SKIP: audit records: " + figures.why);
        return;
    }
    const auto plain = fixture.create("plain");
    CHECK(fixture.engine().explain(plain, {}).value().explanations.empty());
    CHECK(fixture.tried(plain, "mount -t tmpfs none /tmp") == "EPERM");
    Explained found;
    for (int i = 0; i < 500 && found.count == 0; ++i) {
        const auto report = fixture.engine().explain(plain, {}).value();
        for (const auto& entry : report.explanations)
            if (entry.question == "call mount") found = entry;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    CHECK(found.count >= 1);
    CHECK(found.layer == "filter");
    CHECK(found.seen_as == "EPERM");
    CHECK_FALSE(found.remedy.empty());
}
