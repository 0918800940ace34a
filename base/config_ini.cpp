// Configuration files in the form of Garden's own server (garden-behaviours E), so that an
// operator's file starts gardend as it is.
#include "base/config.hpp"
#include "base/fail.hpp"

#include <algorithm>

namespace base::config {

namespace {

constexpr std::string_view kBlank = " \t\r";
constexpr std::string_view kOurSections[] = {"server", "setup", "cleanup", "Application Options"};

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// `"…"` with \" and \\ inside, or the text as it is.
Result<std::string> unquoted(std::string_view text, std::string_view where) {
    if (!text.starts_with('"')) return std::string(text);
    std::string out;
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '"') {
            if (at + 1 == text.size()) return out;
            return fail(Errc::invalid, "{}: text behind the closing quote", where);
        }
        if (text[at] == '\\' && at + 1 < text.size() &&
            (text[at + 1] == '"' || text[at + 1] == '\\'))
            ++at;
        out += text[at];
    }
    return fail(Errc::invalid, "{}: the closing quote is missing", where);
}

Result<void> check_section(std::string_view line, std::string_view where) {
    const auto close = line.find(']');
    const auto name = trimmed(line.substr(1, close == std::string_view::npos ? 0 : close - 1));
    if (close == std::string_view::npos || !trimmed(line.substr(close + 1)).empty())
        return fail(Errc::invalid, "{}: expected [section]", where);
    if (std::ranges::find(kOurSections, name) == std::end(kOurSections))
        return fail(Errc::invalid, "{}: unknown section [{}]; hint: [server]", where, name);
    return ok;
}

Result<void> take_line(std::string_view line, std::string where, std::vector<Entry>& out) {
    const auto equals = std::min(line.find('='), line.size());
    const std::string key(trimmed(line.substr(0, equals)));
    if (key.empty()) return fail(Errc::invalid, "{}: expected key = value", where);
    auto value = TRY(unquoted(
            equals < line.size() ? trimmed(line.substr(equals + 1)) : std::string_view(), where));
    const auto known = std::ranges::find_if(out, [&](const Entry& e) { return e.key == key; });
    if (known != out.end()) {
        known->values.push_back(std::move(value));
        return ok;
    }
    out.push_back({.key = key, .values = {std::move(value)}, .where = std::move(where)});
    return ok;
}

}  // namespace

bool is_ini(std::string_view path) {
    return path.ends_with(".ini");
}

Result<std::vector<Entry>> read_ini_text(std::string_view text, std::string_view path) {
    std::vector<Entry> out;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        auto where = fmt::format("{} line {}", path, number);
        if (line.empty() || line.front() == ';' || line.front() == '#') continue;
        if (line.front() == '[') {
            TRY(check_section(line, where));
        } else {
            TRY(take_line(line, std::move(where), out));
        }
    }
    return out;
}

}  // namespace base::config
