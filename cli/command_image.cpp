// `cloche image pull|list|inspect|remove`.
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/human.hpp"
#include "cli/image_name.hpp"
#include "cli/progress.hpp"
#include "cli/pull.hpp"
#include "cli/spec.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <optional>

namespace cli {

namespace {

base::Result<void> print_image(const Context& context, const garden::api::Image& image) {
    const auto text = base::json::encode(image) + "\n";
    return context.json() ? print(text) : print_flat(context, text);
}

}  // namespace

base::Result<int> run_command(Context& context, const ImagePullOptions& options) {
    garden::api::ImageRef image{
            .uri = TRY(stored_image(options.image)), .username = options.username, .password = {}};
    if (options.password_stdin)
        image.password = TRY(read_password(base::FdRef(STDIN_FILENO)).context("--password-stdin"));
    if (!options.password_file.empty())
        image.password = TRY(read_password_file(options.password_file));
    const auto pulled = TRY(pull_image(context, image));
    if (context.json()) TRY(print_image(context, pulled));
    if (!context.json()) TRY(print(pulled.digest + "\n"));
    return kExitOk;
}

base::Result<int> run_command(Context& context, const ImageListOptions&) {
    const auto rows = TRY(context.client.images());
    if (context.json()) {
        TRY(print(base::json::encode(garden::api::ImageList{.images = rows}) + "\n"));
        return kExitOk;
    }
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    Table table(
            {{"IMAGE"},
             {"DIGEST"},
             {"SIZE", Table::Align::right},
             {"LAYERS", Table::Align::right},
             {"USED BY", Table::Align::right},
             {"PULLED", Table::Align::right}});
    for (const auto& row : rows)
        table.add(
                {row.reference, short_digest(row.digest), human_bytes(row.size),
                 std::to_string(row.layers), std::to_string(row.used_by),
                 human_age(now - std::chrono::seconds(row.created_at)) + " ago"});
    TRY(print_table(context, table));
    return kExitOk;
}

base::Result<int> run_command(Context& context, const ImageInspectOptions& options) {
    TRY(print_image(context, TRY(context.client.image(TRY(stored_image(options.image))))));
    return kExitOk;
}

base::Result<int> run_command(Context& context, const ImageRemoveOptions& options) {
    std::optional<base::Error> first;
    for (const auto& name : options.images) {
        auto removed = context.client.remove_image(TRY(stored_image(name)));
        if (removed) {
            TRY(print(name + "\n"));
        } else if (first) {
            say("cloche: " + removed.error().text);
        } else {
            first = std::move(removed).error();
        }
    }
    if (first) return std::move(*first);
    return kExitOk;
}

}  // namespace cli
