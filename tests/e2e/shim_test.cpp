// (c): garden-shim killed at random. The container is reported dead and cleaned up; nobody else
// notices.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/support/needs.hpp"

#include <signal.h>

#include <algorithm>
#include <iostream>
#include <random>

#include <catch2/catch.hpp>

using std::chrono::milliseconds;
using test::Daemon;
using test::patience;
using test::process;
using test::Reader;
using test::run_to_end;

namespace {

const char* const kTicker = "i=0; while true; do echo line $i; i=$((i+1)); usleep 50000; done";

pid_t host_pid(Daemon& daemon, const std::string& handle, const std::string& id) {
    const auto rows = daemon.client().processes(handle).value();
    for (const auto& row : rows) {
        if (row.id == id) return row.host_pid;
    }
    return 0;
}

// The shim is the parent of what it starts.
pid_t shim_of(Daemon& daemon, const std::string& handle, const std::string& id) {
    const auto parent = test::parent_of(host_pid(daemon, handle, id));
    REQUIRE(parent > 1);
    return parent;
}

bool wait_dead(Daemon& daemon, const std::string& handle) {
    const auto deadline = std::chrono::steady_clock::now() + patience(milliseconds(10'000));
    while (std::chrono::steady_clock::now() < deadline) {
        const auto info = daemon.client().info(handle);
        if (info && info->state == "stopped") return true;
        std::this_thread::sleep_for(milliseconds(20));
    }
    return false;
}

}  // namespace

TEST_CASE("a killed shim: its clients learn it, its container is dead, the others do not notice") {
    NEEDS(root, nft);
    Daemon daemon;
    for (const char* handle : {"victim", "first", "second"}) daemon.create(handle);
    auto victim = daemon.client().run("victim", process({"sh", "-c", kTicker}, "p")).value();
    const Reader victim_output(victim.open_output(false).value());
    auto first = daemon.client().run("first", process({"sh", "-c", kTicker}, "p")).value();
    const Reader first_output(first.open_output(false).value());
    auto second = daemon.client().run("second", process({"sh", "-c", kTicker}, "p")).value();
    const Reader second_output(second.open_output(false).value());
    REQUIRE(victim_output.wait_for("line 3\n", patience(milliseconds(5'000))));
    const auto app = host_pid(daemon, "victim", "p");

    REQUIRE(::kill(shim_of(daemon, "victim", "p"), SIGKILL) == 0);
    CHECK(victim.wait(patience(milliseconds(10'000))).value() == 137);
    CHECK(victim_output.wait_end(patience(milliseconds(5'000))));
    CHECK(wait_dead(daemon, "victim"));
    CHECK_FALSE(test::runs(app));
    const auto info = daemon.client().info("victim").value();
    REQUIRE(info.events.size() == 1);
    CHECK(info.events[0].find("garden-shim was killed") != std::string::npos);
    const auto refused = daemon.client().run("victim", process({"true"}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("dead") != std::string::npos);
    CHECK(daemon.client().list().value().size() == 3);  // its owner decides, not we

    // A restart changes nothing of it.
    daemon.restart();
    CHECK(daemon.client().info("victim").value().state == "stopped");
    CHECK(run_to_end(daemon.client(), "first", process({"echo", "fine"})).out == "fine\n");
    daemon.client().destroy("victim").value();
    const auto seen = first_output.lines().size();
    CHECK(first_output.wait_for(
            "line " + std::to_string(seen + 5) + "\n", patience(milliseconds(5'000))));
    for (const auto* reader : {&first_output, &second_output}) {
        const auto lines = reader->lines();
        for (std::size_t i = 0; i < lines.size(); ++i)
            REQUIRE(lines[i] == "line " + std::to_string(i));
        CHECK(reader->longest_gap() < patience(milliseconds(1'000)));
    }
    CHECK(daemon.findings() == std::vector<std::string>{});
}

TEST_CASE("a shim killed while gardend is down: adopted as dead, the rest lives") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("victim");
    daemon.create("other");
    auto stream = daemon.client().run("victim", process({"sleep", "600"}, "p")).value();
    auto kept = daemon.client().run("other", process({"sleep", "600"}, "p")).value();
    const auto shim = shim_of(daemon, "victim", "p");
    const auto app = host_pid(daemon, "victim", "p");
    const auto survivor = host_pid(daemon, "other", "p");
    daemon.kill9();
    REQUIRE(::kill(shim, SIGKILL) == 0);
    daemon.start();
    CHECK(daemon.client().info("victim").value().state == "stopped");
    CHECK_FALSE(test::runs(app));
    CHECK(test::runs(survivor));
    CHECK(daemon.client().info("other").value().state == "active");
    daemon.client().destroy("victim").value();
    CHECK(daemon.findings() == std::vector<std::string>{});
}

TEST_CASE("garden-init killed: the same answer, the same cleaning") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("victim");
    auto stream = daemon.client().run("victim", process({"sleep", "600"}, "p")).value();
    const auto shim = shim_of(daemon, "victim", "p");
    pid_t init = 0;
    for (const auto& line : test::all_processes()) {
        if (line.parent == shim && line.pid != host_pid(daemon, "victim", "p")) init = line.pid;
    }
    REQUIRE(init > 0);
    REQUIRE(::kill(init, SIGKILL) == 0);
    CHECK(stream.wait(patience(milliseconds(10'000))).value() == 137);
    CHECK(wait_dead(daemon, "victim"));
    CHECK(daemon.findings() == std::vector<std::string>{});
    daemon.client().destroy("victim").value();
}

TEST_CASE("random shims killed during creates, runs and destroys: clear answers, nothing left") {
    NEEDS(root, nft);
    const auto seed = std::random_device{}();
    std::cout << "shim chaos: seed " << seed << std::endl;
    INFO("seed " << seed);
    Daemon daemon;
    daemon.create("bystander");
    auto ticker = daemon.client().run("bystander", process({"sh", "-c", kTicker}, "p")).value();
    const Reader output(ticker.open_output(false).value());
    const auto safe = shim_of(daemon, "bystander", "p");

    std::atomic<bool> done{false};
    std::atomic<int> kills{0};
    std::thread killer([&] {
        std::mt19937 random(seed);
        while (!done) {
            std::this_thread::sleep_for(milliseconds(20 + random() % 80));
            std::vector<pid_t> shims;
            for (const auto& line : test::descendants()) {
                if (line.name == "garden-shim" && line.pid != safe && line.parent == daemon.pid())
                    shims.push_back(line.pid);
            }
            if (shims.empty()) continue;
            (void)::kill(shims[random() % shims.size()], SIGKILL);
            ++kills;
        }
    });
    std::vector<std::thread> clients;
    std::mutex mutex;
    std::vector<std::string> wrong;
    std::atomic<int> good{0};
    for (int c = 0; c < 3; ++c) {
        clients.emplace_back([&, c] {
            const auto client = daemon.new_client();
            const auto complain = [&](const std::string& text) {
                const std::lock_guard lock(mutex);
                wrong.push_back(text);
            };
            for (int n = 0; n < 25; ++n) {
                const auto handle = "r" + std::to_string(c) + "-" + std::to_string(n);
                const auto made = client->create(daemon.spec(handle));
                if (!made) {
                    if (made.error().text.size() < 10) complain("create: " + made.error().text);
                    continue;  // what is left of it is for doctor to find
                }
                const auto ran = run_to_end(*client, handle, process({"sh", "-c", "exit 3"}));
                if (ran.error.empty() && ran.code == 3) ++good;
                if (ran.error.empty() && ran.code != 3 && ran.code != 137)
                    complain(handle + ": code " + std::to_string(ran.code));
                const auto gone = client->destroy(handle);
                if (!gone) complain("destroy " + handle + ": " + gone.error().text);
            }
        });
    }
    for (auto& client : clients) client.join();
    done = true;
    killer.join();
    for (const auto& text : wrong) CHECK(text == "");
    std::cout << "shim chaos: " << kills << " kills, " << good << " of 75 runs got through\n";
    CHECK(kills > 5);
    const auto lines = output.lines();
    for (std::size_t i = 0; i < lines.size(); ++i) REQUIRE(lines[i] == "line " + std::to_string(i));
    CHECK(output.longest_gap() < patience(milliseconds(1'500)));
    // A failed create may stay listed for another try of its destroy, but only then.
    const auto handles = daemon.client().list({{"garden.state", "all"}}).value();
    for (const auto& handle : handles) {
        if (handle != "bystander") CHECK(daemon.client().destroy(handle));
    }
    CHECK(daemon.findings() == std::vector<std::string>{});
}
