// Who may write, as every driver decides it.
#include "tests/unit/brain_store/drivers.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>

using namespace test;
using namespace std::chrono_literals;
using base::Errc;
using brain::store::Change;
using brain::store::Term;

TEST_CASE("nobody leads at first and the leader is known by its name") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto other = driver->open();
        CHECK_FALSE(store->leader().value().has_value());
        const std::vector<Change> changes{put("a", "1")};
        CHECK(kind(store->commit(Term{.number = 0}, changes)) == Errc::conflict);
        CHECK(kind(store->commit(Term{.number = 7}, changes)) == Errc::conflict);
        const auto term = lead(*store, "https://brain-1:8889");
        for (const auto* each : {store.get(), other.get()}) {
            const auto leader = const_cast<brain::store::Store*>(each)->leader().value();
            REQUIRE(leader.has_value());
            CHECK(leader->term == term);
            CHECK(leader->name == "https://brain-1:8889");
        }
        REQUIRE(store->keep_lead(term));
        CHECK_FALSE(other->campaign("b", 30s, 0ms).value().has_value());
        REQUIRE(store->resign(term));
        REQUIRE(store->resign(term));
        CHECK_FALSE(other->leader().value().has_value());
    }
}

TEST_CASE("an old term writes nothing") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto first = driver->open();
        const auto second = driver->open();
        const auto old = lead(*first, "first");
        commit(*first, old, {put("a", "1")});
        REQUIRE(first->resign(old));
        const std::vector<Change> changes{put("a", "old")};
        CHECK(kind(first->commit(old, changes)) == Errc::conflict);
        const auto next = lead(*second, "second");
        CHECK(next.number > old.number);
        CHECK(kind(first->commit(old, changes)) == Errc::conflict);
        CHECK(kind(first->compare_and_swap(old, "a", "1", "old")) == Errc::conflict);
        CHECK(kind(first->keep_lead(old)) == Errc::conflict);
        REQUIRE(first->resign(old));  // takes nothing from the second
        commit(*second, next, {put("b", "2")});
        CHECK(list(*second) == Records{{"a", "1"}, {"b", "2"}});
        REQUIRE(second->keep_lead(next));
    }
}

TEST_CASE("who campaigns waits until the leader resigns") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto first = driver->open();
        const auto second = driver->open();
        const auto old = lead(*first);
        auto waiting = std::async(
                std::launch::async, [&] { return second->campaign("second", 30s, 20s); });
        CHECK(waiting.wait_for(300ms) == std::future_status::timeout);
        REQUIRE(first->resign(old));
        REQUIRE(waiting.wait_for(5s) == std::future_status::ready);
        const auto term = waiting.get();
        REQUIRE(term);
        REQUIRE(term->has_value());
        CHECK((*term)->number > old.number);
    }
}

TEST_CASE("who campaigns with no patience left gets nothing") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto first = driver->open();
        const auto second = driver->open();
        lead(*first);
        const auto begin = std::chrono::steady_clock::now();
        const auto term = second->campaign("second", 30s, 300ms);
        REQUIRE(term);
        CHECK_FALSE(term->has_value());
        CHECK(std::chrono::steady_clock::now() - begin >= 300ms);
        CHECK(std::chrono::steady_clock::now() - begin < 8s);
        CHECK(kind(second->campaign(std::string(2000, 'n'), 30s, 0ms)) == Errc::invalid);
        CHECK(kind(second->campaign("second", 0s, 0ms)) == Errc::invalid);
    }
}

TEST_CASE("a leader that does not keep its lead loses it and writes nothing more") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto first = driver->open();
        const auto second = driver->open();
        const auto old = first->campaign("first", 1s, 0ms).value();
        REQUIRE(old);
        const auto begin = std::chrono::steady_clock::now();
        const auto next = second->campaign("second", 30s, 20s).value();
        REQUIRE(next);
        CHECK(std::chrono::steady_clock::now() - begin >= 900ms);
        CHECK(next->number > old->number);
        const std::vector<Change> changes{put("a", "old")};
        CHECK(kind(first->commit(*old, changes)) == Errc::conflict);
        CHECK(kind(first->keep_lead(*old)) == Errc::conflict);
        CHECK(list(*second).empty());
        CHECK(second->leader().value()->name == "second");
    }
}

TEST_CASE("a leader that keeps its lead keeps it longer than one time to live") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto first = driver->open();
        const auto second = driver->open();
        const auto term = first->campaign("first", 1s, 0ms).value();
        REQUIRE(term);
        auto waiting = std::async(
                std::launch::async, [&] { return second->campaign("second", 30s, 2500ms); });
        while (waiting.wait_for(200ms) == std::future_status::timeout)
            REQUIRE(first->keep_lead(*term));
        CHECK_FALSE(waiting.get().value().has_value());
        commit(*first, *term, {put("a", "1")});
    }
}

TEST_CASE("of eight that campaign one leads at a time and terms grow") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        std::mutex mutex;
        std::vector<std::uint64_t> terms;
        std::atomic<int> leading = 0;
        std::atomic<int> wrong = 0;
        std::vector<std::unique_ptr<brain::store::Store>> stores;
        for (int i = 0; i < 8; ++i) stores.push_back(driver->open());
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < 8; ++i)
                threads.emplace_back([&, i] {
                    auto& store = *stores[static_cast<std::size_t>(i)];
                    const auto term = store.campaign("n" + std::to_string(i), 30s, 20s);
                    if (!term || !*term) {
                        ++wrong;
                        return;
                    }
                    if (++leading != 1) ++wrong;
                    {
                        const std::lock_guard lock(mutex);
                        terms.push_back((*term)->number);
                    }
                    const std::vector<Change> own{put("k" + std::to_string(i), "x")};
                    if (!store.commit(**term, own)) ++wrong;
                    --leading;
                    if (!store.resign(**term)) ++wrong;
                });
        }
        CHECK(wrong == 0);
        CHECK(terms.size() == 8);
        CHECK(std::is_sorted(terms.begin(), terms.end()));
        CHECK(std::adjacent_find(terms.begin(), terms.end()) == terms.end());
        CHECK(list(*stores.front()).size() == 8);
    }
}
