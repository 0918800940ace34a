// Completion callbacks against real servers (lifecycle §2.1, receptor-api §3.5).
#include "brain/callbacks/callbacks.hpp"

#include "base/http/server.hpp"
#include "base/sys/stream_socket.hpp"
#include "tests/unit/brain_receptor/faulty_brain.hpp"
#include "tests/unit/brain_receptor/subject.hpp"

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using brain::api::TaskState;
using brain::callbacks::Callbacks;

namespace {

// Answers what the test says and remembers what it was sent.
class Author {
  public:
    Author() {
        base::http::ServerConfig config;
        config.endpoints = {base::http::Endpoint::parse("tcp://127.0.0.1:0").value()};
        server_ = base::http::Server::start(std::move(config), [this](auto& request) {
                      return this->answer(request);
                  }).value();
    }

    ~Author() {
        release();
        (void)server_->stop(0ms);
    }

    Author(const Author&) = delete;
    Author& operator=(const Author&) = delete;

    std::string url(const std::string& path = "/done") const {
        return "http://127.0.0.1:" + std::to_string(server_->endpoints()[0].port) + path;
    }

    // One for each request; the last one stays.
    void script(std::vector<int> statuses) {
        const std::lock_guard lock(mutex_);
        statuses_ = std::move(statuses);
    }

    void hold() { held_ = true; }

    void release() {
        held_ = false;
        held_.notify_all();
    }

    std::vector<std::string> bodies() const {
        const std::lock_guard lock(mutex_);
        return bodies_;
    }

    std::string header(const std::string& name) const {
        const std::lock_guard lock(mutex_);
        return std::string(headers_.get(name));
    }

    std::string target() const {
        const std::lock_guard lock(mutex_);
        return target_;
    }

  private:
    base::http::Response answer(base::http::Request& request) {
        const auto body = request.read_body().value_or(std::string());
        int status = 200;
        {
            const std::lock_guard lock(mutex_);
            bodies_.push_back(request.method + " " + body);
            headers_ = request.headers;
            target_ = request.target;
            const auto at = std::min(bodies_.size(), statuses_.size());
            if (at > 0) status = statuses_[at - 1];
        }
        held_.wait(true);
        auto response = base::http::Response::text(status, "x");
        if (status == 302) response.headers.set("Location", url("/elsewhere"));
        return response;
    }

    mutable std::mutex mutex_;
    std::vector<int> statuses_;
    std::vector<std::string> bodies_;
    base::http::Headers headers_;
    std::string target_;
    std::atomic<bool> held_ = false;
    std::unique_ptr<base::http::Server> server_;
};

struct World {
    explicit World(brain::callbacks::Settings settings = {}) : callbacks(brain, settings) {}

    std::unique_ptr<test::Subject> subject = test::make_subject();
    test::FaultyBrain brain{subject->clients()};
    Callbacks callbacks;

    // A COMPLETED one.
    brain::api::TaskPtr completed(const std::string& guid, const std::string& url) {
        brain::api::Task task;
        task.task_guid = guid;
        task.domain = "d";
        task.task_definition.definition.rootfs = "preloaded:x";
        task.task_definition.definition.action =
                brain::api::Action{.value = executor::api::RunAction{.path = "a", .user = "b"}};
        task.task_definition.definition.annotation = guid == "plain" ? "" : "note";
        task.task_definition.completion_callback_url = url;
        REQUIRE(subject->clients().desire_task(task));
        REQUIRE(subject->cells().start_task(guid, "c").value());
        REQUIRE(subject->cells().complete_task(
                {.task_guid = guid,
                 .cell_id = "c",
                 .failed = true,
                 .failure_reason = "why",
                 .result = "res\"ult"}));
        return subject->clients().find_task(guid).value();
    }

    brain::callbacks::Figures settled() {
        for (int i = 0; i < 2'000; ++i) {
            const auto figures = callbacks.figures();
            if (figures.queued == 0 && figures.running == 0) return figures;
            std::this_thread::sleep_for(5ms);
        }
        return callbacks.figures();
    }

    bool gone(const std::string& guid) { return !subject->clients().find_task(guid); }

    TaskState state(const std::string& guid) {
        return subject->clients().find_task(guid).value()->state;
    }
};

}  // namespace

TEST_CASE("an author is told and the task deleted") {
    Author author;
    World world;
    const auto task = world.completed("t", author.url("/done?x=1"));
    REQUIRE(world.callbacks.submit(task));
    CHECK(world.settled().delivered == 1);
    CHECK(author.bodies() ==
          std::vector<std::string>{
                  R"(POST {"task_guid":"t","failed":true,"failure_reason":"why","result":"res\"ult",)"
                  R"("annotation":"note","created_at":)" +
                  std::to_string(task->created_at) + "}"});
    CHECK(author.header("Content-Type") == "application/json");
    CHECK(author.target() == "/done?x=1");
    CHECK(world.gone("t"));
}

TEST_CASE("an empty annotation is left out and a user in the URL becomes a header") {
    Author author;
    World world;
    auto url = author.url();
    url.insert(7, "bob:p%40ss@");
    REQUIRE(world.callbacks.submit(world.completed("plain", url)));
    CHECK(world.settled().delivered == 1);
    CHECK(author.bodies()[0].find("annotation") == std::string::npos);
    CHECK(author.header("Authorization") == "Basic Ym9iOnBAc3M=");
    CHECK(author.header("Host").find("bob") == std::string::npos);
}

