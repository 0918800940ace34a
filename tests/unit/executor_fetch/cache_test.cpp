#include "base/clock.hpp"
#include "fixture.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <set>

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace executor;
using namespace std::chrono_literals;
using base::Errc;
using test::Item;
using test::Nginx;
using test::Pack;
namespace fs = std::filesystem;

namespace {

std::string content_of(int number) {
    return fmt::format("content of {} ", number) +
           std::string(20'000, static_cast<char>('a' + number % 26));
}

// "/0.tgz", "/1.tgz", … each with one file of 20 KB.
struct Shelf {
    Nginx server;

    explicit Shelf(int count) {
        for (int i = 0; i < count; ++i)
            server.put(
                    fmt::format("{}.tgz", i),
                    pack(Pack::tar_gzip, {{.name = "f", .content = content_of(i)}}));
    }

    FetchRequest request(int number) const {
        return {.url = server.url(fmt::format("/{}.tgz", number)),
                .cache_key = fmt::format("key {}", number)};
    }
};

std::unique_ptr<CachedFetcher> open(FetcherConfig config) {
    return CachedFetcher::make(std::move(config)).value();
}

std::set<std::string> files(const std::string& directory) {
    std::set<std::string> out;
    for (const auto& entry : fs::directory_iterator(directory))
        out.insert(entry.path().filename().string());
    return out;
}

std::size_t count_files(const std::string& directory, std::string_view suffix) {
    std::size_t count = 0;
    for (const auto& name : files(directory)) count += name.ends_with(suffix) ? 1U : 0U;
    return count;
}

}  // namespace

TEST_CASE("the least recently used leaves first and what is in use stays") {
    Shelf shelf(6);
    test::Directory directory;
    auto config = test::quick(directory);
    config.cache_bytes = 100'000;  // three of them, 30,720 each
    auto fetcher = open(config);
    const auto get = [&](int number) { return fetcher->tar(shelf.request(number), {}).value(); };
    for (const int number : {0, 1, 2}) (void)get(number);
    CHECK(get(0).from_cache);
    (void)get(3);  // 1 leaves
    CHECK(fetcher->figures().cache.evicted == 1);
    CHECK(get(0).from_cache);
    CHECK(get(2).from_cache);
    CHECK(get(3).from_cache);
    {
        const auto held0 = get(0);
        const auto held2 = get(2);
        const auto held3 = get(3);
        const auto held4 = get(4);  // nobody can leave
        CHECK(fetcher->figures().cache.overruns == 1);
        CHECK(fetcher->figures().cache.entries == 4);
        CHECK(test::list_tar(held0.file).size() == 1);
    }
    (void)get(5);  // the two oldest go
    CHECK(fetcher->figures().cache.bytes <= config.cache_bytes);
    CHECK(count_files(config.directory, ".tar") == 3);
    CHECK(count_files(config.directory, ".json") == 3);
}

TEST_CASE("a restart keeps what was complete and in which order it was used") {
    Shelf shelf(4);
    test::Directory directory;
    auto config = test::quick(directory);
    {
        auto fetcher = open(config);
        for (const int number : {0, 1, 2}) REQUIRE(fetcher->tar(shelf.request(number), {}));
        REQUIRE(fetcher->tar(shelf.request(0), {}));
        CHECK(CachedFetcher::make(config).error().kind == Errc::conflict);
    }
    test::write_file(config.directory + "/stranger", "x");
    test::write_file(config.directory + "/" + std::string(32, 'a') + "-7.tar", "half");
    test::write_file(config.directory + "/" + std::string(32, 'b') + "-8.json", "{bad");
    fs::create_directories(config.directory + "/" + std::string(32, 'c') + "-9.d/x");
    config.cache_bytes = 100'000;
    auto fetcher = open(config);
    CHECK(fetcher->figures().cache.entries == 3);
    CHECK(files(config.directory).size() == 3 * 2 + 2);
    REQUIRE(fetcher->tar(shelf.request(3), {}));
    CHECK(fetcher->tar(shelf.request(0), {}).value().from_cache);
    CHECK(fetcher->tar(shelf.request(2), {}).value().from_cache);
    CHECK_FALSE(fetcher->tar(shelf.request(1), {}).value().from_cache);  // was the oldest
}

TEST_CASE("an archive that lost bytes while nobody looked is fetched anew") {
    Shelf shelf(1);
    test::Directory directory;
    const auto config = test::quick(directory);
    REQUIRE(open(config)->tar(shelf.request(0), {}));
    for (const auto& name : files(config.directory))
        if (name.ends_with(".tar")) fs::resize_file(config.directory + "/" + name, 100);
    const auto got = open(config)->tar(shelf.request(0), {});
    REQUIRE(got);
    CHECK_FALSE(got->from_cache);
    CHECK(test::list_tar(got->file) == std::vector<std::string>{"f=" + content_of(0)});
}

TEST_CASE("a directory is extracted once and stays with its container over a restart") {
    Shelf shelf(1);
    test::Directory directory;
    const auto config = test::quick(directory);
    std::string path;
    {
        auto fetcher = open(config);
        const auto first = fetcher->directory(shelf.request(0), {});
        REQUIRE(first);
        CHECK_FALSE(first->from_cache);
        const auto again = fetcher->directory(shelf.request(0), {});
        CHECK(again->from_cache);
        CHECK(again->path == first->path);
        CHECK(test::read_file(first->path + "/f") == content_of(0));
        path = first->path;

        // A new version does not touch what is mounted.
        shelf.server.put(
                "0.tgz", pack(Pack::tar_gzip, {{.name = "g", .content = "new, and longer"}}));
        const auto fresh = fetcher->directory(shelf.request(0), {});
        REQUIRE(fresh);
        CHECK(fresh->path != path);
        CHECK(test::read_file(path + "/f") == content_of(0));
        // kill -9 here: no destructor of the old version's users runs. Two records remain.
        CHECK(count_files(config.directory, ".json") == 2);
        fs::copy(config.directory, directory.path + "/killed", fs::copy_options::recursive);
    }
    CHECK_FALSE(fs::exists(path));  // nobody used it any more
    fs::remove_all(config.directory);
    fs::rename(directory.path + "/killed", config.directory);
    auto fetcher = open(config);
    CHECK(test::read_file(path + "/f") == content_of(0));
    {
        const auto held = fetcher->hold(path);
        REQUIRE(held);
        fetcher->release_unclaimed();
        CHECK(test::read_file(path + "/f") == content_of(0));
        CHECK(fetcher->directory(shelf.request(0), {}).value().from_cache);
    }
    CHECK_FALSE(fs::exists(path));  // its container is gone
    CHECK_FALSE(fetcher->hold(path));
}

TEST_CASE("tar and directory of one key live side by side") {
    Shelf shelf(1);
    test::Directory directory;
    auto fetcher = open(test::quick(directory));
    REQUIRE(fetcher->tar(shelf.request(0), {}));
    const auto bytes = fetcher->figures().cache.bytes;
    const auto extracted = fetcher->directory(shelf.request(0), {}).value();
    CHECK(extracted.from_cache);
    CHECK(test::read_file(extracted.path + "/f") == content_of(0));
    CHECK(fetcher->figures().cache.bytes > bytes + 20'000);  // counts twice
    CHECK(fetcher->tar(shelf.request(0), {}).value().from_cache);
}

TEST_CASE("a refused archive leaves nothing behind") {
    Nginx server;
    server.put(
            "bad.tgz", pack(Pack::tar_gzip,
                            {{.name = "ok", .content = "x"}, {.name = "../bad", .content = "x"}}));
    test::Directory directory;
    const auto config = test::quick(directory);
    auto fetcher = open(config);
    const FetchRequest request{.url = server.url("/bad.tgz"), .cache_key = "k"};
    CHECK(fetcher->tar(request, {}).error().kind == Errc::invalid);
    CHECK(fetcher->directory(request, {}).error().kind == Errc::invalid);
    CHECK(files(config.directory) == std::set<std::string>{"lock", "tmp"});
    CHECK(files(config.directory + "/tmp").empty());
}

TEST_CASE("kill -9 at any moment leaves nothing that only looks complete") {
    constexpr int kFiles = 40;
    Shelf shelf(kFiles);
    test::Directory directory;
    auto config = test::quick(directory);
    config.cache_bytes = 500'000;  // evictions are part of it
    std::mt19937 random(20261125);
    for (int round = 0; round < 12; ++round) {
        const auto child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            auto fetcher = CachedFetcher::make(config);
            if (!fetcher) ::_exit(3);
            for (int i = round;; ++i) {
                const auto wanted = shelf.request(i % kFiles);
                if (i % 3 == 0) {
                    (void)(*fetcher)->directory(wanted, {});
                } else {
                    (void)(*fetcher)->tar(wanted, {});
                }
            }
        }
        base::pause_for(
                std::chrono::milliseconds(std::uniform_int_distribution<int>(5, 120)(random)));
        REQUIRE(::kill(child, SIGKILL) == 0);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
    }
    auto fetcher = open(config);
    CHECK(files(config.directory + "/tmp").empty());
    const auto kept = fetcher->figures().cache.entries;
    CHECK(kept > 0);
    std::size_t from_cache = 0;
    for (int i = 0; i < kFiles; ++i) {
        const auto got = fetcher->tar(shelf.request(i), {});
        REQUIRE(got);
        from_cache += got->from_cache ? 1U : 0U;
        REQUIRE(test::list_tar(got->file) == std::vector<std::string>{"f=" + content_of(i)});
    }
    INFO(kept << " kept, " << from_cache << " served");
    CHECK(count_files(config.directory, ".json") == fetcher->figures().cache.entries);
}
