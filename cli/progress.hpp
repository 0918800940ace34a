// Rendering of a pull: bars that are redrawn on a terminal, plain lines elsewhere. Text in, text
// out; used by pull and run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

struct PullStep {
    std::string step;   // "resolving", "downloading", "unpacking", "verifying", "done"
    std::string layer;  // digest; "" = the image as a whole
    std::uint64_t current = 0;
    std::uint64_t total = 0;  // 0 = unknown
};

class PullProgress {
  public:
    // `columns`: width of the terminal, 0 = not a terminal.
    PullProgress(std::string image, std::uint16_t columns)
        : image_(std::move(image)), columns_(columns) {}

    // What to write for this step; "" when nothing new is to be seen, or when it is `due` only
    // later.
    std::string update(const PullStep& step, bool due = true);
    // The last picture, left on the screen.
    std::string finish();

  private:
    struct Layer {
        std::string digest;
        PullStep last;
    };

    std::string update_lines(const PullStep& step, bool changed) const;
    std::string redraw();
    std::string layer_line(const Layer& layer) const;

    std::string image_;
    std::uint16_t columns_;
    std::vector<Layer> layers_;
    std::string stage_;      // of the image as a whole
    std::size_t drawn_ = 0;  // lines on the screen
    bool stale_ = false;     // the screen is behind
};

// "[=====>    ]", `width` cells with the brackets.
std::string progress_bar(std::uint64_t current, std::uint64_t total, std::size_t width);
// "sha256:0123456789ab…" → "0123456789ab".
std::string short_digest(std::string_view digest);

}  // namespace cli
