#include "garden/plan/validate.hpp"

#include <functional>

#include <catch2/catch.hpp>

using namespace garden;

namespace {

std::string error_of(const std::function<void(ContainerSpec&)>& change) {
    ContainerSpec spec;
    spec.handle = Handle("web-1");
    change(spec);
    const auto checked = plan::check_container_spec(spec);
    return checked ? "accepted" : checked.error().text;
}

std::string process_error_of(const std::function<void(ProcessSpec&)>& change) {
    ProcessSpec spec;
    spec.path = "/bin/true";
    change(spec);
    const auto checked = plan::check_process_spec(spec);
    return checked ? "accepted" : checked.error().text;
}

}  // namespace

TEST_CASE("handles that are safe as directory and cgroup names are accepted") {
    for (const char* handle : {"a", "web-1", "check-3f0c", "A.b_c:d@e~f+g", "0"}) {
        CHECK(error_of([&](auto& spec) { spec.handle = Handle(handle); }) == "accepted");
    }
}

TEST_CASE("handles that could leave their directory are refused") {
    for (const char* handle : {".", "..", "a/b", "-x", ".hidden", "a b", "a\nb", "\xc3\xa4"}) {
        CHECK(error_of([&](auto& spec) {
                  spec.handle = Handle(handle);
              }).starts_with("handle: \""));
    }
    CHECK(error_of([](auto& spec) { spec.handle = Handle(""); }) == "handle: must not be empty");
    CHECK(error_of([](auto& spec) { spec.handle = Handle(std::string(201, 'a')); }) ==
          "handle: 201 bytes, at most 200 are allowed");
}

TEST_CASE("bind mounts must be absolute, without dots, and not over the engine's own places") {
    const auto with = [](std::string source, std::string destination) {
        return error_of([&](auto& spec) {
            spec.bind_mounts.push_back(
                    {.source = source,
                     .destination = destination,
                     .writable = false,
                     .origin_container = false});
        });
    };
    CHECK(with("/srv", "/data") == "accepted");
    CHECK(with("srv", "/data") == "bind_mounts[0].src_path: \"srv\" is not an absolute path");
    CHECK(with("/srv", "/data/../etc") ==
          "bind_mounts[0].dst_path: \"/data/../etc\" contains \"..\"");
    for (const char* path :
         {"/", "/proc", "/proc/sys", "/sys", "/sys/fs/cgroup", "/dev", "//proc", "/./proc/",
          "/sys/.", "//dev//"}) {
        CHECK(with("/srv", path).ends_with("is reserved for the engine"));
    }
    CHECK(error_of([](auto& spec) { spec.bind_mounts.resize(129); }) ==
          "bind_mounts: 129 entries, at most 128 are allowed");
}

TEST_CASE("numbers outside their limits name the field, the value and the limit") {
    CHECK(error_of([](auto& spec) { spec.limits.memory_bytes = 4096; }) ==
          "limits.memory_limits.limit_in_bytes: 4096 is below the minimum of 524288");
    CHECK(error_of([](auto& spec) { spec.grace_time = std::chrono::nanoseconds(-1); }) ==
          "grace_time: -1 is negative");
    CHECK(error_of([](auto& spec) {
              for (int i = 0; i < 1025; ++i) spec.properties[std::to_string(i)] = "";
          }) == "properties: 1025 entries, at most 1024 are allowed");
}

TEST_CASE("a process needs a path, and arguments without NUL") {
    CHECK(process_error_of([](auto&) {}) == "accepted");
    CHECK(process_error_of([](auto& spec) { spec.path = ""; }) == "path: must not be empty");
    CHECK(process_error_of([](auto& spec) {
              spec.args = {"a", std::string("b\0c", 3)};
          }) == "args[1]: contains a NUL byte");
    CHECK(process_error_of([](auto& spec) { spec.id = "a/b"; }).starts_with("id: \"a/b\""));
    CHECK(process_error_of([](auto& spec) { spec.bind_mounts.resize(1); }) ==
          "Running a process with bind mounts and no image provided is not allowed");
}
