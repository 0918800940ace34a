#include "executor/core/store.hpp"

#include "base/sys/file.hpp"

#include <fcntl.h>

#include <array>

#include <catch2/catch.hpp>
#include <stdlib.h>

using namespace executor;
namespace sys = base::sys;

namespace {

struct Directory {
    Directory() {
        std::array<char, 64> name{"/tmp/cloche-store-XXXXXX"};
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name.data();
    }

    ~Directory() {
        const auto parent = sys::open_host("/tmp", O_RDONLY | O_DIRECTORY);
        if (parent) (void)sys::remove_tree_at(*parent, path.substr(5).c_str());
    }

    std::string path;
};

Store open(const Directory& directory) {
    auto store = Store::open(directory.path);
    REQUIRE(store);
    return std::move(*store);
}

Record sample(const std::string& guid) {
    Record record;
    record.container.guid = guid;
    record.container.state = api::State::running;
    record.container.memory_mb = 7;
    record.stop = true;
    record.dependencies = {"/cache/x.d"};
    return record;
}

void write(const std::string& path, std::string_view text) {
    const auto file = sys::open_host(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(file);
    REQUIRE(sys::write_all(*file, text));
}

}  // namespace

TEST_CASE("records come back as they were written") {
    const Directory directory;
    {
        auto store = open(directory);
        REQUIRE(store.save(sample("a")));
        REQUIRE(store.save(sample("b")));
        REQUIRE(store.erase("b"));
    }
    const auto loaded = open(directory).load();
    REQUIRE(loaded);
    REQUIRE(loaded->records.size() == 1);
    CHECK(loaded->records[0].container == sample("a").container);
    CHECK(loaded->records[0].stop);
    CHECK(loaded->records[0].dependencies == sample("a").dependencies);
    CHECK(loaded->damaged.empty());
}

TEST_CASE("a damaged record is set aside and the others load") {
    const Directory directory;
    auto store = open(directory);
    REQUIRE(store.save(sample("good")));
    REQUIRE(store.save(sample("bad")));
    write(directory.path + "/containers/bad/record", "{\"container\":");
    auto loaded = store.load();
    REQUIRE(loaded);
    CHECK(loaded->records.size() == 1);
    REQUIRE(loaded->damaged.size() == 1);
    CHECK(loaded->damaged[0].guid == "bad");
    CHECK(sys::read_host_file((directory.path + "/containers/.damaged/bad/record").c_str()));
    loaded = store.load();
    REQUIRE(loaded);
    CHECK(loaded->damaged.empty());
}

TEST_CASE("a directory without its first record was promised to nobody") {
    const Directory directory;
    auto store = open(directory);
    REQUIRE(sys::ensure_directory(directory.path + "/containers/half", 0700));
    const auto loaded = store.load();
    REQUIRE(loaded);
    CHECK((loaded->records.empty() && loaded->damaged.empty()));
    CHECK_FALSE(sys::open_host((directory.path + "/containers/half").c_str(), O_RDONLY));
}

TEST_CASE("a journal remembers begins and ends over a life") {
    const Directory directory;
    auto store = open(directory);
    REQUIRE(store.save(sample("a")));
    std::optional<std::chrono::system_clock::time_point> first;
    {
        auto journal = store.journal("a", {});
        REQUIRE(journal);
        CHECK_FALSE((*journal)->begun("run"));
        (*journal)->begin("run");
        first = (*journal)->begun("run");
        (*journal)->begin("run");
        (*journal)->finish("setup", Outcome::failed("a \"quoted\"\nreason"));
    }
    auto journal = store.journal("a", {});
    REQUIRE(journal);
    CHECK((*journal)->begun("run") == first);
    CHECK_FALSE((*journal)->finished("run"));
    CHECK((*journal)->finished("setup") == Outcome::failed("a \"quoted\"\nreason"));
}

TEST_CASE("a torn last line counts as not written, wherever it is torn") {
    const Directory directory;
    auto store = open(directory);
    REQUIRE(store.save(sample("a")));
    const auto file = directory.path + "/containers/a/journal";
    {
        auto journal = store.journal("a", {});
        REQUIRE(journal);
        (*journal)->finish("one", Outcome::success());
        (*journal)->finish("two", Outcome::cancelled());
    }
    const auto whole = sys::read_host_file(file.c_str());
    REQUIRE(whole);
    const auto first = whole->find('\n') + 1;
    for (std::size_t cut = first; cut < whole->size(); ++cut) {
        write(file, whole->substr(0, cut));
        {
            auto journal = store.journal("a", {});
            REQUIRE(journal);
            CHECK((*journal)->finished("one"));
            CHECK_FALSE((*journal)->finished("two"));
            (*journal)->finish("three", Outcome::success());
        }
        auto again = store.journal("a", {});
        REQUIRE(again);
        CHECK((*again)->finished("three"));
    }
}

TEST_CASE("a journal stays within its bound") {
    const Directory directory;
    auto store = open(directory);
    REQUIRE(store.save(sample("a")));
    auto journal = store.journal("a", [](const base::Error& error) { FAIL(error.text); });
    REQUIRE(journal);
    for (int i = 0; i < 20'000; ++i)
        (*journal)->finish("probe", Outcome::failed(std::string(100, 'x') + std::to_string(i)));
    const auto text =
            sys::read_host_file((directory.path + "/containers/a/journal").c_str(), 8U << 20U);
    REQUIRE(text);
    CHECK(text->size() <= kMaxJournalBytes + 200);
    auto again = store.journal("a", {});
    REQUIRE(again);
    CHECK((*again)->finished("probe")->message.ends_with("19999"));
}
