// Configuration files as flat lists of key and value. TOML by toml++, JSON by base/json.
#include "base/config.hpp"
#include "base/fail.hpp"
#include "base/json.hpp"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace base::config {

namespace {

constexpr int kMaxDepth = 8;

std::string joined(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

std::string line_of(std::string_view path, const toml::node& node) {
    return fmt::format("{} line {}", path, node.source().begin.line);
}

Result<std::string> scalar(const toml::node& node, const std::string& key, std::string_view path) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
    if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
    return fail(
            Errc::invalid, "{}: {}: expected a text, number, boolean or list", line_of(path, node),
            key);
}

Result<void> flatten(
        const toml::table& table,
        const std::string& prefix,
        std::string_view path,
        int depth,
        std::vector<Entry>& out) {
    if (depth > kMaxDepth)
        return fail(Errc::invalid, "{}: {}: tables are nested too deep", path, prefix);
    for (const auto& [name, node] : table) {
        const auto key = joined(prefix, name.str());
        if (const auto* inner = node.as_table()) {
            TRY(flatten(*inner, key, path, depth + 1, out));
            continue;
        }
        Entry entry{.key = key, .values = {}, .where = line_of(path, node)};
        if (const auto* list = node.as_array()) {
            for (const auto& element : *list)
                entry.values.push_back(TRY(scalar(element, key, path)));
        } else {
            entry.values.push_back(TRY(scalar(node, key, path)));
        }
        out.push_back(std::move(entry));
    }
    return ok;
}

Result<std::string> scalar(const json::Node& node) {
    if (node.is_string()) return node.string();
    if (node.is_object() || node.is_array() || node.is_null())
        return node.wrong("a text, number or boolean");
    return node.dump();
}

Result<void> flatten(const json::Node& node, std::string_view path, std::vector<Entry>& out) {
    for (const auto& [name, member] : TRY(node.members())) {
        if (member.is_object()) {
            TRY(flatten(member, path, out));
            continue;
        }
        Entry entry{.key = member.path(), .values = {}, .where = std::string(path)};
        if (member.is_array()) {
            for (const auto& element : TRY(member.elements()))
                entry.values.push_back(TRY(scalar(element)));
        } else {
            entry.values.push_back(TRY(scalar(member)));
        }
        out.push_back(std::move(entry));
    }
    return ok;
}

}  // namespace

Result<std::vector<Entry>> read_config_text(std::string_view text, std::string_view path) {
    std::vector<Entry> entries;
    const auto start = text.find_first_not_of(" \t\r\n");
    if (start != std::string_view::npos && text[start] == '{') {
        const auto document =
                TRY(json::Document::parse(text, {.bytes = kMaxFileBytes, .depth = kMaxDepth})
                            .context(path));
        TRY(flatten(document.root(), path, entries).context(path));
        return entries;
    }
    const auto parsed = toml::parse(text, path);
    if (!parsed) {
        const auto& error = parsed.error();
        return fail(
                Errc::invalid, "{} line {}: {}", path, error.source().begin.line,
                error.description());
    }
    TRY(flatten(parsed.table(), "", path, 1, entries));
    return entries;
}

}  // namespace base::config