TEST_CASE("any answer but 503 and 504 counts as delivered") {
    for (const int status : {200, 201, 302, 400, 404, 500, 502}) {
        Author author;
        author.script({status});
        World world;
        REQUIRE(world.callbacks.submit(world.completed("t", author.url())));
        CHECK(world.settled().delivered == 1);
        CHECK(author.bodies().size() == 1);
        CHECK(world.gone("t"));
    }
}

TEST_CASE("503 and 504 are tried three times, then the task stays RESOLVING") {
    Author author;
    author.script({503, 504, 200});
    World world;
    REQUIRE(world.callbacks.submit(world.completed("a", author.url())));
    CHECK(world.settled().delivered == 1);
    CHECK(author.bodies().size() == 3);
    author.script({503});
    REQUIRE(world.callbacks.submit(world.completed("b", author.url())));
    CHECK(world.settled().failed == 1);
    CHECK(author.bodies().size() == 6);
    CHECK(world.state("b") == TaskState::resolving);
}

TEST_CASE("a timeout counts as an attempt") {
    Author author;
    author.hold();
    World world({.timeout = 100ms});
    REQUIRE(world.callbacks.submit(world.completed("t", author.url())));
    CHECK(world.settled().failed == 1);
    author.release();
    CHECK(author.bodies().size() == 3);
    CHECK(world.state("t") == TaskState::resolving);
}

TEST_CASE("a connection that cannot be made is given up at once") {
    std::string url;
    {
        const Author author;
        url = author.url();
    }
    World world;
    REQUIRE(world.callbacks.submit(world.completed("t", url)));
    CHECK(world.settled().failed == 1);
    CHECK(world.state("t") == TaskState::resolving);
}

TEST_CASE("a task that is not COMPLETED any more is not told") {
    Author author;
    World world;
    const auto task = world.completed("t", author.url());
    REQUIRE(world.subject->clients().resolve_task("t"));
    REQUIRE(world.callbacks.submit(task));
    CHECK(world.settled().skipped == 1);
    CHECK(author.bodies().empty());
}

TEST_CASE("a task without a callback is nothing to do") {
    World world;
    REQUIRE(world.callbacks.submit(world.completed("t", "")));
    CHECK(world.settled().skipped == 0);
    CHECK(world.brain.calls("resolve_task") == 0);
}

TEST_CASE("a task whose deletion fails stays for the converger") {
    Author author;
    World world;
    world.brain.fail_next("delete_task", base::Error{.text = "no store"});
    REQUIRE(world.callbacks.submit(world.completed("t", author.url())));
    CHECK(world.settled().failed == 1);
    CHECK(world.state("t") == TaskState::resolving);
}

TEST_CASE("a task that waits or is being told is not taken twice") {
    Author author;
    author.hold();
    World world({.threads = 1});
    const auto first = world.completed("first", author.url());
    const auto second = world.completed("second", author.url());
    for (int i = 0; i < 3; ++i) {
        REQUIRE(world.callbacks.submit(first));
        REQUIRE(world.callbacks.submit(second));
    }
    author.release();
    CHECK(world.settled().delivered == 2);
    CHECK(author.bodies().size() == 2);
    CHECK(world.brain.calls("resolve_task") == 2);
}

TEST_CASE("a full queue refuses and says so") {
    Author author;
    author.hold();
    World world({.threads = 1, .queue = 2});
    REQUIRE(world.callbacks.submit(world.completed("a", author.url())));
    while (author.bodies().empty()) std::this_thread::sleep_for(1ms);
    REQUIRE(world.callbacks.submit(world.completed("b", author.url())));
    REQUIRE(world.callbacks.submit(world.completed("c", author.url())));
    const auto refused = world.callbacks.submit(world.completed("d", author.url()));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == base::Errc::exhausted);
    CHECK(refused.error().text == "callbacks: 2 wait, the limit is 2");
    author.release();
    CHECK(world.settled().delivered == 3);
    CHECK(world.callbacks.figures().refused == 1);
    CHECK(world.state("d") == TaskState::completed);
}

TEST_CASE("one slow author leaves threads to the others") {
    Author slow;
    slow.hold();
    Author quick;
    World world({.threads = 3, .per_server = 2});
    for (int i = 0; i < 20; ++i)
        REQUIRE(world.callbacks.submit(world.completed("slow" + std::to_string(i), slow.url())));
    for (int i = 0; i < 20; ++i)
        REQUIRE(world.callbacks.submit(world.completed("quick" + std::to_string(i), quick.url())));
    for (int i = 0; i < 2'000 && world.callbacks.figures().delivered < 20; ++i)
        std::this_thread::sleep_for(5ms);
    CHECK(world.callbacks.figures().delivered == 20);
    CHECK(quick.bodies().size() == 20);
    CHECK(slow.bodies().size() == 2);
    slow.release();
    CHECK(world.settled().delivered == 40);
}

TEST_CASE("stopping breaks off what runs and forgets what waits") {
    Author author;
    author.hold();
    World world({.threads = 1});
    REQUIRE(world.callbacks.submit(world.completed("runs", author.url())));
    REQUIRE(world.callbacks.submit(world.completed("waits", author.url())));
    while (author.bodies().empty()) std::this_thread::sleep_for(1ms);
    const auto begin = std::chrono::steady_clock::now();
    world.callbacks.stop();
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
    author.release();
    CHECK(world.state("waits") == TaskState::completed);
    CHECK(world.state("runs") == TaskState::resolving);
    const auto late = world.callbacks.submit(world.completed("late", author.url()));
    REQUIRE_FALSE(late);
    CHECK(late.error().kind == base::Errc::cancelled);
    world.callbacks.stop();
}
