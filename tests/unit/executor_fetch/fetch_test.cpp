#include "base/clock.hpp"
#include "executor/fetch/digests.hpp"
#include "fixture.hpp"

#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>

#include <catch2/catch.hpp>

using namespace executor;
using namespace std::chrono_literals;
using base::Errc;
using test::Item;
using test::Nginx;
using test::Pack;

namespace {

using Lines = std::vector<std::string>;

const std::vector<Item> kItems = {
        {.name = "dir", .content = "", .kind = Item::Kind::directory, .mode = 0755},
        {.name = "dir/a", .content = "alpha", .mode = 0755},
        {.name = "link", .content = "dir/a", .kind = Item::Kind::symlink}};
const Lines kListed = {"dir/", "dir/a=alpha", "link->dir/a"};

struct Bench {
    test::Directory directory;
    std::unique_ptr<CachedFetcher> fetcher;

    explicit Bench(FetcherConfig config = {}) {
        const auto fast = test::quick(directory);
        config.directory = fast.directory;
        config.first_pause = fast.first_pause;
        config.longest_pause = fast.longest_pause;
        config.jitter = fast.jitter;
        fetcher = CachedFetcher::make(config).value();
    }

    base::Result<FetchedTar> tar(const std::string& url, const std::string& key = "") {
        return fetcher->tar({.url = url, .cache_key = key}, {});
    }
};

std::string digest(const std::string& algorithm, std::string_view bytes) {
    Digests digests({algorithm});
    digests.add(bytes);
    return to_hex(digests.finish().at(algorithm));
}

}  // namespace

TEST_CASE("each format becomes the same plain tar") {
    Nginx server;
    server.put("a.tar", pack(Pack::tar, kItems));
    server.put("a.tgz", pack(Pack::tar_gzip, kItems));
    server.put("a.zip", pack(Pack::zip, kItems));
    server.put("empty.tgz", pack(Pack::tar_gzip, {}));
    Bench b;
    for (const auto* name : {"/a.tar", "/a.tgz", "/a.zip"}) {
        INFO(name);
        const auto got = b.tar(server.url(name));
        REQUIRE(got);
        CHECK(test::list_tar(got->file) == kListed);
        CHECK_FALSE(got->from_cache);
        CHECK(got->downloaded == test::read_file(server.root() + name).size());
        CHECK(got->size > 0);
    }
    CHECK(test::list_tar(b.tar(server.url("/empty.tgz")).value().file).empty());
    // Nothing is kept without a key.
    CHECK(b.fetcher->figures().cache.entries == 0);
}

TEST_CASE("what is no archive is refused with its reason") {
    Nginx server;
    server.put("text", std::string(2000, 'x'));
    server.put("nothing", "");
    server.put("gz", "\x1f\x8b\x08garbage that is not deflate");
    test::shell(server.path(), "head -c 3000 /dev/zero | tr '\\0' y | gzip >root/ygz");
    Bench b;
    for (const auto* name : {"/text", "/nothing", "/ygz"})
        CHECK(b.tar(server.url(name)).error().text == "unknown archive format");
    CHECK_FALSE(b.tar(server.url("/gz")));
}

TEST_CASE("an unchanged file is asked for with conditions and served from the cache") {
    Nginx server;
    server.put("a.tgz", pack(Pack::tar_gzip, kItems));
    Bench b;
    REQUIRE(b.tar(server.url("/a.tgz"), "key"));
    const auto again = b.tar(server.url("/a.tgz"), "key");
    REQUIRE(again);
    CHECK(again->from_cache);
    CHECK(again->downloaded == 0);
    CHECK(test::list_tar(again->file) == kListed);
    CHECK(server.requests(2) == Lines{"200 /a.tgz", "304 /a.tgz"});

    // Changed: the new one, while the old one stays with who has it.
    server.put("a.tgz", pack(Pack::tar_gzip, {{.name = "new", .content = "n"}}));
    const auto fresh = b.tar(server.url("/a.tgz"), "key");
    REQUIRE(fresh);
    CHECK(test::list_tar(fresh->file) == Lines{"new=n"});
    CHECK(test::list_tar(again->file) == kListed);
    CHECK(b.fetcher->figures().cache.entries == 1);
}

