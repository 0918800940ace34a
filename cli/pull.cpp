#include "cli/pull.hpp"

#include "cli/progress.hpp"

#include <unistd.h>

#include <chrono>

namespace cli {

namespace {

// A fast download sends many steps; redrawing more often than this only flickers.
constexpr std::chrono::milliseconds kRedraw{50};

void write_progress(const std::string& text) {
    (void)write_out(base::FdRef(STDERR_FILENO), text);  // talk; the pull goes on without it
}

}  // namespace

base::Result<garden::api::Image> pull_image(Context& context, const garden::api::ImageRef& image) {
    PullProgress progress(image.uri, context.columns);
    auto drawn = std::chrono::steady_clock::time_point{};
    auto pulled = context.client.pull(image, [&](const garden::api::PullProgress& step) {
        auto text = progress.update(
                {.step = step.step,
                 .layer = step.layer,
                 .current = step.current,
                 .total = step.total},
                std::chrono::steady_clock::now() - drawn >= kRedraw);
        if (text.empty()) return;
        drawn = std::chrono::steady_clock::now();
        write_progress(text);
    });
    write_progress(progress.finish());
    return pulled;
}

base::Result<garden::api::Image> ensure_image(
        Context& context, const garden::api::ImageRef& image) {
    auto known = context.client.image(image.uri);
    if (known || known.error().kind != base::Errc::not_found) return known;
    return pull_image(context, image);
}

}  // namespace cli
