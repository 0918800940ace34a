// The drivers that one suite runs against, each with data of its own. Used by the tests of
// brain/store.
#pragma once

#include "brain/store/store.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace test {

class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    std::string path;
};

class Driver {
  public:
    virtual ~Driver() = default;
    // One more brain on the same data.
    virtual std::unique_ptr<brain::store::Store> open() = 0;
    // Watchers are told what other stores wrote; else that they missed something.
    virtual bool tells_of_others() const = 0;
};

// The drivers this machine can run; a missing one is told as skipped.
std::vector<std::string> drivers();
std::unique_ptr<Driver> make_driver(const std::string& name);

// Leads, for long.
brain::store::Term lead(brain::store::Store& store, const std::string& name = "a");
// What a driver says of changes one by one, put and all of it.
brain::store::Change put(std::string key, std::string value);
brain::store::Change drop(std::string key);
void commit(
        brain::store::Store& store,
        brain::store::Term term,
        const std::vector<brain::store::Change>& changes);

using Records = std::vector<std::pair<std::string, std::string>>;
Records list(brain::store::Store& store, const std::string& prefix = "");

// Of a failed result; a good one fails the test.
template <class T>
base::Errc kind(const base::Result<T>& result) {
    REQUIRE_FALSE(result.has_value());
    return result.error().kind;
}

// Waits for what another thread does.
template <class Condition>
bool eventually(
        Condition condition, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

}  // namespace test
