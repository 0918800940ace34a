#include "tests/unit/brain_store/drivers.hpp"

#include "tests/support/needs.hpp"
#include "tests/unit/brain_store/etcd_servers.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>

namespace test {

using namespace std::chrono_literals;

using brain::store::Change;
using brain::store::Store;
using brain::store::Term;

TemporaryDirectory::TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "brain-store-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
}

namespace {

class SqliteDriver final : public Driver {
  public:
    std::unique_ptr<Store> open() override {
        auto store = brain::store::open_sqlite({.path = directory_.path + "/brain.db"});
        REQUIRE((store ? std::string() : store.error().text) == "");
        return std::move(store).value();
    }

    bool tells_of_others() const override { return false; }

  private:
    TemporaryDirectory directory_;
};

// One server for all tests of the program; each has a prefix of its own.
class EtcdDriver final : public Driver {
  public:
    EtcdDriver() {
        static EtcdServers servers;
        static int last = 0;
        config_.endpoints = servers.endpoints();
        config_.prefix = "/suite/" + std::to_string(++last) + "/";
    }

    std::unique_ptr<Store> open() override {
        auto store = brain::store::open_etcd(config_);
        REQUIRE((store ? std::string() : store.error().text) == "");
        return std::move(store).value();
    }

    bool tells_of_others() const override { return true; }

  private:
    brain::store::EtcdConfig config_;
};

}  // namespace

std::vector<std::string> drivers() {
    if (skip_unless("etcd")) return {"sqlite"};
    return {"sqlite", "etcd"};
}

std::unique_ptr<Driver> make_driver(const std::string& name) {
    if (name == "etcd") return std::make_unique<EtcdDriver>();
    return std::make_unique<SqliteDriver>();
}

Term lead(Store& store, const std::string& name) {
    auto term = store.campaign(name, 30s, 10s);
    REQUIRE((term ? std::string() : term.error().text) == "");
    REQUIRE(term->has_value());
    return **term;
}

Change put(std::string key, std::string value) {
    return {.key = std::move(key), .value = std::move(value)};
}

Change drop(std::string key) {
    return {.key = std::move(key), .value = {}};
}

void commit(Store& store, Term term, const std::vector<Change>& changes) {
    const auto done = store.commit(term, changes);
    REQUIRE((done ? std::string() : done.error().text) == "");
}

Records list(Store& store, const std::string& prefix) {
    Records records;
    const auto done = store.list(
            prefix, [&records](std::string_view key, std::string_view value) -> base::Result<void> {
                records.emplace_back(key, value);
                return base::ok;
            });
    REQUIRE((done ? std::string() : done.error().text) == "");
    return records;
}

}  // namespace test
