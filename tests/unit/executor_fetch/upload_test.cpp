#include "base/clock.hpp"
#include "base/http/server.hpp"
#include "executor/fetch/digests.hpp"
#include "fixture.hpp"

#include <atomic>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace executor;
using namespace std::chrono_literals;
using base::Errc;
using base::http::Request;
using base::http::Response;
using test::Item;
using test::Pack;

namespace {

struct Seen {
    std::string length, coding, md5, digest, type, authorization, body;
};

class Receiver {
  public:
    std::vector<int> statuses;  // answers in order, then 200
    std::string location;       // of 307

    Receiver() {
        base::http::Endpoint endpoint;
        endpoint.kind = base::http::Endpoint::Kind::tcp;
        endpoint.host = "127.0.0.1";
        server_ = base::http::Server::start(
                          {.endpoints = {endpoint}, .limits = {}, .on_served = {}},
                          [this](Request& request) { return answer(request); })
                          .value();
    }

    std::string url(std::string_view path = "/up") const {
        return fmt::format("http://127.0.0.1:{}{}", server_->endpoints().front().port, path);
    }

    std::vector<Seen> seen() const {
        const std::lock_guard lock(mutex_);
        return seen_;
    }

  private:
    Response answer(Request& request) {
        const auto header = [&](std::string_view name) {
            return std::string(request.headers.get(name));
        };
        Seen seen{
                .length = header("Content-Length"),
                .coding = header("Transfer-Encoding"),
                .md5 = header("Content-MD5"),
                .digest = header("Content-Digest"),
                .type = header("Content-Type"),
                .authorization = header("Authorization"),
                .body = request.read_body().value_or("cut short")};
        const std::lock_guard lock(mutex_);
        seen_.push_back(seen);
        const auto number = seen_.size() - 1;
        auto response = Response::text(number < statuses.size() ? statuses[number] : 200, "x");
        if (!location.empty()) response.headers.set("Location", location);
        return response;
    }

    mutable std::mutex mutex_;
    std::vector<Seen> seen_;
    std::unique_ptr<base::http::Server> server_;
};

// A stream that gives a few bytes at a time.
std::function<base::Result<std::size_t>(std::span<char>)> stream(std::string bytes) {
    return [bytes = std::move(bytes),
            at = std::size_t{0}](std::span<char> into) mutable -> base::Result<std::size_t> {
        const auto count = std::min({into.size(), bytes.size() - at, std::size_t{777}});
        std::copy_n(bytes.data() + at, count, into.data());
        at += count;
        return count;
    };
}

struct Bench {
    test::Directory directory;
    std::unique_ptr<CachedFetcher> fetcher = CachedFetcher::make(test::quick(directory)).value();

    base::Result<std::uint64_t> upload(
            const std::string& url, std::string tar, std::string artifact = "droplet") {
        return fetcher->upload(
                {.url = url, .artifact = std::move(artifact), .tar = stream(std::move(tar))}, {});
    }
};

const std::vector<Item> kItems = {
        {.name = "dir", .content = "", .kind = Item::Kind::directory},
        {.name = "dir/result", .content = std::string(100'000, 'r') + "end"},
        {.name = "other", .content = "not this one"}};

std::string base64(const std::string& algorithm, std::string_view bytes) {
    Digests digests({algorithm});
    digests.add(bytes);
    return to_base64(digests.finish().at(algorithm));
}

}  // namespace

TEST_CASE("the first file goes out with its length and digests") {
    Receiver receiver;
    Bench b;
    const auto& content = kItems[1].content;
    auto url = receiver.url();
    url.insert(7, "bob:hunter2@");
    const auto sent = b.upload(url, pack(Pack::tar, kItems));
    REQUIRE(sent);
    CHECK(*sent == content.size());
    const auto seen = receiver.seen();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].body == content);
    CHECK(seen[0].length == std::to_string(content.size()));
    CHECK(seen[0].coding.empty());
    CHECK(seen[0].type == "application/octet-stream");
    CHECK(seen[0].md5 == base64("md5", content));
    CHECK(seen[0].digest == "sha-256=:" + base64("sha256", content) + ":");
    CHECK(seen[0].authorization == "Basic Ym9iOmh1bnRlcjI=");
}

TEST_CASE("an upload is tried three times and its failure names no address") {
    Receiver receiver;
    receiver.statuses = {500, 503, 200};
    Bench b;
    CHECK(b.upload(receiver.url(), pack(Pack::tar, kItems)));
    const auto seen = receiver.seen();
    REQUIRE(seen.size() == 3);
    CHECK(seen[2].body == kItems[1].content);

    Receiver never;
    never.statuses = {400, 400, 404, 200};
    const auto failed = b.upload(never.url("/x?token=s3cret"), pack(Pack::tar, kItems));
    CHECK(failed.error().kind == Errc::unavailable);
    CHECK(failed.error().text == "Failed to upload the payload (status 404) for droplet");
    CHECK(never.seen().size() == 3);
    const auto nobody = b.upload("http://u:p@127.0.0.1:1/s3cret", pack(Pack::tar, kItems), "");
    CHECK(nobody.error().text == "Failed to upload the payload (unavailable)");
}

TEST_CASE("an empty file is uploaded as nothing") {
    Receiver receiver;
    Bench b;
    CHECK(b.upload(receiver.url(), pack(Pack::tar, {{.name = "e", .content = ""}})).value() == 0);
    CHECK(receiver.seen().at(0).length == "0");
}

TEST_CASE("a redirect that keeps the method is followed") {
    Receiver target;
    Receiver receiver;
    receiver.statuses = {307};
    receiver.location = target.url("/there");
    Bench b;
    CHECK(b.upload(receiver.url(), pack(Pack::tar, kItems)));
    CHECK(target.seen().at(0).body == kItems[1].content);
}

TEST_CASE("what goes wrong before the request has its own words") {
    Receiver receiver;
    Bench b;
    const auto text = [&](const std::string& url, const std::string& tar) {
        return b.upload(url, tar).error().text;
    };
    const auto good = pack(Pack::tar, kItems);
    CHECK(text("http//bob:hunter2@host", good) == "Failed to parse the URL for droplet");
    CHECK(text(receiver.url(), "no tar at all") == "Failed to find the first tar item for droplet");
    CHECK(text(receiver.url(), pack(Pack::tar, {kItems[0]})) ==
          "Failed to find the first tar item for droplet");
    CHECK(text(receiver.url(), good.substr(0, 9'000)) ==
          "Failed to copy into the temp file for droplet");
    CHECK(receiver.seen().empty());
}

TEST_CASE("a stop ends an upload to a server that does not answer") {
    test::RawServer silent({.bytes = "", .endless = false, .close = false});
    Bench b;
    std::stop_source source;
    std::chrono::steady_clock::time_point asked;
    std::jthread stopper([&] {
        base::pause_for(150ms);
        asked = std::chrono::steady_clock::now();
        source.request_stop();
    });
    const auto sent = b.fetcher->upload(
            {.url = silent.url(), .artifact = "a", .tar = stream(pack(Pack::tar, kItems))},
            source.get_token());
    const auto end = std::chrono::steady_clock::now();
    stopper.join();
    CHECK(sent.error().kind == Errc::cancelled);
    CHECK(end - asked < 1s);
}
