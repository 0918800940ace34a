// GardenProcesses over a real gardend, which is killed where the test's name says so.
#include "executor/steps/garden_processes.hpp"

#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/support/needs.hpp"

#include <condition_variable>
#include <future>
#include <mutex>

#include <catch2/catch.hpp>

using executor::ProcessEnd;
using executor::ProcessRequest;
using std::chrono::milliseconds;
using test::Daemon;
using test::patience;

namespace {

// What one process told, readable from the test's thread.
class Told {
  public:
    executor::ProcessEvents events() {
        return {.started = [this] { note([this] { started_ = true; }); },
                .output =
                        [this](bool is_stderr, std::string_view text) {
                            note([&] {
                                late_ = late_ || end_;
                                (is_stderr ? err_ : out_) += text;
                            });
                        },
                .ended =
                        [this](base::Result<ProcessEnd> end) {
                            note([&] { end_ = std::move(end), ++ends_; });
                        }};
    }

    template <class Check>
    bool wait(Check check, milliseconds time = milliseconds(20'000)) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience(time), [&] { return check(*this); });
    }

    bool wait_started() {
        return wait([](const Told& told) { return told.started_; });
    }

    bool wait_output(const std::string& text) {
        return wait([&](const Told& told) { return told.out_.find(text) != std::string::npos; });
    }

    // The status, or -1 and the error in error().
    int wait_end() {
        if (!wait([](const Told& told) { return told.end_.has_value(); })) return -2;
        const std::lock_guard lock(mutex_);
        CHECK(ends_ == 1);
        CHECK_FALSE(late_);
        return *end_ ? (*end_)->status : -1;
    }

    base::Error error() {
        const std::lock_guard lock(mutex_);
        return end_.value().error();
    }

    bool out_of_memory() {
        const std::lock_guard lock(mutex_);
        return end_ && *end_ && (*end_)->out_of_memory;
    }

    std::string out() { return copy(out_); }

    std::string err() { return copy(err_); }

    std::size_t size() {
        const std::lock_guard lock(mutex_);
        return out_.size();
    }

    bool ended() {
        const std::lock_guard lock(mutex_);
        return end_.has_value();
    }

  private:
    template <class Job>
    void note(Job job) {
        {
            const std::lock_guard lock(mutex_);
            job();
        }
        changed_.notify_all();
    }

    std::string copy(const std::string& text) {
        const std::lock_guard lock(mutex_);
        return text;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool started_ = false;
    bool late_ = false;  // output after the end
    int ends_ = 0;
    std::string out_, err_;
    std::optional<base::Result<ProcessEnd>> end_;
};

// A loop with its thread over one gardend with one container.
class Cell {
  public:
    Cell() {
        daemon_.create("c");
        loop_->start();
    }

    ~Cell() {
        loop_->stop();
        pool_.stop();
        processes_list_.clear();
    }

    Cell(const Cell&) = delete;
    Cell& operator=(const Cell&) = delete;

    Daemon& daemon() { return daemon_; }

    static ProcessRequest request(const std::string& id, const std::string& script) {
        return {.handle = "c", .spec = test::process({"sh", "-c", script}, id)};
    }

    executor::RunningProcess& run(ProcessRequest request, Told& told) {
        return *on_loop<executor::RunningProcess*>([&] {
            processes_list_.push_back(processes_.run(std::move(request), told.events()));
            return processes_list_.back().get();
        });
    }

    void forget_all() {
        on_loop<int>([&] {
            processes_list_.clear();
            return 0;
        });
    }

    template <class T>
    T on_loop(std::function<T()> job) {
        std::promise<T> value;
        REQUIRE(loop_->post([&] { value.set_value(job()); }));
        return value.get_future().get();
    }

    void terminate(executor::RunningProcess& process) {
        on_loop<int>([&] { return process.terminate(), 0; });
    }

    void kill(executor::RunningProcess& process) {
        on_loop<int>([&] { return process.kill(), 0; });
    }

  private:
    Daemon daemon_;
    base::SystemClock clock_;
    std::unique_ptr<executor::Loop> loop_ = executor::Loop::make(clock_).value();
    base::WorkerPool pool_{{.name = "test", .threads = 4, .queue = 64}};
    std::unique_ptr<garden::api::Client> client_ = daemon_.new_client();
    executor::GardenProcesses processes_{*loop_, *client_, pool_};
    std::vector<std::unique_ptr<executor::RunningProcess>> processes_list_;
};

std::string numbers(int last) {
    std::string out;
    for (int i = 1; i <= last; ++i) out += std::to_string(i) + "\n";
    return out;
}

}  // namespace

TEST_CASE("output of a process is complete and in order and its status comes after it") {
    NEEDS(root, nft);
    Cell cell;
    Told told;
    cell.run(Cell::request("p", "seq 1 20000; echo wrong >&2; exit 7"), told);
    CHECK(told.wait_end() == 7);
    CHECK(told.out() == numbers(20'000));
    CHECK(told.err() == "wrong\n");
}

TEST_CASE("many short processes at once each tell their own words and status") {
    NEEDS(root, nft);
    Cell cell;
    std::vector<std::unique_ptr<Told>> all;
    for (int i = 0; i < 12; ++i) {
        all.push_back(std::make_unique<Told>());
        const auto number = std::to_string(i);
        cell.run(Cell::request("p" + number, "echo " + number + "; exit " + number), *all.back());
    }
    for (int i = 0; i < 12; ++i) {
        CHECK(all[static_cast<std::size_t>(i)]->wait_end() == i);
        CHECK(all[static_cast<std::size_t>(i)]->out() == std::to_string(i) + "\n");
    }
}

TEST_CASE("a process hears terminate and does not survive kill") {
    NEEDS(root, nft);
    Cell cell;
    Told polite, stubborn;
    auto& first = cell.run(
            Cell::request(
                    "p", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done"),
            polite);
    auto& second = cell.run(
            Cell::request("q", "trap '' TERM; echo up; while :; do sleep 0.1; done"), stubborn);
    REQUIRE(polite.wait_output("up\n"));
    REQUIRE(stubborn.wait_output("up\n"));
    cell.terminate(first);
    cell.terminate(second);
    CHECK(polite.wait_end() == 3);
    CHECK(polite.out() == "up\nbye\n");
    CHECK_FALSE(stubborn.ended());
    cell.kill(second);
    CHECK(stubborn.wait_end() == 137);
}

TEST_CASE("what cannot be started ends with garden's reason") {
    NEEDS(root, nft);
    Cell cell;
    Told missing, nowhere;
    auto request = Cell::request("p", "");
    request.spec.path = "/no/such/program";
    cell.run(request, missing);
    CHECK(missing.wait_end() == -1);
    CHECK(missing.error().text.find("/no/such/program") != std::string::npos);
    auto elsewhere = Cell::request("q", "true");
    elsewhere.handle = "nobody";
    cell.run(elsewhere, nowhere);
    CHECK(nowhere.wait_end() == -1);
    CHECK(nowhere.error().kind == base::Errc::not_found);
}

TEST_CASE("a process that is cancelled before it started is never started") {
    NEEDS(root, nft);
    Cell cell;
    cell.daemon().kill9();
    Told told;
    auto& process = cell.run(Cell::request("p", "touch /tmp/was-here; sleep 100"), told);
    cell.terminate(process);
    cell.daemon().start();
    CHECK(told.wait_end() == -1);
    CHECK(told.error().kind == base::Errc::cancelled);
    Told look;
    cell.run(Cell::request("q", "ls /tmp/was-here"), look);
    CHECK(look.wait_end() != 0);
}

TEST_CASE("one process runs and another exits while gardend is killed and both end as they did") {
    NEEDS(root, nft);
    Cell cell;
    Told runs, exits;
    auto& running = cell.run(
            Cell::request(
                    "runs",
                    "trap 'echo bye; exit 5' TERM; i=0; while :; do i=$((i+1)); "
                    "echo line $i; usleep 10000; done"),
            runs);
    cell.run(Cell::request("exits", "echo here; sleep 0.5; echo gone; exit 9"), exits);
    REQUIRE(runs.wait_output("line 5\n"));
    REQUIRE(exits.wait_output("here\n"));
    for (int round = 0; round < 2; ++round) {
        cell.daemon().kill9();
        if (round == 0) CHECK(exits.wait_output("gone\n"));  // its output is the shim's
        cell.daemon().start();
        if (round == 0) CHECK(exits.wait_end() == 9);
    }
    CHECK(exits.out() == "here\ngone\n");
    cell.terminate(running);  // perhaps into a connection that is only being made
    CHECK(runs.wait_end() == 5);
    std::string expected;
    for (int i = 1; expected.size() < runs.out().size(); ++i)
        expected += runs.out().find("line " + std::to_string(i) + "\n") != std::string::npos
                            ? "line " + std::to_string(i) + "\n"
                            : "bye\n";
    CHECK(runs.out() == expected);
}

TEST_CASE("a process started while gardend is down starts when it is back") {
    NEEDS(root, nft);
    Cell cell;
    cell.daemon().kill9();
    Told told;
    cell.run(Cell::request("p", "echo hello; exit 4"), told);
    cell.daemon().start();
    CHECK(told.wait_end() == 4);
    CHECK(told.out() == "hello\n");
}

TEST_CASE("a restarted executor finds its process running or ended or not yet begun") {
    NEEDS(root, nft);
    Cell cell;
    Told first, second;
    cell.run(
            Cell::request("runs", "trap 'exit 6' TERM; echo up; while :; do sleep 0.1; done"),
            first);
    cell.run(Cell::request("ends", "echo up; exit 8"), second);
    REQUIRE(first.wait_output("up\n"));
    REQUIRE(second.wait_output("up\n"));
    cell.forget_all();
    CHECK_FALSE(first.ended());
    const auto again = [&](const std::string& id, Told& told, bool only) -> auto& {
        auto request = Cell::request(id, "echo new; exit 1");
        request.attach_first = true;
        request.attach_only = only;
        return cell.run(std::move(request), told);
    };
    Told runs, ended, fresh, unknown;
    auto& process = again("runs", runs, false);
    again("ends", ended, false);
    again("fresh", fresh, false);
    again("unknown", unknown, true);
    CHECK(ended.wait_end() == 8);
    CHECK(fresh.wait_end() == 1);
    CHECK(fresh.out() == "new\n");
    CHECK(unknown.wait_end() == -1);
    CHECK(unknown.error().kind == base::Errc::not_found);
    REQUIRE(runs.wait_started());
    cell.terminate(process);
    CHECK(runs.wait_end() == 6);
}

TEST_CASE("a container that is destroyed ends its process with what is known of it") {
    NEEDS(root, nft);
    Cell cell;
    Told told;
    cell.run(Cell::request("p", "echo up; sleep 1000"), told);
    REQUIRE(told.wait_output("up\n"));
    REQUIRE(cell.daemon().client().destroy("c"));
    const int status = told.wait_end();
    // Whoever is quicker: the kill's status, or the container that is not there any more.
    CHECK((status == 137 || (status == -1 && told.error().kind == base::Errc::not_found)));
}

TEST_CASE("a flood of output starves nobody") {
    NEEDS(root, nft);
    Cell cell;
    Told flood, other;
    auto& process = cell.run(Cell::request("flood", "cat /dev/zero"), flood);
    REQUIRE(flood.wait([](const Told&) { return true; }));
    REQUIRE(flood.wait_started());
    const auto begin = std::chrono::steady_clock::now();
    cell.run(Cell::request("other", "echo quick; exit 2"), other);
    CHECK(other.wait_end() == 2);
    CHECK(std::chrono::steady_clock::now() - begin < patience(milliseconds(5'000)));
    CHECK(flood.size() > 0);
    cell.kill(process);
    CHECK(flood.wait_end() == 137);
}

TEST_CASE("an orphan that holds the output does not hold the end") {
    NEEDS(root, nft);
    Cell cell;
    Told told;
    cell.run(Cell::request("p", "sleep 1000 & echo $!; exit 3"), told);
    CHECK(told.wait_end() == 3);
    CHECK(told.out().ends_with("\n"));
}

TEST_CASE("a process that the kernel killed for memory says so and its neighbour does not") {
    NEEDS(root, nft);
    Cell cell;
    auto spec = cell.daemon().spec("small");
    spec.limits.memory_limits.limit_in_bytes = std::uint64_t{32} << 20;
    REQUIRE(cell.daemon().client().create(spec));
    Told hungry, modest;
    auto request = Cell::request("p", "tail /dev/zero");
    request.handle = "small";
    cell.run(request, hungry);
    CHECK(hungry.wait_end() == 137);
    CHECK(hungry.out_of_memory());
    cell.run(Cell::request("q", "exit 137"), modest);
    CHECK(modest.wait_end() == 137);
    CHECK_FALSE(modest.out_of_memory());
}
