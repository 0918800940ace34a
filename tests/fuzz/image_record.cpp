// Records of images on disk: what is read writes to text that reads to the same.
#include "rootfs/image/records_json.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>
#include <string_view>

using namespace rootfs;

// First byte: which record.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto round_trip = [&](auto parse) {
        const auto first = parse(input.rest());
        if (!first) return;
        const std::string text = to_text(*first);
        const auto second = parse(text);
        fuzz::require(second && to_text(*second) == text, "a record reads the same");
    };
    if (input.byte() % 2 == 0) {
        round_trip([](std::string_view text) { return parse_image_record(text); });
    } else {
        round_trip([](std::string_view text) { return parse_reference_record(text); });
    }
    return 0;
}
