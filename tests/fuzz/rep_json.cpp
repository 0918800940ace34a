// What a cell's rep reads of the auctioneer and of others, and they of it (executor-rep §14): what
// is read writes to text that reads to the same.
#include "rep/api/types.hpp"
#include "tests/fuzz/json_input.hpp"

namespace {

namespace api = rep::api;

void work(std::string_view text) {
    api::Work value;
    if (!fuzz::round_trip(text, value)) return;
    fuzz::require(value.lrps.size() <= base::json::kMaxElements, "LRPs are bounded");
    fuzz::require(value.tasks.size() <= base::json::kMaxElements, "tasks are bounded");
}

}  // namespace

// First byte: which object.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto which = input.byte() % 5;
    const auto text = input.rest();
    if (which == 0) work(text);
    if (which == 1) fuzz::only_text<api::CellState>(text);
    if (which == 2) fuzz::only_text<api::LrpUpdate>(text);
    if (which == 3) fuzz::only_text<api::ContainerMetrics>(text);
    if (which == 4) fuzz::only_text<api::Resources>(text);
    return 0;
}
