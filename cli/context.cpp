#include "cli/context.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/sys/partial.hpp"
#include "cli/human.hpp"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

namespace cli {

base::Result<void> write_out(base::FdRef fd, std::string_view data) {
    while (!data.empty()) {
        if (const auto count = TRY(base::sys::write_some(fd, data))) {
            data.remove_prefix(*count);
            continue;
        }
        // Whoever shares the terminal or pipe with us made it non-blocking.
        ::pollfd entry{.fd = fd.get(), .events = POLLOUT, .revents = 0};
        if (::poll(&entry, 1, -1) < 0 && errno != EINTR) return base::fail_errno("poll");
    }
    return base::ok;
}

base::Result<void> print(std::string_view text) {
    return write_out(base::FdRef(STDOUT_FILENO), text).context("standard output");
}

void say(std::string_view text) {
    // Errors quote names of files and processes, which a container chooses.
    (void)write_out(
            base::FdRef(STDERR_FILENO), printable(text, "\n\t") + "\n");  // nowhere to tell it
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

std::string plain(const nlohmann::json& value) {
    if (value.is_string()) return value.get_ref<const std::string&>();
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void flatten(const nlohmann::json& value, const std::string& path, Table& table) {
    if (value.is_object() && !value.empty()) {
        for (const auto& [name, member] : value.items())
            flatten(member, path.empty() ? name : path + "." + name, table);
        return;
    }
    const bool words = value.is_array() && std::none_of(value.begin(), value.end(), [](auto& each) {
                           return each.is_structured();
                       });
    if (!words) return table.add({path, plain(value)});
    std::string joined;
    for (const auto& each : value) joined.append(joined.empty() ? "" : " ").append(plain(each));
    table.add({path, joined});
}

}  // namespace

base::Result<void> print_flat(const Context& context, const std::string& json) {
    const auto document = TRY(base::json::Document::parse(json, {}, base::json::Rest::ignore));
    Table table({{"NAME"}, {"VALUE"}});
    flatten(document.root().raw(), "", table);
    return print_table(context, table);
}

}  // namespace cli
