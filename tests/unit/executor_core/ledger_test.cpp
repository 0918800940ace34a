#include "executor/core/ledger.hpp"

#include "executor/api/executor.hpp"

#include <catch2/catch.hpp>

using namespace executor;

namespace {

api::Container of(std::int64_t memory, std::int64_t disk) {
    api::Container container;
    container.memory_mb = memory;
    container.disk_mb = disk;
    return container;
}

}  // namespace

TEST_CASE("what is taken lowers what remains and comes back whole") {
    Ledger ledger({.memory_mb = 100, .disk_mb = 50, .containers = 2});
    REQUIRE(ledger.take(of(60, 10)));
    CHECK(ledger.remaining() == api::Resources{.memory_mb = 40, .disk_mb = 40, .containers = 1});
    ledger.give_back(of(60, 10));
    CHECK(ledger.remaining() == ledger.total());
}

TEST_CASE("a refusal names everything that is short and takes nothing") {
    Ledger ledger({.memory_mb = 100, .disk_mb = 50, .containers = 1});
    const auto refused = ledger.take(of(101, 51));
    REQUIRE_FALSE(refused);
    CHECK(api::error_name(refused.error()) == api::kInsufficientResources);
    CHECK(refused.error().text ==
          "insufficient resources available: memory_mb 101 of 100, disk_mb 51 of 50");
    CHECK(ledger.remaining() == ledger.total());
    REQUIRE(ledger.take(of(0, 0)));
    CHECK_FALSE(ledger.take(of(0, 0)));  // no container left
}

TEST_CASE("after a restart with less than was promised nothing fits until enough has ended") {
    Ledger ledger({.memory_mb = 100, .disk_mb = 100, .containers = 10});
    ledger.adopt(of(150, 10));
    CHECK(ledger.remaining().memory_mb == -50);
    CHECK_FALSE(ledger.take(of(1, 0)));
    CHECK(ledger.take(of(0, 0)));
    ledger.give_back(of(150, 10));
    CHECK(ledger.take(of(100, 0)));
}
