// SC-20, SC-21: what a filter refuses in a real container is seen from outside.
#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;

namespace {

// A program that does one system call `times` over: an ELF header, a program header, 40 bytes of
// x86-64 code. No library, so that nothing else is refused.
std::string caller(std::uint32_t call, std::uint32_t times) {
    std::string code;
    const auto bytes = [&code](std::initializer_list<int> list) {
        for (const int b : list) code.push_back(static_cast<char>(b));
    };
    const auto number = [&code](std::uint32_t value) {
        for (unsigned shift = 0; shift < 32; shift += 8)
            code.push_back(static_cast<char>(value >> shift & 0xff));
    };
    bytes({0xbb});  // mov ebx, times
    number(times);
    bytes({0xb8});  // again: mov eax, call
    number(call);
    bytes({0x31, 0xff, 0x31, 0xf6, 0x31, 0xd2, 0x4d, 0x31, 0xd2});  // no arguments
    bytes({0x0f, 0x05, 0xff, 0xcb, 0x75, 0xec});                    // syscall; dec ebx; jnz again
    bytes({0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05});             // exit(0)
    std::string elf(
            "\x7f"
            "ELF\x02\x01\x01",
            7);
    elf.resize(16, '\0');
    const auto put = [&elf](std::uint64_t value, int size) {
        for (int i = 0; i < size; ++i) elf.push_back(static_cast<char>(value >> (8 * i) & 0xff));
    };
    constexpr std::uint64_t kBase = 0x400000;
    constexpr std::uint64_t kHeaders = 64 + 56;
    put(2, 2), put(62, 2), put(1, 4), put(kBase + kHeaders, 8), put(64, 8), put(0, 8);
    put(0, 4), put(64, 2), put(56, 2), put(1, 2), put(64, 2), put(0, 2), put(0, 2);
    put(1, 4), put(5, 4), put(0, 8), put(kBase, 8), put(kBase, 8);
    put(kHeaders + code.size(), 8), put(kHeaders + code.size(), 8), put(0x1000, 8);
    return elf + code;
}

void install(const EngineFixture& fixture, const std::string& name, const std::string& program) {
    const auto path = fixture.rootfs() + "/bin/" + name;
    std::ofstream(path, std::ios::binary) << program;
    std::filesystem::permissions(path, static_cast<std::filesystem::perms>(0755));
}

// The engine of the fixture is in a network namespace of the test, where the kernel is silent; who
// started the test is not.
class Fixture : public EngineFixture {
  public:
    Fixture() {
        config().host_network = "/proc/" + std::to_string(::getppid()) + "/ns/net";
        restart();
    }
};

template <class Check>
ContainerDenials until(EngineFixture& fixture, const Handle& handle, Check check) {
    for (int i = 0; i < 500; ++i) {
        auto found = fixture.engine().denials(handle).value();
        if (check(found)) return found;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return fixture.engine().denials(handle).value();
}

bool readable(EngineFixture& fixture) {
    const auto figures = fixture.engine().denial_figures();
    const bool readable = figures.available && figures.why.empty();
    if (!readable) WARN("SKIP: audit records: " + figures.why);
    return readable;
}

constexpr std::uint32_t kMount = 165;
constexpr std::uint32_t kUnshare = 272;
constexpr std::uint32_t kKexecLoad = 246;

}  // namespace

TEST_CASE("SC-20 a refused call is seen with its name, its count and who made it") {
    NEEDS(root, userns, nft);
    Fixture fixture;
    if (!readable(fixture)) return;
    install(fixture, "mount3", caller(kMount, 3));
    install(fixture, "unshare1", caller(kUnshare, 1));
    const auto handle = fixture.create("refused");
    const auto other = fixture.create("innocent");
    CHECK(fixture.run(handle, {"mount3"}).exit_code == 0);
    CHECK(fixture.run(handle, {"unshare1"}, "alice").exit_code == 0);
    CHECK(fixture.run(other, {"true"}).exit_code == 0);
    const auto found =
            until(fixture, handle, [](const auto& d) { return d.report.total >= 4; }).report;
    REQUIRE(found.calls.size() == 2);
    CHECK(found.calls[0].call == "mount");
    CHECK(found.calls[0].count == 3);
    CHECK(found.calls[0].architecture == "x86_64");
    CHECK(found.calls[0].action == "errno");
    CHECK(found.calls[0].first_ns > 0);
    CHECK(found.calls[0].last_ns >= found.calls[0].first_ns);
    CHECK(found.calls[1].call == "unshare");
    REQUIRE(found.samples.size() == 2);
    CHECK(found.samples[0].command == "mount3");
    CHECK(found.samples[0].executable == "/bin/mount3");
    CHECK(found.samples[0].uid == 0);
    CHECK(found.samples[1].uid == 1001);
    CHECK(fixture.engine().denials(other).value().report.total == 0);
    CHECK(fixture.engine().denials(Handle("nobody")).error().kind == base::Errc::not_found);

    fixture.restart();
    CHECK(fixture.run(handle, {"mount3"}).exit_code == 0);
    CHECK(until(fixture, handle, [](const auto& d) { return d.report.total >= 3; }).report.total ==
          3);
}

TEST_CASE("SC-20 a privileged container is found by the group of its process") {
    NEEDS(root, userns, nft);
    Fixture fixture;
    if (!readable(fixture)) return;
    install(fixture, "kexec", caller(kKexecLoad, 200));
    auto spec = fixture.spec("mighty");
    spec.container_class = ContainerClass::privileged;
    const auto handle = fixture.engine().create(std::move(spec), {}).value();
    // The shell waits, so that its child is reaped late; the child itself may be gone already.
    CHECK(fixture.run(handle, {"sh", "-c", "kexec; sleep 0.2"}).exit_code == 0);
    const auto before = fixture.engine().denial_figures();
    const auto found = until(fixture, handle, [&](const auto& d) {
        return d.report.total + d.host.unresolved >= 200;
    });
    // Each was either given to this container or counted as not resolved: none was guessed.
    CHECK(found.report.total + found.host.unresolved >= 200);
    if (found.report.total > 0) CHECK(found.report.calls[0].call == "kexec_load");
    CHECK(before.available);
}

TEST_CASE("SC-21 100,000 refused calls cost bounded memory and leave the engine at work") {
    NEEDS(root, userns, nft);
    Fixture fixture;
    if (!readable(fixture)) return;
    install(fixture, "flood", caller(kMount, 100'000));
    const auto handle = fixture.create("flood");
    CHECK(fixture.run(handle, {"flood"}).exit_code == 0);
    const auto begun = std::chrono::steady_clock::now();
    const auto other = fixture.create("other");
    CHECK(fixture.run(other, {"true"}).exit_code == 0);
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
    const auto found = until(fixture, handle, [](const auto& d) {
        return d.report.total + d.report.suppressed + d.host.lost >= 50'000;
    });
    const auto& report = found.report;
    INFO(report.total << " counted, " << report.suppressed << " suppressed, " << found.host.lost
                      << " lost");
    REQUIRE(report.calls.size() == 1);
    CHECK(report.calls[0].count == report.total);
    CHECK(report.total >= security::kDenialBurst);
    CHECK(report.total + report.suppressed <= 100'000);
    CHECK(report.suppressed > 0);
    CHECK(report.samples.size() == 1);
}
