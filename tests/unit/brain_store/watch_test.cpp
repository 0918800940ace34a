// What watchers are told.
#include "tests/unit/brain_store/drivers.hpp"

#include <atomic>
#include <mutex>
#include <optional>

using namespace test;
using namespace std::chrono_literals;
using base::Errc;
using brain::store::Change;

namespace {

// What one watcher was told, from any thread.
class Told {
  public:
    std::unique_ptr<brain::store::Store::Watch> watch(
            brain::store::Store& store, const std::string& prefix) {
        auto watch = store.watch(
                prefix,
                [this](const Change& change) {
                    const std::lock_guard lock(mutex_);
                    seen_.push_back(change);
                },
                [this](const base::Error& error) {
                    const std::lock_guard lock(mutex_);
                    broken_.push_back(error.text);
                });
        REQUIRE((watch ? std::string() : watch.error().text) == "");
        return std::move(watch).value();
    }

    // "k=v" and "k-" in order.
    std::vector<std::string> seen() {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> lines;
        for (const auto& change : seen_)
            lines.push_back(change.value ? change.key + "=" + *change.value : change.key + "-");
        return lines;
    }

    std::vector<std::string> broken() {
        const std::lock_guard lock(mutex_);
        return broken_;
    }

  private:
    std::mutex mutex_;
    std::vector<Change> seen_;
    std::vector<std::string> broken_;
};

}  // namespace

TEST_CASE("a watcher sees the changes of its prefix in order from its beginning on") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        commit(*store, term, {put("a/0", "before")});
        Told told;
        Told all;
        const auto watch = told.watch(*store, "a/");
        const auto everything = all.watch(*store, "");
        commit(*store, term, {put("a/1", "1"), put("b/1", "1"), put("a/2", "")});
        commit(*store, term, {drop("a/1"), put("a/2", "2")});
        CHECK(store->compare_and_swap(term, "a/2", "2", "3").value());
        CHECK_FALSE(store->compare_and_swap(term, "a/2", "2", "4").value());
        const std::vector<std::string> expected{"a/1=1", "a/2=", "a/1-", "a/2=2", "a/2=3"};
        CHECK(eventually([&] { return told.seen().size() >= expected.size(); }));
        CHECK(told.seen() == expected);
        CHECK(eventually([&] { return all.seen().size() >= expected.size() + 1; }));
        CHECK(all.seen().size() == expected.size() + 1);
        CHECK(told.broken().empty());
    }
}

TEST_CASE("a watch that ended tells nothing more") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        auto store = driver->open();
        const auto term = lead(*store);
        Told told;
        auto watch = told.watch(*store, "");
        auto later = told.watch(*store, "");
        commit(*store, term, {put("a", "1")});
        CHECK(eventually([&] { return told.seen().size() == 2; }));
        watch.reset();
        commit(*store, term, {put("a", "2")});
        CHECK(eventually([&] { return told.seen().size() == 3; }));
        later.reset();
        commit(*store, term, {put("a", "3")});
        std::this_thread::sleep_for(50ms);
        CHECK(told.seen().size() == 3);
        // A watch may outlive its store.
        auto last = told.watch(*store, "");
        store.reset();
        last.reset();
    }
}

TEST_CASE("a watcher learns what another store writes or that it missed something") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto writing = driver->open();
        const auto watching = driver->open();
        const auto term = lead(*writing);
        commit(*writing, term, {put("a", "0")});
        Told told;
        const auto watch = told.watch(*watching, "");
        commit(*writing, term, {put("a", "1")});
        commit(*writing, term, {put("a", "2")});
        if (driver->tells_of_others()) {
            CHECK(eventually([&] { return told.seen().size() == 2; }));
            CHECK(told.seen() == std::vector<std::string>{"a=1", "a=2"});
        } else {
            CHECK(eventually([&] { return !told.broken().empty(); }));
            std::this_thread::sleep_for(500ms);
            CHECK(told.broken().size() == 1);  // once, not once a change
        }
    }
}

TEST_CASE("a slow watcher stops no writer") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        std::mutex gate;
        std::atomic<int> seen = 0;
        std::unique_lock closed(gate);
        const auto watch = store->watch(
                                        "",
                                        [&](const Change&) {
                                            const std::lock_guard wait(gate);
                                            ++seen;
                                        },
                                        [](const base::Error&) {})
                                   .value();
        for (int i = 0; i < 20; ++i) commit(*store, term, {put("a", std::to_string(i))});
        CHECK(seen == 0);
        closed.unlock();
        CHECK(eventually([&] { return seen == 20; }));
    }
}
