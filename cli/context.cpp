#include "cli/context.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/sys/file.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace cli {

base::Result<void> print(std::string_view text) {
    return base::sys::write_all(base::FdRef(STDOUT_FILENO), text).context("standard output");
}

void say(std::string_view text) {
    (void)base::sys::write_all(
            base::FdRef(STDERR_FILENO), std::string(text) + "\n");  // nowhere to tell it
}

base::Result<void> print_table(const Context& context, const Table& table) {
    return print(table.text(context.color));
}

std::string pretty_json(const std::string& text) {
    const auto document = base::json::Document::parse(
            text, {.bytes = std::size_t{64} << 20}, base::json::Rest::ignore);
    if (!document) return text;
    return document->root().raw().dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
           "\n";
}

namespace {

void flatten(const nlohmann::json& value, const std::string& path, Table& table) {
    if (value.is_object() && !value.empty()) {
        for (const auto& [name, member] : value.items())
            flatten(member, path.empty() ? name : path + "." + name, table);
        return;
    }
    if (value.is_string()) {
        table.add({path, value.get_ref<const std::string&>()});
        return;
    }
    table.add({path, value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)});
}

}  // namespace

base::Result<void> print_flat(const Context& context, const std::string& json) {
    const auto document = TRY(base::json::Document::parse(json, {}, base::json::Rest::ignore));
    Table table({{"NAME"}, {"VALUE"}});
    flatten(document.root().raw(), "", table);
    return print_table(context, table);
}

}  // namespace cli
