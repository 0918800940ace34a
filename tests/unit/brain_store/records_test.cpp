// What every driver does with records.
#include "tests/unit/brain_store/drivers.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

using namespace test;
using namespace std::chrono_literals;
using base::Errc;
using brain::store::Change;
using brain::store::Term;

namespace {

std::string numbered(const std::string& name, int number) {
    auto digits = std::to_string(number);
    return name + std::string(6 - std::min<std::size_t>(6, digits.size()), '0') + digits;
}

}  // namespace

TEST_CASE("what was committed is read and replaced and removed") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        commit(*store, term, {put("a", "1"), put("b", ""), put("c", std::string("\0\xff", 2))});
        CHECK(store->get("a").value() == "1");
        CHECK(store->get("b").value() == "");
        CHECK(store->get("c").value() == std::string("\0\xff", 2));
        CHECK_FALSE(store->get("d").value().has_value());
        commit(*store, term, {put("a", "2"), drop("b"), drop("never"), put("a", "3")});
        CHECK(store->get("a").value() == "3");
        CHECK_FALSE(store->get("b").value().has_value());
        commit(*store, term, {put("e", "x"), drop("e"), drop("a"), put("a", "4")});
        CHECK(list(*store) == Records{{"a", "4"}, {"c", std::string("\0\xff", 2)}});
        commit(*store, term, {});
    }
}

TEST_CASE("a store that is opened again has everything") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        Term first;
        {
            const auto store = driver->open();
            first = lead(*store);
            commit(*store, first, {put("a", "1")});
            REQUIRE(store->resign(first));
        }
        const auto store = driver->open();
        CHECK(store->get("a").value() == "1");
        CHECK(lead(*store).number > first.number);
    }
}

TEST_CASE("a list is one prefix in the order of bytes") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        // Every byte, first and second; and what SQL and shells take for patterns.
        std::vector<Change> changes;
        Records all;
        for (int byte = 0; byte < 256; ++byte)
            for (const auto* before : {"", "p", "\xff"})
                all.emplace_back(before + std::string(1, static_cast<char>(byte)), "v");
        for (const auto* pattern : {"a%b", "axb", "a_b", "a*b", "a?b", "[a]b", "a'b", "a\\b"})
            all.emplace_back(pattern, "v");
        std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
            return a.first < b.first;  // char_traits compares bytes as unsigned
        });
        all.erase(std::unique(all.begin(), all.end()), all.end());
        for (const auto& [key, value] : all) changes.push_back(put(key, value));
        commit(*store, term, changes);
        CHECK(list(*store) == all);
        for (const std::string prefix :
             {"p", "a%", "a_", "a*", "[a]", "a'", "a\\", "\xff", "\xff\xff", "none"}) {
            Records expected;
            for (const auto& record : all)
                if (record.first.starts_with(prefix)) expected.push_back(record);
            CHECK(list(*store, prefix) == expected);
        }
        CHECK(list(*store, std::string(1, '\0')) == Records{{std::string(1, '\0'), "v"}});
        CHECK(store->get("a%b").value() == "v");
        CHECK_FALSE(store->get("a%").value().has_value());
    }
}

TEST_CASE("limits of keys and values are told and nothing is changed") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        const std::string longest(brain::store::kMaxKey, 'k');
        const std::string biggest(brain::store::kMaxValue, '\xfe');
        commit(*store, term, {put(longest, biggest), put("second", biggest)});
        CHECK(store->get(longest).value() == biggest);
        CHECK(list(*store, "k").size() == 1);
        for (const auto& wrong :
             {put("", "x"), put(longest + "k", "x"), put("v", biggest + "x"), drop("")}) {
            const std::vector<Change> changes{put("good", "x"), wrong};
            CHECK(kind(store->commit(term, changes)) == Errc::invalid);
            CHECK_FALSE(store->get("good").value().has_value());
        }
        CHECK(kind(store->get("")) == Errc::invalid);
        CHECK(kind(store->compare_and_swap(term, longest + "k", {}, "x")) == Errc::invalid);
        const std::vector<Change> over{put(longest + "k", "x")};
        const auto text = store->commit(term, over).error().text;
        CHECK(text.find("513 bytes, at most 512") != std::string::npos);
    }
}

TEST_CASE("a record is swapped only when it is what was expected") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        CHECK_FALSE(store->compare_and_swap(term, "a", "0", "1").value());
        CHECK(store->compare_and_swap(term, "a", {}, "1").value());
        CHECK_FALSE(store->compare_and_swap(term, "a", {}, "2").value());
        CHECK(store->compare_and_swap(term, "a", "1", "2").value());
        CHECK(store->compare_and_swap(term, "a", "2", "").value());
        CHECK(store->compare_and_swap(term, "a", "", "3").value());
        CHECK(store->compare_and_swap(term, "a", "3", {}).value());
        CHECK_FALSE(store->get("a").value().has_value());
        CHECK(store->compare_and_swap(term, "a", {}, {}).value());
    }
}

