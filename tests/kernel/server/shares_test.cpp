// One hung registry, one stubborn container, one hung shim: nobody else may notice.
#include "base/parse.hpp"
#include "server_fixture.hpp"
#include "tests/support/needs.hpp"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <regex>
#include <thread>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

// Accepts connections (the kernel does) and never says a word.
class SilentListener {
  public:
    SilentListener() {
        leave_the_host_network();  // the engine's end is there as well
        socket_ = base::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(socket_.get(), 4096) == 0);
        socklen_t size = sizeof address;
        REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        host_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    }

    const std::string& host() const { return host_; }

    // Whoever waits gets a reset.
    void close() { socket_.reset(); }

  private:
    base::Fd socket_;
    std::string host_;
};

ServerOptions with_registry(const SilentListener& registry, garden::server::Shares shares = {}) {
    ServerOptions options;
    options.shares = shares;
    options.configure = [host = registry.host()](garden::EngineConfig& config) {
        config.images.insecure_registries = {host};
        config.images.attempts = 1;
        config.images.stall_timeout = 60s;
    };
    return options;
}

// One life of a container through the API, and how long it took.
Clock::duration life(ServerFixture& fixture, const std::string& handle) {
    const auto begin = Clock::now();
    fixture.create(handle);
    CHECK(fixture.run(handle, {"echo", "alive"}).out == "alive\n");
    CHECK(call(fixture.endpoint(), "GET", "/containers/" + handle + "/info").status == 200);
    CHECK(call(fixture.endpoint(), "DELETE", "/containers/" + handle).status == 200);
    return Clock::now() - begin;
}

std::vector<std::thread> creates(
        ServerFixture& fixture,
        const SilentListener& registry,
        int count,
        std::atomic<int>& refused,
        std::string& refusal) {
    std::vector<std::thread> out;
    for (int i = 0; i < count; ++i) {
        out.emplace_back([&fixture, &refused, &refusal, i, host = registry.host()] {
            const auto name = std::to_string(i);
            // Half of them want one image, the others each their own.
            const auto image = i % 2 == 0 ? "same" : "image" + name;
            Wire wire(fixture.endpoint());
            wire.send(go_request(
                    "POST", "/containers",
                    R"({"handle":"hung-)" + name + R"(","image":{"uri":"docker://)" + host + "/" +
                            image + "\"}}"));
            const auto answer = parse_answer(wire.rest(120s));
            if (answer.status == 503 && answer.body.find("at work") != std::string::npos &&
                refused++ == 0)
                refusal = answer.body;
        });
    }
    return out;
}

}  // namespace

TEST_CASE("fifty creates from a registry that never answers delay nobody") {
    NEEDS(root, userns, nft);
    SilentListener registry;
    ServerFixture fixture(with_registry(registry));
    const auto alone = life(fixture, "alone");
    std::atomic<int> refused = 0;
    std::string refusal;
    auto hung = creates(fixture, registry, 50, refused, refusal);
    REQUIRE(eventually([&] {
        return fixture.engine().list({{"garden.state", "all"}}).size() == 50;
    }));
    for (int i = 0; i < 5; ++i) {
        const auto time = life(fixture, "quick" + std::to_string(i));
        INFO(std::chrono::duration<double>(time).count()
             << " s, alone " << std::chrono::duration<double>(alone).count() << " s");
        CHECK(time < 4 * alone + 2s);
    }
    // They are at work, and hidden until they are made.
    CHECK(fixture.engine().list({{"garden.state", "all"}}).size() == 50);
    CHECK(call(fixture.endpoint(), "GET", "/containers").body == "{\"Handles\":[]}\n");
    CHECK(call(fixture.endpoint(), "GET", "/containers/hung-1/info").status == 404);
    CHECK(call(fixture.endpoint(), "DELETE", "/containers/hung-1").status == 409);
    registry.close();
    for (auto& each : hung) each.join();
    CHECK(refused == 0);
    CHECK(fixture.engine().list({{"garden.state", "all"}}).empty());
}

