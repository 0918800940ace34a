// `cloche image prune|verify`: the store itself.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/human.hpp"
#include "cli/image_name.hpp"
#include "cli/progress.hpp"

#include <chrono>

namespace cli {

base::Result<int> run_command(Context& context, const ImagePruneOptions& options) {
    std::chrono::seconds unused_for{0};
    if (!options.older_than.empty()) {
        const auto time = TRY(base::parse_duration(options.older_than).context("--older-than"));
        if (time.count() < 0)
            return base::fail(
                    base::Errc::invalid, "--older-than: {} is negative", options.older_than);
        // A part of a second more than asked for is not older.
        unused_for = std::chrono::ceil<std::chrono::seconds>(time);
    }
    const auto freed = TRY(context.client.prune_images(unused_for));
    TRY(print(
            context.json()
                    ? base::json::encode(garden::api::PruneAnswer{.freed_bytes = freed}) + "\n"
                    : "freed " + human_bytes(freed) + "\n"));
    return kExitOk;
}

base::Result<int> run_command(Context& context, const ImageVerifyOptions& options) {
    std::string name;
    if (!options.all) name = TRY(stored_image(options.image));
    const auto answer = TRY(context.client.verify_images(name));
    const int code = answer.good ? kExitOk : kExitFailed;
    if (context.json()) {
        TRY(print(base::json::encode(answer) + "\n"));
        return code;
    }
    Table table(
            {{"LAYER"},
             {"STATE"},
             {"ENTRIES", Table::Align::right},
             {"READ", Table::Align::right},
             {"IMAGE"}});
    for (const auto& layer : answer.layers)
        table.add(
                {short_digest(layer.diff_id), layer.state, std::to_string(layer.entries),
                 human_bytes(layer.bytes), layer.images.empty() ? "" : layer.images.front()});
    TRY(print_table(context, table));
    for (const auto& layer : answer.layers) {
        for (const auto& finding : layer.findings) say(short_digest(layer.diff_id) + " " + finding);
        if (layer.differences > layer.findings.size())
            say(base::format(
                    "{} and {} more", short_digest(layer.diff_id),
                    layer.differences - layer.findings.size()));
    }
    return code;
}

}  // namespace cli
