#include "executor/steps/transfer_steps.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/partial.hpp"
#include "executor/fetch/fetch.hpp"
#include "executor/steps/transfer.hpp"
#include "tests/unit/executor_steps/bench.hpp"

#include <unistd.h>

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

using namespace executor;
using namespace std::chrono_literals;
using base::Errc;
using Read = std::function<base::Result<std::size_t>(std::span<char>)>;

namespace {

base::Result<std::string> read_all(const Read& read) {
    std::string out;
    std::vector<char> piece(100);
    for (;;) {
        const auto count = TRY(read(piece));
        if (count == 0) return out;
        out.append(piece.data(), count);
    }
}

// One file of a container.
class OneFile final : public ContainerFiles {
  public:
    std::string put;  // "USER PLACE: CONTENT"
    std::string tar = "the tar of a result";
    std::string broken;

    base::Result<void> stream_in(
            std::string_view user, std::string_view destination, Read read) override {
        if (!broken.empty()) return base::fail(Errc::unavailable, "{}", broken);
        put = base::format("{} {}: {}", user, destination, TRY(read_all(read)));
        return base::ok;
    }

    base::Result<void> stream_out(
            std::string_view,
            std::string_view,
            std::function<base::Result<void>(Read)> reader) override {
        if (!broken.empty()) return base::fail(Errc::unavailable, "{}", broken);
        return reader(
                [this,
                 at = std::size_t{0}](std::span<char> into) mutable -> base::Result<std::size_t> {
                    const auto count = std::min(into.size(), tar.size() - at);
                    std::copy_n(tar.data() + at, count, into.data());
                    at += count;
                    return count;
                });
    }
};

// Answers as told; `slow` ones only end with a stop.
class ToldFetcher final : public Fetcher {
  public:
    std::atomic<bool> slow = false;
    std::atomic<int> calls = 0;
    std::optional<base::Error> error;
    std::uint64_t downloaded = 1'572'864;
    std::string uploaded;

    base::Result<FetchedTar> tar(const FetchRequest& request, std::stop_token stop) override {
        TRY(wait(stop));
        if (error) return *error;
        FetchedTar out{.file = base::sys::sealed_memory_file("tar", request.url, false).value()};
        CHECK(::lseek(out.file.get(), 0, SEEK_SET) == 0);
        out.downloaded = downloaded;
        return out;
    }

    base::Result<FetchedDirectory> directory(const FetchRequest&, std::stop_token) override {
        return base::fail(Errc::unsupported, "not here");
    }

    base::Result<std::uint64_t> upload(UploadRequest request, std::stop_token stop) override {
        TRY(wait(stop));
        if (error) return *error;
        uploaded = request.url + ": " + TRY(read_all(request.tar));
        return std::uint64_t{512};
    }

  private:
    base::Result<void> wait(const std::stop_token& stop) {
        ++calls;
        while (slow && !stop.stop_requested()) std::this_thread::yield();
        if (slow) return base::fail(Errc::cancelled, "cancelled");
        return base::ok;
    }
};

struct Transfers {
    base::ManualClock clock;
    std::unique_ptr<Loop> loop = Loop::make(clock).value();
    test::FakeProcesses processes{*loop};
    OneFile files;
    ToldFetcher fetcher;
    test::KeptLog log;
    MemoryJournal journal{clock};
    base::WorkerPool downloads{{.name = "downloads", .threads = 1, .queue = 8}};
    base::WorkerPool uploads{{.name = "uploads", .threads = 1, .queue = 8}};
    Tools tools{
            .loop = *loop,
            .processes = processes,
            .files = files,
            .fetcher = fetcher,
            .log = log,
            .journal = journal,
            .download_pool = downloads,
            .upload_pool = uploads,
            .facts = {},
            .times = {},
            .set_routable = {}};

    struct Running {
        std::unique_ptr<Step> step;
        bool ready = false;
        std::optional<Outcome> outcome;
    };

    std::unique_ptr<Running> start(std::unique_ptr<Step> step) {
        auto running = std::make_unique<Running>();
        running->step = std::move(step);
        running->step->start(
                {.ready = [r = running.get()] { r->ready = true; },
                 .done =
                         [r = running.get()](Outcome outcome) {
                             CHECK_FALSE(r->outcome);
                             r->outcome = std::move(outcome);
                         }});
        loop->run_until_idle();
        return running;
    }

    Outcome finish(Running& running) {
        const auto end = std::chrono::steady_clock::now() + 10s;
        while (!running.outcome && std::chrono::steady_clock::now() < end)
            if (loop->run_until_idle() == 0) std::this_thread::yield();
        REQUIRE(running.outcome);
        return *running.outcome;
    }

    std::unique_ptr<Step> download(std::string artifact = "buildpack") {
        return make_download_step(
                {.artifact = std::move(artifact),
                 .from = "http://h/x",
                 .to = "/to",
                 .user = "vcap"},
                tools, "APP", "setup/0");
    }

    std::unique_ptr<Step> upload(std::string artifact = "droplet") {
        return make_upload_step(
                {.artifact = std::move(artifact),
                 .from = "/from",
                 .to = "http://u:p@h/s3cret",
                 .log_source = "STG",
                 .user = "vcap"},
                tools, "APP", "run/1");
    }

    Outcome run(std::unique_ptr<Step> step) { return finish(*start(std::move(step))); }
};

}  // namespace

