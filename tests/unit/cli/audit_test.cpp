// The forms of an audit report: samples of each are golden files (CLOCHE_UPDATE_GOLDEN=1 writes
// them anew); audit_forms_test.py reads these files with tools that know XML, SARIF and HTML.
#include "audit_fixture.hpp"
#include "base/sys/file.hpp"
#include "cli/arguments.hpp"
#include "cli/audit_render.hpp"
#include "cli/audit_view.hpp"
#include "cli/characters.hpp"
#include "cli/human.hpp"

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include <catch2/catch.hpp>

using namespace cli;
using garden::api::AuditReport;
using garden::api::AuditSeverity;

namespace {

using Render = std::string (*)(const AuditReport&, const AuditRendering&);

struct Form {
    const char* ending;
    Render render;
};

const std::vector<Form>& forms() {
    static const std::vector<Form> all{
            {"txt", render_audit_text},
            {"json", render_audit_json},
            {"sarif", render_audit_sarif},
            {"xml", render_audit_junit},
            {"html", render_audit_html}};
    return all;
}

AuditRendering plain() {
    AuditRendering rendering;
    rendering.version = "0.1.0";
    rendering.columns = 100;
    return rendering;
}

void check_golden(const std::string& name, const std::string& text) {
    const auto path = std::string(CLOCHE_SOURCE_DIR) + "/tests/unit/cli/golden/" + name;
    if (std::getenv("CLOCHE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
    std::ostringstream expected;
    expected << std::ifstream(path).rdbuf();
    INFO(name);
    CHECK(text == expected.str());
}

// Neither a control character nor one that turns the reading direction, beyond line breaks.
void check_harmless(const std::string& text) {
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto character = first_character(rest);
        rest.remove_prefix(character.bytes.size());
        REQUIRE(character.valid);
        if (character.code != '\n') REQUIRE_FALSE(is_steering(character.code));
    }
}

std::size_t occurrences(const std::string& text, std::string_view what) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
    return count;
}

}  // namespace

TEST_CASE("each form of an audit report is as its sample") {
    for (const auto& form : forms()) {
        check_golden(
                std::string("audit.") + form.ending, form.render(fixture::audit_report(), plain()));
        check_golden(
                std::string("hostile.") + form.ending,
                form.render(fixture::hostile_report(), plain()));
    }
}

TEST_CASE("no form of an audit report lets foreign text through as it is") {
    auto failed = plain();
    failed.only_open = true;
    for (const auto& form : forms()) {
        INFO(form.ending);
        check_harmless(form.render(fixture::hostile_report(), plain()));
        check_harmless(form.render(fixture::hostile_report(), failed));
    }
    const auto html = render_audit_html(fixture::hostile_report(), plain());
    CHECK(html.find("<script") == std::string::npos);
    CHECK(occurrences(html, "</style>") == 1);
    CHECK(html.find("&lt;script&gt;") != std::string::npos);
    const auto xml = render_audit_junit(fixture::hostile_report(), plain());
    CHECK(xml.find("<script") == std::string::npos);
}

TEST_CASE("the page loads nothing and runs nothing") {
    const auto html = render_audit_html(fixture::audit_report(), plain());
    CHECK(html.find("default-src 'none'") != std::string::npos);
    for (const auto* word :
         {"<script", "<link", "<img", "<iframe", "@import", "url(",
          "src=", "http:", "https:", "javascript"}) {
        INFO(word);
        CHECK(html.find(word) == std::string::npos);
    }
    CHECK_FALSE(std::regex_search(html, std::regex("<[a-z][^>]* on[a-z]+=")));
}

TEST_CASE("JSON is the report of the daemon with the version of its form") {
    const auto report = fixture::audit_report();
    const auto text = render_audit_json(report, plain());
    CHECK(text.starts_with(R"({"schema_version":1,"version":1,)"));
    const auto back = base::json::decode<AuditReport>(text, base::json::Rest::ignore);
    REQUIRE(back);
    CHECK(base::json::encode(*back) == base::json::encode(report));
    // Escapes of JSON keep the value: only what is no UTF-8 is replaced.
    const auto hostile = base::json::decode<AuditReport>(
            render_audit_json(fixture::hostile_report(), plain()), base::json::Rest::ignore);
    REQUIRE(hostile);
    CHECK(hostile->subjects[0].name.find("\u202e\n]]>") != std::string::npos);
}

TEST_CASE("a finding is a fail of the level or worse, and all that could not be looked at") {
    const auto report = fixture::audit_report();
    CHECK(tally(report, AuditSeverity::error).findings == 4);
    CHECK(tally(report, AuditSeverity::warning).findings == 6);
    CHECK(tally(report, AuditSeverity::note).findings == 7);
    const auto sum = tally(report, AuditSeverity::warning);
    CHECK(sum.failed() == 6);
    CHECK(sum.of(AuditState::unseen) == 1);
    CHECK(sum.of(AuditState::not_applicable) == 3);
    CHECK(sum.worst() == AuditState::error);
    std::size_t checks = 0;
    for (const auto& subject : report.subjects) checks += subject.checks.size();
    CHECK(sum.total() == checks);
}