TEST_CASE("an answer with a last modification alone is kept and one with neither is not") {
    Nginx plain("etag off; location / { add_header Last-Modified ''; if_modified_since off; }");
    Nginx modified("etag off;");
    for (auto* s : {&plain, &modified}) s->put("a.tgz", pack(Pack::tar_gzip, kItems));
    Bench b;
    REQUIRE(b.tar(modified.url("/a.tgz"), "m"));
    CHECK(b.tar(modified.url("/a.tgz"), "m").value().from_cache);
    REQUIRE(b.tar(plain.url("/a.tgz"), "p"));
    CHECK_FALSE(b.tar(plain.url("/a.tgz"), "p").value().from_cache);
    CHECK(b.fetcher->figures().cache.entries == 1);
    const auto directory = b.fetcher->directory({.url = plain.url("/a.tgz"), .cache_key = "p"}, {});
    CHECK(directory.error().text.starts_with("not cacheable directory"));
    CHECK(b.fetcher->directory({.url = plain.url("/a.tgz")}, {})
                  .error()
                  .text.starts_with("not cacheable directory"));
}

TEST_CASE("errors of the server are tried four times and never show secrets of the address") {
    Nginx server("location /bad { return 500; }");
    Bench b;
    const auto secret = "http://bob:hunter2@" + server.url("/bad?signature=s3cret").substr(7);
    const auto bad = b.tar(secret);
    CHECK(bad.error().text == "download " + server.url("/bad") + ": status 500");
    CHECK(server.requests(4).size() == 4);
    CHECK(b.tar(server.url("/missing")).error().text ==
          "download " + server.url("/missing") + ": status 404");
    CHECK(server.requests(8).size() == 8);
    CHECK(b.fetcher->figures().retries == 6);

    const auto nobody = b.tar("http://bob:hunter2@127.0.0.1:1/x?signature=s3cret");
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().text.find("hunter2") == std::string::npos);
    CHECK(nobody.error().text.find("s3cret") == std::string::npos);
    CHECK(nobody.error().text.find("connection refused") != std::string::npos);
    for (const auto* wrong : {"ftp://h/x", "nothing", "http://", "http://u%zz:p@h/"})
        CHECK(b.tar(wrong).error().kind == Errc::invalid);
}

TEST_CASE("redirects are followed and a password stays with its server") {
    Nginx other("location / { if ($http_authorization) { return 418; } }");
    other.put("a.tgz", pack(Pack::tar_gzip, kItems));
    Nginx server(
            "location /abs { return 302 " + other.url("/a.tgz") +
            "; } location /rel { return 307 a.tgz; } location /loop { return 301 /loop; }"
            "location /private/ { auth_basic x; auth_basic_user_file users; }");
    server.put("a.tgz", pack(Pack::tar_gzip, kItems));
    std::filesystem::create_directory(server.root() + "/private");
    server.put("private/a.tgz", pack(Pack::tar_gzip, kItems));
    test::shell(server.path(), "echo \"bob:$(openssl passwd -apr1 hunter2)\" >users");
    Bench b;
    const auto with_password = "http://bob:hunter2@" + server.url("").substr(7);
    CHECK(b.tar(with_password + "/abs"));
    CHECK(b.tar(with_password + "/rel"));
    CHECK(b.tar(with_password + "/private/a.tgz"));
    CHECK(b.tar(server.url("/private/a.tgz")).error().text.ends_with("status 401"));
    CHECK(b.tar(server.url("/loop")).error().text.ends_with("more than 10 redirects"));
}

TEST_CASE("https is checked with our own authority and we show who we are") {
    Nginx server("", true);
    server.put("a.tgz", pack(Pack::tar_gzip, kItems));
    FetcherConfig config;
    config.download_attempts = 1;
    CHECK_FALSE(Bench(config).tar(server.url("/a.tgz")));  // nobody's authority
    config.ca_file = server.path() + "/ca.pem";
    CHECK(Bench(config).tar(server.url("/a.tgz")).error().text.ends_with("status 400"));
    config.certificate_file = server.path() + "/client.pem";
    config.key_file = server.path() + "/client.key";
    CHECK(Bench(config).tar(server.url("/a.tgz")));
}

