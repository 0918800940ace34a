#include "executor/core/event_hub.hpp"

#include <thread>

#include <catch2/catch.hpp>

using namespace executor;
using namespace std::chrono_literals;

namespace {

api::Container named(const std::string& guid) {
    api::Container container;
    container.guid = guid;
    return container;
}

}  // namespace

TEST_CASE("every subscriber gets every event in order") {
    EventHub hub;
    hub.publish(api::EventKind::reserved, named("before"));
    auto first = hub.subscribe();
    auto second = hub.subscribe();
    REQUIRE((first && second));
    hub.publish(api::EventKind::reserved, named("a"));
    hub.publish(api::EventKind::complete, named("a"));
    for (auto* source : {first->get(), second->get()}) {
        const auto one = source->next(1s);
        REQUIRE(one);
        CHECK((one->kind == api::EventKind::reserved && one->container.guid == "a"));
        const auto two = source->next(1s);
        REQUIRE(two);
        CHECK(two->kind == api::EventKind::complete);
        CHECK(source->next(0ms).error().kind == base::Errc::timeout);
    }
}

TEST_CASE("who falls behind is told, the others are not held up") {
    EventHub hub;
    auto slow = hub.subscribe();
    auto quick = hub.subscribe();
    REQUIRE((slow && quick));
    for (std::size_t i = 0; i <= api::kMaxEventsBehind; ++i) {
        hub.publish(api::EventKind::running, named("x"));
        REQUIRE((*quick)->next(1s));
    }
    CHECK((*slow)->next(1s).error().kind == base::Errc::exhausted);
}

TEST_CASE("closing wakes who waits, and the number of subscribers is bounded") {
    EventHub hub;
    std::vector<std::unique_ptr<api::EventSource>> sources;
    for (std::size_t i = 0; i < EventHub::kMaxSubscribers; ++i) {
        auto source = hub.subscribe();
        REQUIRE(source);
        sources.push_back(std::move(*source));
    }
    CHECK(hub.subscribe().error().kind == base::Errc::unavailable);
    sources.pop_back();
    CHECK(hub.subscribe());
    std::thread closer([&] { hub.close(); });
    CHECK(sources[0]->next(60s).error().kind == base::Errc::cancelled);
    closer.join();
    CHECK(hub.subscribe().error().kind == base::Errc::cancelled);
}