TEST_CASE("rules are kept by id and by section, and one that nobody checked is refused") {
    auto report = fixture::audit_report();
    REQUIRE(keep_rules(report, {"SC", "8.3"}));
    CHECK(tally(report, AuditSeverity::note).total() == 7);
    REQUIRE(keep_rules(report, {"SC-08"}));
    CHECK(tally(report, AuditSeverity::note).total() == 2);
    const auto unknown = keep_rules(report, {"SC-08", "SC-99"});
    REQUIRE(!unknown);
    CHECK(unknown.error().kind == base::Errc::invalid);
    CHECK(unknown.error().text.find("'SC-99'") != std::string::npos);
    CHECK(section_of("8.3").id == "FS");
    CHECK(section_of("CAP-05").title == "Capabilities");
    CHECK(section_of("XYZ-1").id == "OTHER");
}

TEST_CASE("text is wrapped to the terminal and coloured only when asked") {
    auto rendering = plain();
    rendering.columns = 60;
    std::istringstream lines(render_audit_text(fixture::audit_report(), rendering));
    std::string line;
    for (std::size_t i = 0; std::getline(lines, line); ++i)
        // The four lines of the head are as long as they are.
        if (i > 3 && !line.starts_with("container") && !line.starts_with("host")) {
            INFO(line);
            CHECK(display_width(line) <= 60);
        }
    rendering.color = true;
    CHECK(render_audit_text(fixture::audit_report(), rendering).find("\x1b[1;31m") !=
          std::string::npos);
    rendering.only_open = true;
    rendering.color = false;
    const auto open = render_audit_text(fixture::audit_report(), rendering);
    CHECK(open.find("\x1b") == std::string::npos);
    CHECK(open.find("n/a") == std::string::npos);
    CHECK(open.find("SC-08") != std::string::npos);
    CHECK(open.find("NET-02") == std::string::npos);
}

TEST_CASE("JUnit is red for what audit ends with 1 for") {
    auto rendering = plain();
    const auto report = fixture::audit_report();
    for (const auto level : {AuditSeverity::note, AuditSeverity::warning, AuditSeverity::error}) {
        rendering.level = level;
        const auto xml = render_audit_junit(report, rendering);
        CHECK(occurrences(xml, "<failure") + occurrences(xml, "<error") ==
              tally(report, level).findings);
    }
}

TEST_CASE("foreign text is spelt out without loss of what was there") {
    CHECK(visible("a\n\t\x1b[1m\x7f") == "a\\n\\t\\x1b[1m\\x7f");
    CHECK(visible("\u009b\u202e\u2028\U000e0041") == "\\u009b\\u202e\\u2028\\U000e0041");
    CHECK(visible("\xff\xe2\x82") == "\\xff\\xe2\\x82");
    CHECK(visible("\xed\xa0\x80") == "\\xed\\xa0\\x80");      // half of a UTF-16 pair
    CHECK(visible("\xf4\x90\x80\x80").starts_with("\\xf4"));  // beyond Unicode
    CHECK(visible("ünï€𝄞") == "ünï€𝄞");
    CHECK(visible("abcdef", 3) == "abc (and 3 more bytes)");
    CHECK(visible("€€", 1) == "€ (and 3 more bytes)");
    CHECK(printable("a\u202eb") == "a?b");
    CHECK(json_without_steering("\"\u202e\U000e0041\x7f\"\n") ==
          "\"\\u202e\\udb40\\udc41\\u007f\"\n");
}

TEST_CASE("audit takes a noun of its own and refuses forms and levels it does not know") {
    const auto parse = [](std::vector<std::string> words) {
        return parse_arguments(std::move(words), {});
    };
    auto parsed =
            parse({"audit", "container", "a", "b", "--format", "sarif", "-o", "f", "--rule",
                   "SC-08", "--rule", "NET", "--level", "note", "--failed", "--no-color"});
    REQUIRE(parsed);
    CHECK(parsed->arguments.global.no_color);
    const auto options = std::get<AuditOptions>(parsed->arguments.command);
    CHECK(options.target == AuditOptions::Target::containers);
    CHECK(options.handles == std::vector<std::string>{"a", "b"});
    CHECK(options.rules == std::vector<std::string>{"SC-08", "NET"});
    CHECK(options.format == "sarif");
    CHECK(options.level == "note");
    CHECK(options.failed);
    CHECK(std::get<AuditOptions>(parse({"audit", "host"}).value().arguments.command).target ==
          AuditOptions::Target::host);
    CHECK_FALSE(parse({"audit"}));
    CHECK_FALSE(parse({"audit", "container"}));
    CHECK_FALSE(parse({"audit", "all", "--format", "pdf"}));
    CHECK_FALSE(parse({"audit", "all", "--level", "bad"}));
    CHECK_FALSE(parse({"audit", "all", "--json", "--format", "html"}));
    CHECK(parse({"audit", "all", "--help"}).value().print.find("1 findings") != std::string::npos);
}
