#include "garden/server/service.hpp"

#include <catch2/catch.hpp>

using garden::server::Shares;

TEST_CASE("shares leave a worker for calls that wait for nobody, whatever the number of workers") {
    for (std::size_t workers = 16; workers <= 4096; ++workers) {
        const auto shares = Shares::of(workers);
        const auto taken = shares.creates + shares.operations + shares.file_streams + shares.pulls +
                           shares.bulk_calls + shares.queries;
        INFO(workers);
        CHECK(taken < workers);
        CHECK(shares.creates_per_source <= shares.creates);
        CHECK(shares.operations_per_container <= shares.operations);
        CHECK(shares.file_streams_per_container <= shares.file_streams);
    }
}

TEST_CASE("the shares of as many workers as they were made for are the shares themselves") {
    const auto shares = Shares::of(Shares().workers);
    CHECK(shares.creates == Shares().creates);
    CHECK(shares.operations == Shares().operations);
    CHECK(shares.pulls_per_source == Shares().pulls_per_source);
}