TEST_CASE("a full share is a typed refusal at once, and other sources have their own") {
    NEEDS(root, userns, nft);
    SilentListener registry;
    ServerFixture fixture(with_registry(registry, garden::server::Shares::of(32)));
    std::atomic<int> refused = 0;
    std::string refusal;
    // 32 workers: 17 creates, 8 of one source.
    auto hung = creates(fixture, registry, 30, refused, refusal);
    CHECK(eventually([&] { return refused == 22; }));
    for (int i = 0; i < 3; ++i) CHECK(life(fixture, "quick" + std::to_string(i)) < 10s);
    registry.close();
    for (auto& each : hung) each.join();
    CHECK(refusal ==
          "{\"Type\":\"ServiceUnavailableError\",\"Message\":\"creates: 8 are at work for "
          "'docker:" +
                  registry.host() +
                  "', the limit is 8; try again\",\"Handle\":\"\",\"ProcessID\":\"\","
                  "\"Binary\":\"\"}\n");
}

TEST_CASE("when every worker is taken and the queue is full, the refusal is typed too") {
    NEEDS(root, userns, nft);
    SilentListener registry;
    auto shares = garden::server::Shares::of(16);
    shares.workers = 2;  // fewer than the shares: not how main does it
    auto options = with_registry(registry, shares);
    options.queued_requests = 1;
    ServerFixture fixture(options);
    std::atomic<int> refused = 0;
    std::string refusal;
    auto hung = creates(fixture, registry, 2, refused, refusal);
    REQUIRE(eventually([&] {
        return fixture.engine().list({{"garden.state", "all"}}).size() == 2;
    }));
    // The first call takes the one place in the queue, and stays there when its client leaves.
    Answer answer;
    CHECK(eventually([&] {
        Wire wire(fixture.endpoint());
        wire.send(go_hijack("POST", "/containers/c/processes", "{\"path\":\"true\"}"));
        const auto text = wire.peek(200ms);
        if (text.empty()) return false;
        answer = parse_answer(text);
        return true;
    }));
    CHECK(answer.status == 503);
    CHECK(answer.head ==
          "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: " +
                  std::to_string(answer.body.size()) + "\r\n");
    CHECK(std::regex_match(
            answer.body,
            std::regex(R"(\{"Type":"ServiceUnavailableError","Message":"pool http: \d )"
                       R"(jobs wait, the limit is 1","Handle":"","ProcessID":"",)"
                       R"("Binary":""\}\n)")));
    registry.close();
    for (auto& each : hung) each.join();
}

TEST_CASE("a container that ignores SIGTERM takes its ten seconds, others take none of them") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("stubborn");
    const auto alone = life(fixture, "alone");
    const auto body = base::json::encode(ServerFixture::process(
            {"sh", "-c", "trap '' TERM; echo ready; while true; do sleep 1; done"}));
    auto process = begin(fixture.endpoint(), "POST", "/containers/stubborn/processes", body);
    CHECK(open_output(fixture.endpoint(), "stubborn", process, false).until("\n") == "ready\n");
    const auto begun = Clock::now();
    // Catch's assertions are for one thread: the others only tell.
    auto stopper = std::async(std::launch::async, [&] {
        Wire wire(fixture.endpoint());
        wire.send(go_request("PUT", "/containers/stubborn/stop", "{\"kill\":false}"));
        const auto answer = parse_answer(wire.rest(60s)).line();
        return std::make_pair(answer, Clock::now() - begun);
    });
    int lives = 0;
    while (Clock::now() - begun < 8s) {
        CHECK(life(fixture, "quick" + std::to_string(lives++)) < 4 * alone + 2s);
        // The stubborn one itself answers as well.
        CHECK(call(fixture.endpoint(), "GET", "/containers/stubborn/info").status == 200);
        CHECK(call(fixture.endpoint(), "GET", "/containers/bulk_metrics?handles=stubborn").status ==
              200);
    }
    const auto [stopped, took] = stopper.get();
    CHECK(stopped == "200 {}\n");
    CHECK(took >= 10s);
    CHECK(process.main.rest() ==
          "{\"process_id\":\"" + process.process_id + "\",\"exit_status\":137}\n");
    CHECK(lives >= 1);
}

