#include "garden/engine/image_plugin.hpp"

#include "tests/unit/engine/plugin_script.hpp"

#include <catch2/catch.hpp>

using garden::Handle;
using garden::ImagePlugin;
using test::PluginScript;

namespace {

ImagePlugin plugin_of(const PluginScript& script) {
    return ImagePlugin({.unprivileged = {.path = script.path(), .arguments = {"--store", "s"}}});
}

}  // namespace

TEST_CASE("an image plugin is told limits and credentials, and answers a root, env and mounts") {
    const PluginScript script(
            R"({"ociVersion":"1.0","root":{"path":"/store/h/rootfs"},"process":{"env":["A=b"]},)"
            R"("mounts":[{"destination":"/x","type":"bind","source":"/y","options":["bind","ro"]}]})");
    const auto made = plugin_of(script)
                              .create(
                                      {.handle = Handle("h"),
                                       .image =
                                               {.uri = "docker://reg/app#1",
                                                .username = "u",
                                                .password = "p"},
                                       .disk_bytes = 7,
                                       .disk_scope = garden::DiskScope::exclusive})
                              .value();
    CHECK(made.root == "/store/h/rootfs");
    CHECK(made.env == std::vector<std::string>{"A=b"});
    REQUIRE(made.mounts.size() == 1);
    CHECK(made.mounts[0].destination == "/x");
    CHECK_FALSE(made.mounts[0].writable);
    CHECK(script.calls() ==
          "--store s create --disk-limit-size-bytes 7 --exclude-image-from-quota --username u "
          "--password p docker://reg/app:1 h\n\n");
}

TEST_CASE("an image plugin's figures are read, and it deletes") {
    const PluginScript script(
            R"({"disk_usage":{"total_bytes_used":9,"exclusive_bytes_used":4},"capacity":11})");
    const auto plugin = plugin_of(script);
    const auto usage = plugin.usage(Handle("h"), false).value();
    CHECK(usage.total_bytes == 9);
    CHECK(usage.exclusive_bytes == 4);
    CHECK(plugin.capacity().value() == 11);
    CHECK(plugin.destroy(Handle("h")));
    CHECK(script.calls() == "--store s stats h\n\n--store s capacity\n\n--store s delete h\n\n");
}

TEST_CASE("an image plugin for privileged containers is another program, and both delete") {
    const PluginScript one(R"({"root":{"path":"/one"}})");
    const PluginScript other(R"({"root":{"path":"/other"}})");
    const ImagePlugin plugin(
            {.unprivileged = {.path = one.path()}, .privileged = {.path = other.path()}});
    const ImagePlugin::Request request{.handle = Handle("h"), .image = {.uri = "/r"}};
    CHECK(plugin.create(request).value().root == "/one");
    auto privileged = request;
    privileged.privileged = true;
    CHECK(plugin.create(privileged).value().root == "/other");
    CHECK(plugin.destroy(Handle("h")));
    CHECK(one.calls().ends_with("delete h\n\n"));
    CHECK(other.calls().ends_with("delete h\n\n"));
}

TEST_CASE("an image plugin that fails or answers nonsense is an error that says why") {
    const PluginScript failing("", 1);
    const auto failed = plugin_of(failing).create({.handle = Handle("h"), .image = {.uri = "/r"}});
    REQUIRE_FALSE(failed);
    CHECK(failed.error().text == "image plugin: create: exit status 1: reason\n");
    for (const char* text :
         {"", "[]", "{}", R"({"root":{"path":"relative"}})", R"({"root":{}})",
          R"({"root":{"path":"/r"},"mounts":[{"destination":"/","type":"overlay"}]})",
          R"({"root":{"path":"/r"},"mounts":[{"destination":"/x","type":"bind","source":"y"}]})"}) {
        CAPTURE(text);
        CHECK_FALSE(garden::parse_made(text));
    }
}