TEST_CASE("a download goes into the container and is told in the log") {
    Transfers b;
    auto running = b.start(b.download());
    CHECK(b.finish(*running) == Outcome::success());
    CHECK(running->ready);
    CHECK(b.files.put == "vcap /to: http://h/x");
    CHECK(b.log.text ==
          "APP out: Downloading buildpack...\nAPP out: Downloaded buildpack (1.5M)\n");
    b.log.text.clear();
    CHECK(b.journal.finished("setup/0") == Outcome::success());
}

TEST_CASE("a download out of the cache says no size and one without a name nothing") {
    Transfers b;
    b.fetcher.downloaded = 0;
    CHECK(b.run(b.download()).good());
    CHECK(b.log.has("Downloaded buildpack\n"));
    Transfers quiet;
    CHECK(quiet.run(quiet.download("")).good());
    CHECK(quiet.log.text.empty());
}

TEST_CASE("failures of a download have their words and long causes are cut") {
    Transfers b;
    b.fetcher.error = base::fail(Errc::unavailable, "{}", std::string(3000, 'e'));
    const auto failed = b.run(b.download());
    CHECK(failed.message == "Downloading buildpack failed");
    CHECK(failed.detail.size() == 3000);
    CHECK(b.log.has("APP err: Downloading buildpack failed: eeee"));
    CHECK(b.log.text.size() < 1'200);

    Transfers unnamed;
    unnamed.fetcher.error = base::fail(Errc::unavailable, "x");
    CHECK(unnamed.run(unnamed.download("")).message == "Downloading failed");
    CHECK(unnamed.log.text.empty());

    Transfers copy;
    copy.files.broken = "no space left on device";
    CHECK(copy.run(copy.download()).message ==
          "Copying buildpack into the container failed: no space left on device");
}

TEST_CASE("a cancel ends a transfer that runs and at once one that waits for a slot") {
    Transfers b;
    b.fetcher.slow = true;
    auto first = b.start(b.download());
    while (b.fetcher.calls == 0) std::this_thread::yield();
    auto second = b.start(b.download());
    second->step->cancel();
    b.loop->run_until_idle();
    REQUIRE(second->outcome);  // while the first still has the only thread
    CHECK(second->outcome->kind == Outcome::Kind::cancelled);
    CHECK_FALSE(first->outcome);
    first->step->cancel();
    CHECK(b.finish(*first).kind == Outcome::Kind::cancelled);
    CHECK_FALSE(b.journal.finished("setup/0"));  // the next life does it again
    b.fetcher.slow = false;
    CHECK(b.run(b.download()).good());
    CHECK(b.fetcher.calls == 2);  // the one that waited never asked
}

TEST_CASE("a cancel before the start starts nothing") {
    Transfers b;
    auto step = b.upload();
    step->cancel();
    CHECK(b.run(std::move(step)).kind == Outcome::Kind::cancelled);
    CHECK(b.fetcher.calls == 0);
}

TEST_CASE("a transfer that was finished in an earlier life is not repeated") {
    Transfers b;
    b.journal.finish("setup/0", Outcome::success());
    b.journal.finish("run/1", Outcome::failed("Failed then"));
    auto running = b.start(b.download());
    CHECK(b.finish(*running).good());
    CHECK(running->ready);
    CHECK(b.run(b.upload()).message == "Failed then");
    CHECK(b.fetcher.calls == 0);
    CHECK(b.log.text.empty());
}

TEST_CASE("a step that is destroyed waits for its work and forgets what waits") {
    Transfers b;
    b.fetcher.slow = true;
    auto first = b.start(b.download());
    while (b.fetcher.calls == 0) std::this_thread::yield();
    auto second = b.start(b.download());
    second.reset();
    first.reset();
    b.downloads.stop();
    b.loop->run_until_idle();
    CHECK(b.fetcher.calls == 1);
}

TEST_CASE("an upload is told in the log under its own source") {
    Transfers b;
    CHECK(b.run(b.upload()).good());
    CHECK(b.fetcher.uploaded == "http://u:p@h/s3cret: the tar of a result");
    CHECK(b.log.text == "STG out: Uploading droplet...\nSTG out: Uploaded droplet (512B)\n");
}

TEST_CASE("a failed upload shows what users may see and never the address") {
    Transfers b;
    b.fetcher.error = base::fail(Errc::corrupt, "Failed to find the first tar item for droplet");
    CHECK(b.run(b.upload()).message == "Failed to find the first tar item for droplet");

    Transfers post;
    post.fetcher.error = base::fail(Errc::unavailable, "Failed to upload the payload for droplet");
    const auto failed = post.run(post.upload());
    CHECK(failed.kind == Outcome::Kind::failed);
    CHECK(failed.message.empty());
    CHECK(failed.detail == "Failed to upload the payload for droplet");

    Transfers stream;
    stream.files.broken = "no such file";
    CHECK(stream.run(stream.upload()).message ==
          "Failed to establish the stream from the container for droplet");
    for (auto* each : {&b, &post, &stream})
        CHECK(each->log.text.find("s3cret") == std::string::npos);
}

TEST_CASE("sizes are short") {
    CHECK(short_size(0) == "0B");
    CHECK(short_size(1023) == "1023B");
    CHECK(short_size(1024) == "1K");
    CHECK(short_size(1'572'864) == "1.5M");
    CHECK(short_size(std::uint64_t{5} << 50) == "5120T");
}
