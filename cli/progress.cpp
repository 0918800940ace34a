#include "cli/progress.hpp"

#include "base/fail.hpp"
#include "cli/human.hpp"

#include <algorithm>

namespace cli {

namespace {

// A server that invents layers must not grow our memory or scroll the screen for ever.
constexpr std::size_t kMaxLayers = 128;
constexpr std::size_t kMaxBar = 30;

}  // namespace

std::string short_digest(std::string_view digest) {
    if (const auto colon = digest.find(':'); colon != std::string_view::npos)
        digest.remove_prefix(colon + 1);
    return printable(digest.substr(0, 12));
}

std::string progress_bar(std::uint64_t current, std::uint64_t total, std::size_t width) {
    if (width < 3) return {};
    const auto cells = width - 2;
    const double share =
            total == 0 ? 0.0
                       : std::min(1.0, static_cast<double>(current) / static_cast<double>(total));
    const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
    std::string bar(full, '=');
    if (full < cells) bar.push_back('>');
    bar.resize(cells, ' ');
    return "[" + bar + "]";
}

std::string PullProgress::layer_line(const Layer& layer) const {
    const auto& last = layer.last;
    auto line = fmt::format("{:<12}  {:<11}", short_digest(layer.digest), last.step);
    if (last.step == "downloading" || last.step == "unpacking") {
        const auto amount =
                last.total > 0
                        ? fmt::format("{} / {}", human_bytes(last.current), human_bytes(last.total))
                        : human_bytes(last.current);
        const std::size_t used = display_width(line) + display_width(amount) + 4;
        const auto room = columns_ > used ? std::min<std::size_t>(columns_ - used, kMaxBar) : 0;
        if (last.total > 0 && room >= 10)
            line += " " + progress_bar(last.current, last.total, room);
        line += " " + amount;
    }
    // One cell is left free: a full line would wrap, and the cursor arithmetic with it.
    if (display_width(line) >= columns_) line.resize(columns_ > 0 ? columns_ - 1U : 0U);
    return line;
}

std::string PullProgress::redraw() {
    std::string out = drawn_ > 0 ? fmt::format("\x1b[{}A", drawn_) : "";
    drawn_ = 0;
    const auto line = [&](const std::string& text) {
        out += "\r\x1b[2K" + text + "\n";
        ++drawn_;
    };
    line(fmt::format("pull {}: {}", printable(image_), stage_.empty() ? "running" : stage_)
                 .substr(0, columns_ - 1U));
    for (const auto& layer : layers_) line(layer_line(layer));
    return out;
}

std::string PullProgress::update_lines(const PullStep& step, bool changed) const {
    if (!changed) return {};
    if (step.layer.empty()) return fmt::format("pull {}: {}\n", printable(image_), step.step);
    const auto size = step.total > 0 ? " (" + human_bytes(step.total) + ")" : std::string();
    return fmt::format(
            "pull {}: {} {}{}\n", printable(image_), step.step, short_digest(step.layer), size);
}

std::string PullProgress::update(const PullStep& given, bool due) {
    PullStep step = given;
    step.step = printable(step.step).substr(0, 32);
    bool changed = false;
    if (step.layer.empty()) {
        changed = stage_ != step.step;
        stage_ = step.step;
    } else {
        auto found = std::find_if(layers_.begin(), layers_.end(), [&](const Layer& layer) {
            return layer.digest == step.layer;
        });
        if (found == layers_.end()) {
            if (layers_.size() >= kMaxLayers) return {};
            found = layers_.insert(layers_.end(), Layer{.digest = step.layer, .last = {}});
        }
        changed = found->last.step != step.step;
        found->last = step;
    }
    if (columns_ == 0) return update_lines(step, changed);
    stale_ = !changed && !due;
    return stale_ ? std::string() : redraw();
}

std::string PullProgress::finish() {
    auto text = stale_ ? redraw() : std::string();
    stale_ = false;
    drawn_ = 0;
    return text;
}

}  // namespace cli