TEST_CASE("of eight threads that swap one record each step is won once") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        constexpr int kSteps = 5;
        std::atomic<int> wins = 0;
        std::atomic<int> failures = 0;
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < 8; ++i)
                threads.emplace_back([&] {
                    for (int won = 0; won < kSteps;) {
                        const auto before = store->get("n");
                        if (!before) {
                            ++failures;
                            return;
                        }
                        const int number = *before ? std::stoi(**before) : 0;
                        const auto swapped = store->compare_and_swap(
                                term, "n", *before, std::to_string(number + 1));
                        if (!swapped) {
                            ++failures;
                            return;
                        }
                        if (!*swapped) continue;
                        ++won;
                        ++wins;
                    }
                });
        }
        CHECK(failures == 0);
        CHECK(wins == 8 * kSteps);
        CHECK(store->get("n").value() == std::to_string(8 * kSteps));
    }
}

TEST_CASE("a big commit is there in its order and threads commit beside each other") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        std::vector<Change> changes;
        for (int i = 0; i < 1000; ++i) changes.push_back(put(numbered("big", i), "x"));
        for (int i = 0; i < 500; ++i) changes.push_back(drop(numbered("big", i)));
        commit(*store, term, changes);
        CHECK(list(*store, "big").size() == 500);
        CHECK(list(*store, "big").front().first == numbered("big", 500));
        std::atomic<int> failures = 0;
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < 8; ++i)
                threads.emplace_back([&, i] {
                    for (int k = 0; k < 10; ++k) {
                        const std::vector<Change> own{
                                put(numbered("t" + std::to_string(i), k), "x")};
                        if (!store->commit(term, own)) ++failures;
                    }
                });
        }
        CHECK(failures == 0);
        CHECK(list(*store, "t").size() == 80);
    }
}

TEST_CASE("a list is of one moment while others write") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto reading = driver->open();
        const auto term = lead(*store);
        // Values big enough that a driver which reads in pieces needs several.
        const std::string rest(20'000, 'r');
        const auto write = [&](int round) {
            std::vector<Change> changes;
            for (int i = 0; i < 40; ++i)
                changes.push_back(put(numbered("r", i), numbered("", round) + rest));
            return store->commit(term, changes).has_value();
        };
        REQUIRE(write(0));
        std::atomic<int> failures = 0;
        std::atomic<int> rounds = 0;
        std::jthread writer([&](const std::stop_token& stop) {
            for (int round = 1; !stop.stop_requested(); ++round, ++rounds)
                if (!write(round)) ++failures;
        });
        int distinct = 0;
        std::string last;
        for (int i = 0; i < 1000 && (i < 10 || distinct < 3); ++i) {
            const auto records = list(*reading, "r");
            REQUIRE(records.size() == 40);
            for (const auto& [key, value] : records)
                REQUIRE(value.substr(0, 6) == records.front().second.substr(0, 6));
            if (last != records.front().second.substr(0, 6)) ++distinct;
            last = records.front().second.substr(0, 6);
        }
        writer.request_stop();
        writer.join();
        CHECK(failures == 0);
        CHECK(distinct >= 3);
    }
}

TEST_CASE("a visitor that fails ends the list with its own reason") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        commit(*store, term, {put("a", "1"), put("b", "2"), put("c", "3")});
        int visits = 0;
        const auto done = store->list("", [&](std::string_view, std::string_view) {
            ++visits;
            return visits < 2 ? base::Result<void>()
                              : base::Error{.kind = Errc::cancelled, .text = "enough"};
        });
        CHECK(kind(done) == Errc::cancelled);
        CHECK(done.error().text == "enough");
        CHECK(visits == 2);
        // A visitor may ask the store.
        CHECK(store->list("", [&](std::string_view key, std::string_view) -> base::Result<void> {
                       TRY(store->get(key));
                       return base::ok;
                   }).has_value());
    }
}

TEST_CASE("a healthy store says how much it has and verifies without a finding") {
    for (const auto& name : drivers()) {
        INFO(name);
        const auto driver = make_driver(name);
        const auto store = driver->open();
        const auto term = lead(*store);
        commit(*store, term, {put("a", "1"), put("b", "2")});
        const auto health = store->health();
        CHECK(health.reachable);
        CHECK(health.records == 2);
        CHECK(health.bytes > 0);
        CHECK_FALSE(health.text.empty());
        const auto findings = store->verify();
        REQUIRE(findings);
        CHECK(findings->empty());
    }
}
