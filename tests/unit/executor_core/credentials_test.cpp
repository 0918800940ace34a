// Who has which certificate and when it is replaced; the clock is the test's.
#include "executor/core/credentials.hpp"

#include "base/sys/file.hpp"
#include "tests/unit/executor_identity/authority.hpp"

#include <fcntl.h>

#include <array>

#include <catch2/catch.hpp>

using namespace executor;
using namespace std::chrono_literals;
namespace sys = base::sys;

namespace {

struct Cell {
    explicit Cell(std::chrono::seconds validity = 24h) {
        settings = authority.settings();
        settings.validity = validity;
        open();
    }

    void open() {
        credentials.reset();
        credentials = InstanceCredentials::open(
                              settings, root(), clock,
                              [this](std::string_view guid, const std::string& text) {
                                  complaints.push_back(std::string(guid) + ": " + text);
                              })
                              .value();
    }

    std::string root() const { return authority.directory.path + "/credentials"; }

    std::string read(const std::string& guid, const std::string& file = kCertificateFile) const {
        return sys::read_host_file(root() + "/" + guid + "/" + file).value_or("");
    }

    void make(const std::string& guid) {
        REQUIRE(credentials->prepare(guid));
        credentials->name({.guid = guid, .address = "10.0.0.1"});
        REQUIRE(credentials->issue(guid));
    }

    test::Authority authority;
    IdentitySettings settings;
    base::ManualClock clock;
    std::vector<std::string> complaints;
    std::unique_ptr<InstanceCredentials> credentials;
};

std::string subject_in(const std::string& pem) {
    const auto chain = read_certificates(pem, 2).value();
    std::array<char, 256> text{};
    X509_NAME_oneline(
            X509_get_subject_name(chain.front().get()), text.data(), static_cast<int>(text.size()));
    return text.data();
}

}  // namespace

TEST_CASE("certificates name the container's address, else the host's") {
    api::Container container;
    container.guid = "g";
    container.external_ip = "192.0.2.1";
    container.info.certificate_properties.organizational_unit = {"app:a"};
    container.info.internal_routes = {{.hostname = "a.internal"}};
    CHECK(subject_of(container).address == "192.0.2.1");
    container.internal_ip_v6 = "2001:db8::1";
    CHECK(subject_of(container).address == "2001:db8::1");
    container.internal_ip = "10.0.0.1";
    const auto subject = subject_of(container);
    CHECK(subject.address == "10.0.0.1");
    CHECK(subject.organizational_units == std::vector<std::string>{"app:a"});
    CHECK(subject.internal_routes == std::vector<std::string>{"a.internal"});
}

TEST_CASE("without an authority nobody has credentials and old ones can be removed") {
    Cell cell;
    cell.make("old");
    cell.settings = {};
    cell.open();
    CHECK_FALSE(cell.credentials->enabled());
    CHECK(cell.credentials->adopt({.guid = "old"}));
    for (int i = 0; i < 2; ++i) CHECK(cell.credentials->issue_for_routes("old"));
    CHECK(cell.credentials->revoke("old"));
    CHECK(cell.credentials->remove("old"));
    CHECK(cell.read("old").empty());
}

TEST_CASE("what is due is replaced and nothing else") {
    Cell cell;
    cell.make("a");
    const auto issued = cell.clock.wall();
    cell.clock.advance(12h);
    cell.make("b");
    const auto a = cell.read("a");
    const auto b = cell.read("b");
    CHECK(cell.credentials->rotate() == issued + 23h + 30min);
    CHECK(cell.read("a") == a);
    cell.clock.advance(11h + 30min);
    CHECK(cell.credentials->rotate() == issued + 35h + 30min);
    CHECK(cell.read("a") != a);
    CHECK(cell.read("b") == b);
    CHECK(cell.complaints.empty());
}

TEST_CASE("whoever ended is not rotated any more") {
    Cell cell;
    cell.make("a");
    cell.credentials->retire("a");
    CHECK(cell.credentials->rotate() == WallTime::max());
    const auto before = cell.read("a");
    cell.clock.advance(48h);
    (void)cell.credentials->rotate();
    CHECK(cell.read("a") == before);
}

TEST_CASE("revoked credentials name nobody and stay so") {
    Cell cell;
    cell.make("a");
    CHECK(subject_in(cell.read("a")).find("CN=a") != std::string::npos);
    REQUIRE(cell.credentials->revoke("a"));
    CHECK(subject_in(cell.read("a")).find("CN=") == std::string::npos);
    // A creation that was slower than the stop.
    CHECK(cell.credentials->prepare("a"));
    CHECK(cell.credentials->issue("a"));
    cell.clock.advance(48h);
    (void)cell.credentials->rotate();
    CHECK(subject_in(cell.read("a")).find("CN=") == std::string::npos);
    CHECK(cell.credentials->remove("a"));
    CHECK(cell.credentials->remove("a"));
    // The name is free again.
    cell.make("a");
    CHECK(subject_in(cell.read("a")).find("CN=a") != std::string::npos);
}