TEST_CASE("a shim that hangs holds its own container only") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("hung");
    fixture.create("fine");
    const auto alone = life(fixture, "alone");
    const auto body = base::json::encode(ServerFixture::process({"sleep", "1000"}));
    std::vector<RawProcess> streams;
    for (int i = 0; i < 20; ++i)
        streams.push_back(begin(fixture.endpoint(), "POST", "/containers/hung/processes", body));
    // The shim is the parent of the container's first process.
    std::string line;
    std::ifstream stat(
            "/proc/" +
            std::to_string(
                    fixture.engine().processes(garden::Handle("hung")).value().at(0).host_pid) +
            "/status");
    pid_t shim = 0;
    while (std::getline(stat, line))
        if (line.starts_with("PPid:"))
            shim = base::parse_number<pid_t>(line.substr(line.find_first_not_of(" \t", 5)), "PPid")
                           .value();
    REQUIRE(shim > 1);
    REQUIRE(::kill(shim, SIGSTOP) == 0);
    // More blocking calls than any pool of a few threads would stand.
    for (auto& stream : streams)
        for (int i = 0; i < 10; ++i) stream.main.send("{\"process_id\":\"p\",\"signal\":0}\n");
    std::vector<std::thread> callers;
    std::atomic<int> refused = 0;
    for (int i = 0; i < 30; ++i) {
        callers.emplace_back([&] {
            Wire wire(fixture.endpoint());
            wire.send(go_hijack("POST", "/containers/hung/processes", body));
            const auto text = wire.peek(3s);
            if (text.find("503") != std::string::npos &&
                text.find("ServiceUnavailableError") != std::string::npos)
                ++refused;
        });
    }
    for (int i = 0; i < 3; ++i) CHECK(life(fixture, "quick" + std::to_string(i)) < 4 * alone + 2s);
    // Signals of other containers go through, too.
    auto other = begin(fixture.endpoint(), "POST", "/containers/fine/processes", body);
    const auto begun = Clock::now();
    other.main.send("{\"process_id\":\"p\",\"signal\":1}\n");
    CHECK(other.main.rest(5s).find("\"exit_status\":137") != std::string::npos);
    CHECK(Clock::now() - begun < 3s);
    CHECK(call(fixture.endpoint(), "GET", "/containers/bulk_info?handles=hung%2Cfine").status ==
          200);
    for (auto& caller : callers) caller.join();
    CHECK(refused == 14);  // of 30 calls about one container 16 are at work
    // Destroy has a place all the same; it says what hangs, and can be tried again.
    const auto destroyed = call(fixture.endpoint(), "DELETE", "/containers/hung");
    INFO(destroyed.body);
    CHECK(destroyed.status == 504);
    REQUIRE(::kill(shim, SIGCONT) == 0);
    CHECK(eventually(
            [&] { return call(fixture.endpoint(), "DELETE", "/containers/hung").status == 200; },
            30s));
    const std::regex killed("\\{\"process_id\":\"[^\"]+\",\"exit_status\":(137|143)\\}\n");
    for (auto& stream : streams) CHECK(std::regex_match(stream.main.rest(60s), killed));
}

TEST_CASE("a process that cannot be killed holds the destroy of its own container only") {
    NEEDS(root, userns, nft, cgroup1);
    ServerFixture fixture;
    fixture.create("frozen");
    const auto alone = life(fixture, "alone");
    const auto body = base::json::encode(ServerFixture::process({"sleep", "1000"}));
    auto process = begin(fixture.endpoint(), "POST", "/containers/frozen/processes", body);
    // Frozen by cgroup v1, a process does not take a SIGKILL, just as in uninterruptible sleep.
    const auto freeze = [&](const char* state) {
        std::ofstream("/sys/fs/cgroup/freezer/garden-" + fixture.tag() + "/frozen/freezer.state")
                << state;
    };
    freeze("FROZEN");
    const auto begun = Clock::now();
    auto destroyer = std::async(std::launch::async, [&] {
        const auto answer = call(fixture.endpoint(), "DELETE", "/containers/frozen");
        return std::make_pair(answer, Clock::now() - begun);
    });
    int lives = 0;
    while (Clock::now() - begun < 6s)
        CHECK(life(fixture, "quick" + std::to_string(lives++)) < 4 * alone + 2s);
    CHECK(call(fixture.endpoint(), "DELETE", "/containers/frozen").line() ==
          "409 {\"Type\":\"\",\"Message\":\"container already being destroyed\",\"Handle\":\"\","
          "\"ProcessID\":\"\",\"Binary\":\"\"}\n");
    const auto [answer, took] = destroyer.get();
    CHECK(answer.status == 504);
    CHECK(answer.body.find("frozen") != std::string::npos);
    CHECK(took >= 5s);
    CHECK(call(fixture.endpoint(), "GET", "/containers?garden.state=all").body ==
          "{\"Handles\":[\"frozen\"]}\n");
    freeze("THAWED");
    CHECK(eventually([&] {
        return call(fixture.endpoint(), "DELETE", "/containers/frozen").status == 200;
    }));
    (void)process.main.rest();
}
