#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/rollback.hpp"

#include <catch2/catch.hpp>

using base::Errc;
using base::Result;

namespace {

Result<int> half(int n) {
    if (n % 2 != 0) return base::fail(Errc::invalid, "{} is odd", n);
    return n / 2;
}

Result<int> quarter(int n) {
    return half(TRY(half(n)));
}

}  // namespace

TEST_CASE("TRY takes the value or returns the error") {
    CHECK(quarter(8).value() == 2);
    auto failed = quarter(6);
    REQUIRE(!failed);
    CHECK(failed.error().text == "3 is odd");
    CHECK(failed.error().kind == Errc::invalid);
    CHECK(std::string(failed.error().where.file).find("result_test.cpp") != std::string::npos);
}

TEST_CASE("context goes in front") {
    CHECK(half(3).context("halve the cake").error().text == "halve the cake: 3 is odd");
}

TEST_CASE("numbers are parsed whole or not at all") {
    CHECK(base::parse_number<std::uint16_t>("65535", "port").value() == 65535);
    CHECK(!base::parse_number<std::uint16_t>("65536", "port"));
    CHECK(!base::parse_number<std::uint32_t>("-1", "uid"));
    CHECK(!base::parse_number<std::uint32_t>("", "uid"));
    CHECK(!base::parse_number<int>("7x", "n"));
}

TEST_CASE("a rollback runs backwards unless committed") {
    std::string order;
    {
        base::Rollback undo;
        undo.add([&] { order += 'a'; });
        undo.add([&] { order += 'b'; });
    }
    CHECK(order == "ba");
    {
        base::Rollback undo;
        undo.add([&] { order += 'c'; });
        undo.commit();
    }
    CHECK(order == "ba");
}
