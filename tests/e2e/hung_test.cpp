// (e): a registry and a bind mount source that never answer. Everybody else is not delayed.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/e2e/trouble.hpp"
#include "tests/support/needs.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <iostream>

#include <catch2/catch.hpp>

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::Daemon;
using test::patience;
using test::process;
using test::run_to_end;

namespace {

constexpr int kHung = 12;  // more than are made in parallel
constexpr milliseconds kMost{3'000};

// One container's short life; how long it took, or why not.
milliseconds one_life(Daemon& daemon, const std::string& handle) {
    const auto before = steady_clock::now();
    daemon.create(handle);
    const auto done = run_to_end(daemon.client(), handle, process({"echo", "fine"}));
    CHECK(done.error == "");
    CHECK(done.out == "fine\n");
    CHECK(daemon.client().info(handle));
    CHECK(daemon.client().bulk_metrics({handle}));
    CHECK(daemon.client().list());
    CHECK(daemon.client().destroy(handle));
    return std::chrono::duration_cast<milliseconds>(steady_clock::now() - before);
}

milliseconds longest_life(Daemon& daemon, const std::string& prefix) {
    milliseconds longest{0};
    for (int i = 0; i < 5; ++i)
        longest = std::max(longest, one_life(daemon, prefix + std::to_string(i)));
    return longest;
}

void measure(Daemon& daemon, const std::string& what, milliseconds quiet) {
    const auto hung = longest_life(daemon, "hung");
    std::cout << what << ": a container's life took at most " << quiet.count() << " ms before, and "
              << hung.count() << " ms beside it" << std::endl;
    CHECK(hung < std::max<milliseconds>(quiet * 3, patience(kMost)));
}

}  // namespace

TEST_CASE("a registry that never answers delays nobody else") {
    NEEDS(root, nft);
    // The server must be there before gardend's flags are known.
    Daemon daemon({.start = false});
    test::HungServer registry(daemon.nursery());
    const auto host = "127.0.0.1:" + std::to_string(registry.port());
    daemon.add_flags({"--insecure-docker-registry", host});
    daemon.start();
    const auto quiet = longest_life(daemon, "quiet");
    std::vector<std::future<std::string>> waiting;
    for (int i = 0; i < kHung; ++i) {
        waiting.push_back(std::async(std::launch::async, [&, i] {
            auto spec = daemon.spec("pulling-" + std::to_string(i));
            // Different images: one pull must not hide behind another.
            spec.image.uri = "docker://" + host + "/some/image" + std::to_string(i);
            const auto made = daemon.new_client()->create(spec);
            return made ? std::string("created") : made.error().text;
        }));
    }
    std::this_thread::sleep_for(milliseconds(300));
    measure(daemon, "hung registry", quiet);
    // A name that is being pulled is taken, and a restart does not wait for the registry.
    const auto before = steady_clock::now();
    daemon.restart();
    CHECK(steady_clock::now() - before < patience(milliseconds(10'000)));
    for (auto& answer : waiting) CHECK(answer.get() != "created");
    CHECK(daemon.client().list({{"garden.state", "all"}}).value().empty());
    registry.release();
    auto spec = daemon.spec("refused");
    spec.image.uri = "docker://" + host + "/some/image";
    const auto refused = daemon.client().create(spec);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find(host) != std::string::npos);
    CHECK(daemon.findings() == std::vector<std::string>{});
}

TEST_CASE("a bind mount source that hangs delays nobody else, and no restart") {
    NEEDS(root, nft);
    Daemon daemon;
    const auto place = daemon.directory() + "/source";
    REQUIRE(::mkdir(place.c_str(), 0755) == 0);
    auto bound = daemon.spec("bound");
    bound.bind_mounts.push_back({.src_path = place, .dst_path = "/mnt/source", .mode = 1});
    daemon.client().create(bound).value();
    auto stream = daemon.client().run("bound", process({"sleep", "600"}, "p")).value();
    const auto quiet = longest_life(daemon, "quiet");

    test::HungMount hung(place);
    std::vector<std::future<std::string>> waiting;
    for (int i = 0; i < kHung; ++i) {
        waiting.push_back(std::async(std::launch::async, [&, i] {
            auto spec = daemon.spec("stuck-" + std::to_string(i));
            spec.bind_mounts.push_back({.src_path = place + "/below", .dst_path = "/mnt/below"});
            const auto made = daemon.new_client()->create(spec);
            return made ? std::string("created") : made.error().text;
        }));
    }
    std::this_thread::sleep_for(milliseconds(300));
    measure(daemon, "hung mount source", quiet);

    const auto before = steady_clock::now();
    daemon.restart();
    CHECK(steady_clock::now() - before < patience(milliseconds(10'000)));
    CHECK(daemon.client().list().value() == std::vector<std::string>{"bound"});
    CHECK(daemon.client().info("bound").value().state == "active");
    CHECK(daemon.client().attach("bound", "p"));
    CHECK(run_to_end(daemon.client(), "bound", process({"echo", "fine"})).out == "fine\n");
    hung.release();
    for (auto& answer : waiting) CHECK(answer.get() != "created");
    CHECK(daemon.findings() == std::vector<std::string>{});
}

TEST_CASE("a bind mount source that is gone at the restart takes no container down") {
    NEEDS(root, nft);
    Daemon daemon;
    const auto place = daemon.directory() + "/source";
    REQUIRE(::mkdir(place.c_str(), 0755) == 0);
    auto bound = daemon.spec("bound");
    bound.bind_mounts.push_back({.src_path = place, .dst_path = "/mnt/source"});
    daemon.client().create(bound).value();
    auto stream = daemon.client().run("bound", process({"sleep", "600"}, "p")).value();
    daemon.kill9();
    REQUIRE(std::filesystem::remove(place));
    daemon.start();
    CHECK(daemon.client().info("bound").value().state == "active");
    CHECK(daemon.client().attach("bound", "p"));
}
