// What fuzz targets share: a property that must hold, and an input cut into choices and text. Used
// by the targets of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace fuzz {

// A broken property is a finding, as a crash is.
inline void require(bool holds, const char* property) {
    if (holds) return;
    (void)std::fprintf(stderr, "broken property: %s\n", property);
    std::abort();
}

// The first bytes choose what is done with the rest; an input that is too short chooses zeros.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size)
        : rest_(reinterpret_cast<const char*>(data), size) {}

    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }

    // Up to `separator`, which is taken as well; all of the rest when there is none.
    std::string_view until(std::string_view separator) {
        const auto at = rest_.find(separator);
        const auto part = rest_.substr(0, at);
        rest_ = at == std::string_view::npos ? std::string_view()
                                             : rest_.substr(at + separator.size());
        return part;
    }

    std::string_view rest() const { return rest_; }

    bool empty() const { return rest_.empty(); }

  private:
    std::string_view rest_;
};

}  // namespace fuzz
