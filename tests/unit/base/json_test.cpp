#include "base/json.hpp"

#include "base/json_writer.hpp"

#include <catch2/catch.hpp>

using base::Errc;
using base::Result;
using base::json::decode;
using base::json::Document;
using base::json::Fields;
using base::json::Node;
using base::json::Rest;
using base::json::Unknown;
using base::json::ValueSplitter;
using base::json::Writer;

namespace sample {

struct Memory {
    std::uint64_t limit_in_bytes = 0;
};

struct Spec {
    std::string handle;
    Memory memory;
    std::vector<std::string> env;
    std::map<std::string, std::string> properties;
    std::optional<std::uint16_t> port;
    std::int64_t grace_time = 0;
};

Result<void> from_json(const Node& node, Memory& out) {
    Fields fields(node);
    fields.optional("limit_in_bytes", out.limit_in_bytes);
    return fields.finish(Unknown::ignore);
}

Result<void> from_json(const Node& node, Spec& out) {
    Fields fields(node);
    fields.required("handle", out.handle)
            .optional("memory_limits", out.memory)
            .optional("env", out.env);
    fields.optional("properties", out.properties)
            .optional("port", out.port)
            .optional("grace_time", out.grace_time);
    return fields.finish(Unknown::reject);
}

void to_json(Writer& w, const Memory& m) {
    w.begin_object().member_unless_zero("limit_in_bytes", m.limit_in_bytes).end_object();
}

}  // namespace sample

using sample::Spec;

namespace {

std::string why(std::string_view text) {
    auto result = decode<Spec>(text);
    REQUIRE(!result);
    return result.error().text;
}

}  // namespace

TEST_CASE("an object is read member by member") {
    const auto spec =
            decode<Spec>(
                    R"({"handle":"h","memory_limits":{"limit_in_bytes":18446744073709551615,"else":1},"env":["A=b"],)"
                    R"("properties":{"k":"v"},"port":null,"grace_time":-5})")
                    .value();
    CHECK(spec.handle == "h");
    CHECK(spec.memory.limit_in_bytes == UINT64_MAX);
    CHECK(spec.env == std::vector<std::string>{"A=b"});
    CHECK(spec.properties.at("k") == "v");
    CHECK(!spec.port);
    CHECK(spec.grace_time == -5);
}

TEST_CASE("an error names the path, what was expected and what came") {
    CHECK(why(R"({"handle":"h","memory_limits":{"limit_in_bytes":"x"}})") ==
          R"(memory_limits.limit_in_bytes: expected an unsigned integer, got "x")");
    CHECK(why(R"({"handle":"h","env":["a",7]})") == "env[1]: expected a string, got 7");
    CHECK(why(R"({"handle":"h","env":{}})") == "env: expected an array, got an object");
    CHECK(why(R"({"handle":"h","properties":{"a":true}})") ==
          "properties.a: expected a string, got true");
    CHECK(why(R"({})") == "handle: missing");
    CHECK(why(R"({"handle":null})") == "handle: missing");
    CHECK(why(R"({"handle":"h","hnadle":1})") == "hnadle: unknown member");
    CHECK(why("[]") == "expected an object, got an array");
}

TEST_CASE("integers are exact or refused") {
    CHECK(why(R"({"handle":"h","port":1.0})") == "port: expected an unsigned integer, got 1.0");
    CHECK(why(R"({"handle":"h","port":1e3})") == "port: expected an unsigned integer, got 1000.0");
    CHECK(why(R"({"handle":"h","port":-1})") == "port: expected an unsigned integer, got -1");
    CHECK(why(R"({"handle":"h","port":65536})") == "port: 65536 is larger than the limit 65535");
    CHECK(why(R"({"handle":"h","grace_time":9223372036854775808})") ==
          "grace_time: 9223372036854775808 is larger than the limit 9223372036854775807");
    CHECK(!decode<Spec>(
            R"({"handle":"h","memory_limits":{"limit_in_bytes":18446744073709551616}})"));
    CHECK(decode<std::int64_t>("-9223372036854775808").value() == INT64_MIN);
}

