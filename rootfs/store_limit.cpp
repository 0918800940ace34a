#include "rootfs/store_limit.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"

#include <limits>

namespace rootfs {

base::Result<StoreLimit> parse_store_limit(std::string_view text, std::string_view what) {
    StoreLimit out;
    if (text.empty()) return out;
    if (text.ends_with('%')) {
        out.percent = TRY(base::parse_number<std::uint32_t>(text.substr(0, text.size() - 1), what));
        if (out.percent == 0 || out.percent > 99)
            return base::fail(
                    base::Errc::invalid, "{}: {}% is not in 1% to 99%", what, out.percent);
        return out;
    }
    constexpr std::string_view kUnits = "KMGT";
    const auto unit = kUnits.find(text.back());
    const unsigned shift =
            unit == std::string_view::npos ? 0U : 10U * (static_cast<unsigned>(unit) + 1U);
    if (shift != 0) text.remove_suffix(1);
    const auto number = TRY(base::parse_number<std::uint64_t>(text, what));
    if (number == 0 || number > (std::numeric_limits<std::uint64_t>::max() >> shift))
        return base::fail(
                base::Errc::invalid, "{}: {} is no size (hint: 80%, or bytes as 20G)", what, text);
    out.bytes = number << shift;
    return out;
}

}  // namespace rootfs
