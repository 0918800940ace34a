// (g) and (h): graceful stop with attached clients, destroys at the same time as everything else.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/support/needs.hpp"

#include <signal.h>

#include <future>
#include <set>

#include <catch2/catch.hpp>

using std::chrono::milliseconds;
using test::Daemon;
using test::patience;
using test::process;
using test::run_to_end;

TEST_CASE("a container lives from create to destroy through a real gardend") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("one");
    const auto done = run_to_end(
            daemon.client(), "one", process({"sh", "-c", "echo out; echo err >&2; exit 42"}));
    CHECK(done.error == "");
    CHECK(done.code == 42);
    CHECK(done.out == "out\n");
    CHECK(done.err == "err\n");
    daemon.client().destroy("one").value();
    CHECK(daemon.client().destroy("one").error().kind == base::Errc::not_found);
    CHECK(daemon.client().list({{"garden.state", "all"}}).value().empty());
}

TEST_CASE("SIGTERM with attached clients: gardend ends at once, processes run on, attach works") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("kept");
    const auto script =
            "i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); usleep 50000; done; exit 5";
    auto stream = daemon.client().run("kept", process({"sh", "-c", script}, "p")).value();
    const test::Reader reader(stream.open_output(false).value());
    auto second = daemon.client().attach("kept", "p").value();
    REQUIRE(reader.wait_for("line 3\n", patience(milliseconds(5'000))));

    const auto before = std::chrono::steady_clock::now();
    CHECK(daemon.stop() == 0);
    CHECK(std::chrono::steady_clock::now() - before < patience(milliseconds(5'000)));
    // Without an exit status, as the client's end of the connection: nobody invents one.
    CHECK(stream.wait(patience(milliseconds(5'000))).error().kind == base::Errc::unavailable);
    CHECK(second.wait(patience(milliseconds(5'000))).error().kind == base::Errc::unavailable);

    daemon.start();
    CHECK(daemon.client().list().value() == std::vector<std::string>{"kept"});
    auto again = daemon.client().attach("kept", "p").value();
    CHECK(again.wait(patience(milliseconds(20'000))).value() == 5);
    CHECK(daemon.findings() == std::vector<std::string>{});
}

TEST_CASE(
        "destroy at the same time as run, attach, stop and other destroys: one outcome, no rest") {
    NEEDS(root, nft);
    Daemon daemon;
    for (int round = 0; round < 8; ++round) {
        const auto handle = "race-" + std::to_string(round);
        daemon.create(handle);
        auto keeper = daemon.client().run(handle, process({"sleep", "600"}, "keeper")).value();
        std::vector<std::future<std::string>> jobs;
        const auto allowed = [](const base::Error& error) {
            // Gone, going, or ended under our hands: all clear answers. Anything else is a finding.
            const bool fine = error.kind == base::Errc::not_found ||
                              error.kind == base::Errc::conflict ||
                              error.text.find("destroyed") != std::string::npos ||
                              error.text.find("ended") != std::string::npos;
            return fine ? std::string() : error.text;
        };
        for (int i = 0; i < 3; ++i) {
            jobs.push_back(std::async(std::launch::async, [&, i] {
                std::this_thread::sleep_for(milliseconds(round * 4));
                const auto client = daemon.new_client();
                for (int n = 0; n < 10; ++n) {
                    auto ran = client->run(
                            handle, process({"true"}, "r" + std::to_string(i * 100 + n)));
                    if (!ran) return allowed(ran.error());
                    auto code = ran->wait(patience(milliseconds(20'000)));
                    // 137: killed by the destroy. No code at all only with a broken connection.
                    if (!code && code.error().text.find("unknown handle") != std::string::npos)
                        return std::string();  // gone before anybody could wait
                    if (!code) return "wait: " + code.error().text;
                    if (*code != 0 && *code != 137) return "code " + std::to_string(*code);
                }
                return std::string();
            }));
        }
        std::atomic<int> destroyed{0};
        for (int i = 0; i < 3; ++i) {
            jobs.push_back(std::async(std::launch::async, [&] {
                std::this_thread::sleep_for(milliseconds(20 + round * 3));
                const auto client = daemon.new_client();
                const auto done = client->destroy(handle);
                if (done) ++destroyed;
                return done ? std::string() : allowed(done.error());
            }));
        }
        for (auto& job : jobs) CHECK(job.get() == "");
        CHECK(destroyed >= 1);
        CHECK(keeper.wait(patience(milliseconds(10'000))).value() == 137);
        CHECK(daemon.client().destroy(handle).error().kind == base::Errc::not_found);
    }
    CHECK(daemon.findings() == std::vector<std::string>{});
}

TEST_CASE("50 containers at once: created, used and destroyed in parallel") {
    NEEDS(root, nft);
    Daemon daemon;
    std::vector<std::future<std::string>> jobs;
    for (int i = 0; i < 50; ++i) {
        jobs.push_back(std::async(std::launch::async, [&, i] {
            const auto handle = "many-" + std::to_string(i);
            const auto client = daemon.new_client();
            const auto made = client->create(daemon.spec(handle));
            if (!made) return handle + ": create: " + made.error().text;
            const auto word = std::to_string(i);
            const auto done = run_to_end(*client, handle, process({"echo", word}));
            if (!done.error.empty()) return handle + ": run: " + done.error;
            if (done.out != word + "\n") return handle + ": printed " + done.out;
            return std::string();
        }));
    }
    for (auto& job : jobs) CHECK(job.get() == "");
    const auto handles = daemon.client().list().value();
    CHECK(handles.size() == 50);
    std::set<std::string> addresses;
    const auto infos = daemon.client().bulk_info(handles).value();
    for (const auto& [handle, entry] : infos) addresses.insert(entry.info.container_ip);
    CHECK(addresses.size() == 50);
    daemon.restart();
    CHECK(daemon.client().list().value().size() == 50);
    jobs.clear();
    for (int i = 0; i < 50; ++i) {
        jobs.push_back(std::async(std::launch::async, [&, i] {
            const auto done = daemon.new_client()->destroy("many-" + std::to_string(i));
            return done ? std::string() : done.error().text;
        }));
    }
    for (auto& job : jobs) CHECK(job.get() == "");
    CHECK(daemon.client().list({{"garden.state", "all"}}).value().empty());
    CHECK(daemon.findings() == std::vector<std::string>{});
}