TEST_CASE("checksums of each kind are verified also when the cache serves") {
    Nginx server;
    const auto bytes = pack(Pack::tar_gzip, kItems);
    server.put("a.tgz", bytes);
    Bench b;
    const auto get = [&](const std::string& algorithm, const std::string& value) {
        return b.fetcher->tar(
                {.url = server.url("/a.tgz"),
                 .cache_key = "k",
                 .checksum_algorithm = algorithm,
                 .checksum_value = value},
                {});
    };
    for (const std::string algorithm : {"sha256", "md5", "sha1"}) {
        INFO(algorithm);
        CHECK(get(algorithm, digest(algorithm, bytes)));
        CHECK(get(algorithm, digest(algorithm, bytes)).value().from_cache);
        const auto before = server.requests().size();
        const auto wrong = get(algorithm, digest(algorithm, "other"));
        CHECK(wrong.error().text.starts_with("checksum mismatch: " + algorithm));
        CHECK(server.requests(before + 1).size() == before + 1);  // not retried
    }
    CHECK(get("SHA256", digest("sha256", bytes)));
    CHECK(get("sha512", "x").error().kind == Errc::invalid);
    CHECK(get("md5", "").error().kind == Errc::invalid);
}

TEST_CASE("twenty that ask for one key at once are one download") {
    Nginx server("location / { limit_rate 400k; }");
    std::string noise;
    for (int i = 0; i < 100'000; ++i) noise += static_cast<char>(i * 7919 >> 4);
    server.put("a.tar", pack(Pack::tar, {{.name = "noise", .content = noise}}));
    Bench b;
    // Looked at behind the threads: assertions are this thread's only.
    std::vector<std::optional<executor::FetchedTar>> tars(20);
    {
        std::vector<std::jthread> threads;
        for (auto& tar : tars)
            threads.emplace_back([&] {
                if (auto got = b.tar(server.url("/a.tar"), "k")) tar = std::move(*got);
            });
    }
    for (const auto& tar : tars) {
        REQUIRE(tar);
        CHECK(test::list_tar(tar->file).size() == 1);
    }
    CHECK(server.count("200 /a.tar") == 1);
    CHECK(b.fetcher->figures().downloads == 1);
    CHECK(b.fetcher->figures().shared + b.fetcher->figures().revalidated == 19);
}

TEST_CASE("a stop ends a slow download within a second and frees the key for the next") {
    Nginx server("location /slow { limit_rate 1k; }");
    const auto bytes = pack(Pack::tar, {{.name = "x", .content = std::string(500'000, 'x')}});
    server.put("a.tar", bytes);
    server.put("slow", bytes);
    Bench b;
    std::stop_source source;
    std::chrono::steady_clock::time_point asked;
    std::vector<std::jthread> threads;
    std::atomic<int> cancelled = 0;
    // The second waits for the turn of the first.
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            const auto got = b.fetcher->tar(
                    {.url = server.url("/slow"), .cache_key = "k"}, source.get_token());
            if (!got && got.error().kind == Errc::cancelled) ++cancelled;
        });
    base::pause_for(200ms);
    asked = std::chrono::steady_clock::now();
    source.request_stop();
    threads.clear();
    CHECK(std::chrono::steady_clock::now() - asked < 1s);
    CHECK(cancelled == 2);
    CHECK(b.tar(server.url("/a.tar"), "k"));
}

TEST_CASE("silence and an end too early are failures and endless answers are bounded") {
    FetcherConfig config;
    config.idle_timeout = 150ms;
    config.download_attempts = 2;
    config.download_bytes = 1 << 20;
    Bench b(config);
    {
        test::RawServer silent({.bytes = "", .endless = false, .close = false});
        CHECK(b.tar(silent.url()).error().text.find("download http://127.0.0.1") == 0);
    }
    {
        test::RawServer stalls(
                {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", .close = false});
        CHECK(b.tar(stalls.url()).error().text.find("no byte for 150ms") != std::string::npos);
    }
    {
        test::RawServer cut({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"});
        CHECK(b.tar(cut.url()).error().kind == Errc::unavailable);
    }
    {
        test::RawServer endless(
                {.bytes = "HTTP/1.1 200 OK\r\n\r\n" + std::string(65536, 'x'), .endless = true});
        const auto got = b.tar(endless.url());
        CHECK(got.error().kind == Errc::exhausted);
        CHECK(got.error().text.ends_with("over 1048576 bytes"));
    }
    {
        FetcherConfig slow;
        slow.total_timeout = 300ms;
        slow.download_attempts = 1;
        Nginx server("location / { limit_rate 2k; }");
        server.put("a.tar", pack(Pack::tar, {{.name = "x", .content = std::string(90'000, 'x')}}));
        CHECK(Bench(slow).tar(server.url("/a.tar")).error().text.find("not finished after") !=
              std::string::npos);
    }
    CHECK(b.fetcher->figures().cache.bytes == 0);
}