TEST_CASE("bad text says where") {
    CHECK(why("{\n  \"handle\": x}").find("line 2 column") != std::string::npos);
    CHECK(why("{\"handle\": \"h").find("unexpected end") != std::string::npos);
    CHECK(why("") == "EOF");
    CHECK(why("  \n") == "EOF");
    CHECK(!decode<double>("1e999"));
}

TEST_CASE("what follows the first value is refused, or ignored when asked") {
    CHECK(!decode<std::uint64_t>("1 2"));
    CHECK(decode<std::uint64_t>("3000000000\ngarbage{", Rest::ignore).value() == 3000000000);
    CHECK(decode<Spec>("{\"handle\":\"a}\\\"\"}\n{", Rest::ignore).value().handle == "a}\"");
    CHECK(decode<std::string>("\"x\"y", Rest::ignore).value() == "x");
    CHECK(!decode<Spec>("}", Rest::ignore));
}

TEST_CASE("depth and size have limits") {
    const std::string deep = std::string(65, '[') + std::string(65, ']');
    auto parsed = Document::parse(deep);
    REQUIRE(!parsed);
    CHECK(parsed.error().kind == Errc::exhausted);
    CHECK(Document::parse(std::string(64, '[') + std::string(64, ']')));
    CHECK(Document::parse(R"("[[[[")", {.bytes = 100, .depth = 1}));
    CHECK(!Document::parse(std::string(101, ' '), {.bytes = 100, .depth = 1}));
    CHECK(!Document::parse(std::string(1 << 20, '[')));
}

TEST_CASE("a stream of values is cut at any byte") {
    const std::string stream = "{\"a\":\"}\\\"{\"}\n{}[1,[2]] 7 \"x\"true\n";
    const std::vector<std::string> expected = {
            "{\"a\":\"}\\\"{\"}", "{}", "[1,[2]]", "7", "\"x\"", "true"};
    for (std::size_t step = 1; step <= stream.size(); ++step) {
        ValueSplitter splitter(64);
        std::vector<std::string> got;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            REQUIRE(splitter.feed(std::string_view(stream).substr(at, step)));
            while (auto value = splitter.next()) got.push_back(*value);
        }
        CHECK(got == expected);
    }
}

TEST_CASE("a value of a stream that grows over the limit ends it") {
    ValueSplitter splitter(16);
    CHECK(splitter.feed("{\"a\":1}{\"b\":2}{\"c\":3}{\"d\":4}"));  // many small ones are fine
    int count = 0;
    while (splitter.next()) ++count;
    CHECK(count == 4);
    auto fed = splitter.feed("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    REQUIRE(!fed);
    CHECK(fed.error().kind == Errc::exhausted);
}

TEST_CASE("the writer keeps order, exact integers and valid UTF-8") {
    Writer w;
    w.begin_object();
    w.member("z", std::uint64_t{UINT64_MAX})
            .member("a", -1)
            .member("s", "q\"\\\n\x01\xC3\xA4\xFF\xC0\x80");
    w.member("list", std::vector<std::string>{"x", "y"})
            .member("map", std::map<std::string, int>{{"k", 1}});
    w.member("none", std::optional<int>{}).member("m", sample::Memory{}).key("n").null();
    w.member_unless_zero("empty", std::string())
            .member_unless_zero("zero", 0)
            .member_unless_zero("one", true);
    w.end_object();
    CHECK(w.text() ==
          R"({"z":18446744073709551615,"a":-1,"s":"q\"\\\n\u0001ä)"
          "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
          R"(","list":["x","y"],"map":{"k":1},"none":null,"m":{},"n":null,"one":true})");
    CHECK(base::json::encode(std::vector<sample::Memory>{{.limit_in_bytes = 2}, {}}) ==
          R"([{"limit_in_bytes":2},{}])");
    CHECK(Document::parse(w.text()));
}
