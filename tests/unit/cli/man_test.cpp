// The manual page and --help say the same: every flag of the one is in the other.
#include "base/sys/file.hpp"
#include "cli/arguments.hpp"

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace cli;

namespace {

using Words = std::vector<std::string>;

std::string help_of(Words command) {
    command.push_back("--help");
    auto parsed = parse_arguments(std::move(command), {});
    if (!parsed) FAIL(parsed.error().text);
    return std::move(parsed).value().print;
}

std::set<std::string> matches(const std::string& text, const std::regex& pattern) {
    std::set<std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at)
        found.insert((*at)[1].str());
    return found;
}

// Only lines that describe an option: the flags that descriptions mention do not count.
std::set<std::string> flags_in_help(const std::string& help) {
    std::set<std::string> flags;
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("  -")) continue;
        const auto head = line.substr(2, line.find_first_of(" \t", 2) - 2);
        flags.merge(matches(head, std::regex("(--[a-z-]+)")));
    }
    return flags;
}

// The page without its escapes of '-', a command's section or all.
std::string manual() {
    auto page = base::sys::read_host_file(CLOCHE_SOURCE_DIR "/docs/man/cloche.1").value();
    return std::regex_replace(page, std::regex(R"(\\-)"), "-");
}

const std::vector<Words>& commands() {
    static const std::vector<Words> all{
            {"run"},
            {"exec"},
            {"attach"},
            {"logs"},
            {"ps"},
            {"stats"},
            {"cp"},
            {"container", "create"},
            {"container", "plan"},
            {"container", "list"},
            {"container", "inspect"},
            {"container", "destroy"},
            {"container", "denials"},
            {"container", "connections"},
            {"container", "explain-eperm"},
            {"image", "pull"},
            {"image", "list"},
            {"image", "inspect"},
            {"image", "remove"},
            {"image", "prune"},
            {"image", "verify"},
            {"audit", "container"},
            {"audit", "all"},
            {"audit", "host"},
            {"audit", "log", "verify"},
            {"audit", "log", "show"},
            {"doctor"},
            {"features"},
            {"cell", "state"},
            {"cell", "containers"},
            {"cell", "logs"},
            {"cell", "evacuate"},
            {"task", "run"}};
    return all;
}

// The words that a help lists under "Subcommands:".
std::set<std::string> subcommands(const std::string& help) {
    const auto begin = help.find("Subcommands:");
    REQUIRE(begin != std::string::npos);
    return matches(help.substr(begin), std::regex("\n  ([a-z-]+)[ ,]"));
}

}  // namespace

TEST_CASE("every flag of every command's help is in the manual page") {
    const auto page = manual();
    auto all = commands();
    all.push_back({});
    std::size_t seen = 0;
    for (const auto& command : all) {
        for (const auto& flag : flags_in_help(help_of(command))) {
            INFO(flag << " of cloche " << (command.empty() ? "" : command.back()));
            CHECK(page.find(flag) != std::string::npos);
            ++seen;
        }
    }
    CHECK(seen > 50);
}

TEST_CASE("every flag that the manual page explains exists") {
    std::set<std::string> known;
    for (const auto& command : commands()) known.merge(flags_in_help(help_of(command)));
    known.merge(flags_in_help(help_of({})));
    const auto explained = matches(manual(), std::regex("\n\\.(?:B|BR) [^\n]*?(--[a-z-]+)"));
    CHECK(explained.size() > 30);
    for (const auto& flag : explained) {
        INFO(flag);
        CHECK(known.contains(flag));
    }
}

TEST_CASE("every command has its section in the manual page") {
    const auto page = manual();
    for (const auto& command : commands()) {
        std::string heading = ".SS cloche";
        for (const auto& word : command) heading += " " + word;
        INFO(heading);
        CHECK(page.find(heading) != std::string::npos);
    }
}

TEST_CASE("the list of commands above is complete") {
    // Below each word that has more words behind it.
    std::map<std::vector<std::string>, std::set<std::string>> below;
    for (const auto& command : commands()) {
        for (std::size_t length = 0; length < command.size(); ++length) {
            const auto end = command.begin() + static_cast<std::ptrdiff_t>(length);
            below[std::vector(command.begin(), end)].insert(command[length]);
        }
    }
    for (const auto& [words, listed] : below) CHECK(subcommands(help_of(words)) == listed);
}