TEST_CASE("new routes replace the second certificate alone") {
    Cell cell;
    REQUIRE(cell.credentials->prepare("a"));
    CHECK(cell.credentials->issue_for_routes("a"));
    CHECK_FALSE(cell.credentials->internal_routes("a"));
    cell.make("a");
    const auto first = cell.credentials->internal_routes("a");
    REQUIRE(first);
    const auto written = cell.read("a");
    for (const auto* route : {"x.internal", "y.internal"}) {
        cell.credentials->name({.guid = "a", .internal_routes = {route}});
        REQUIRE(cell.credentials->issue_for_routes("a"));
        const auto chain =
                read_certificates(cell.credentials->internal_routes("a")->certificate, 2).value();
        CHECK(X509_check_host(chain.front().get(), route, 0, 0, nullptr) == 1);
    }
    CHECK(cell.read("a") == written);
}

TEST_CASE("a new life keeps what is good and replaces what is not") {
    Cell cell;
    for (const auto* guid : {"good", "torn", "late"}) cell.make(guid);
    const auto good = cell.read("good");
    const auto torn = cell.read("torn");
    const auto directory = sys::open_host(cell.root() + "/torn", O_RDONLY | O_DIRECTORY).value();
    // Killed between the two files.
    sys::write_atomic_at(directory, kKeyFile, cell.read("late", kKeyFile), 0644, sys::Durable::no)
            .value();
    cell.open();
    for (const auto* guid : {"good", "torn", "without"})
        REQUIRE(cell.credentials->adopt({.guid = guid}));
    (void)cell.credentials->rotate();
    CHECK(cell.read("good") == good);
    CHECK(cell.read("torn") != torn);
    CHECK(cell.read("without").empty());  // it was made without
    cell.clock.advance(25h);
    REQUIRE(cell.credentials->adopt({.guid = "late"}));
    const auto late = cell.read("late");
    (void)cell.credentials->rotate();
    CHECK(cell.read("late") != late);
    CHECK(cell.complaints.empty());
}

TEST_CASE("an authority that was changed reaches living containers") {
    Cell cell;
    cell.make("a");
    const auto before = cell.read("a");
    const test::Authority other;
    cell.settings = other.settings();
    cell.open();
    REQUIRE(cell.credentials->adopt({.guid = "a"}));
    (void)cell.credentials->rotate();
    CHECK(cell.read("a") != before);
}

TEST_CASE("a rotation that fails is told and tried again") {
    Cell cell(1h);
    cell.make("a");
    REQUIRE(cell.credentials->prepare("bad"));
    cell.credentials->name({.guid = "no name"});
    cell.credentials->name({.guid = "a", .address = "nowhere"});
    cell.clock.advance(1h);
    CHECK(cell.credentials->rotate() == cell.clock.wall() + 1min);
    REQUIRE(cell.complaints.size() == 1);
    CHECK(cell.complaints[0].find("'nowhere' is not an IP address") != std::string::npos);
    cell.credentials->name({.guid = "a"});
    cell.clock.advance(1min);
    CHECK(cell.credentials->rotate() > cell.clock.wall());
    CHECK(cell.complaints.size() == 1);
}

TEST_CASE("directories of nobody are removed") {
    Cell cell;
    CHECK(cell.credentials->remove_others({}));  // nothing there yet
    cell.make("a");
    cell.make("b");
    REQUIRE(cell.credentials->remove_others({"a"}));
    CHECK_FALSE(cell.read("a").empty());
    CHECK(cell.read("b").empty());
}

TEST_CASE("the thread rotates by itself and ends when it is told") {
    test::Authority authority;
    auto settings = authority.settings();
    settings.validity = 1s;
    const base::SystemClock clock;
    const auto root = authority.directory.path + "/credentials";
    const auto credentials =
            InstanceCredentials::open(settings, root, clock, [](auto, const auto&) {}).value();
    credentials->start();
    REQUIRE(credentials->prepare("a"));
    credentials->name({.guid = "a"});
    REQUIRE(credentials->issue("a"));
    const auto path = root + "/a/" + kCertificateFile;
    const auto first = sys::read_host_file(path).value();
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (sys::read_host_file(path).value() == first && std::chrono::steady_clock::now() < end)
        base::pause_for(20ms);
    CHECK(sys::read_host_file(path).value() != first);
    credentials->stop();
    credentials->stop();
}
