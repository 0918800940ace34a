// Requests of the executor's clients (executor-rep §3): what is read writes to text that reads to
// the same, and a recipe that passes its checks is within every bound.
#include "executor/api/action.hpp"
#include "executor/api/log_record.hpp"
#include "executor/api/types.hpp"
#include "tests/fuzz/json_input.hpp"

#include <algorithm>
#include <string>
#include <type_traits>

namespace {

namespace api = executor::api;

struct Measure {
    std::size_t depth = 0;
    std::size_t actions = 0;
};

Measure measure(const api::Action& action);

Measure below(const std::vector<api::Action>& actions) {
    Measure out;
    for (const auto& action : actions) {
        const auto one = measure(action);
        out.depth = std::max(out.depth, one.depth);
        out.actions += one.actions;
    }
    return out;
}

Measure measure(const api::Action& action) {
    Measure out = std::visit(
            [](const auto& value) {
                if constexpr (requires { value.actions; }) {
                    return below(value.actions);
                } else if constexpr (requires { *value.action; }) {
                    return measure(*value.action);
                } else {
                    using Value = std::decay_t<decltype(value)>;
                    fuzz::require(
                            !std::is_same_v<Value, std::monostate>, "a valid action is something");
                    return Measure{};
                }
            },
            action.value);
    return {.depth = out.depth + 1, .actions = out.actions + 1};
}

void check_action(const api::Action& action, std::string_view place) {
    const auto checked = api::validate(action, place);
    if (!checked) {
        fuzz::require(checked.error().text.starts_with(place), "an error names the place");
        return;
    }
    const auto size = measure(action);
    fuzz::require(size.depth <= api::kMaxActionDepth, "depth is bounded");
    fuzz::require(size.actions <= api::kMaxActions, "the number of actions is bounded");
    fuzz::require(!api::kind_of(action).empty(), "a valid action has a kind");
}

void check_info(const api::RunInfo& info) {
    if (!api::validate(info)) return;
    if (info.setup) check_action(*info.setup, "setup");
    if (info.run) check_action(*info.run, "run");
    if (info.monitor) check_action(*info.monitor, "monitor");
    for (const auto& check : info.check_definition.checks) {
        const bool one = check.tcp_check.has_value() != check.http_check.has_value();
        fuzz::require(one, "a check is of one kind");
    }
}

void action(std::string_view text) {
    api::Action value;
    if (fuzz::round_trip(text, value)) check_action(value, "action");
}

void run(std::string_view text) {
    api::RunRequest request;
    if (fuzz::round_trip(text, request)) check_info(request.info);
}

void allocation(std::string_view text) {
    api::AllocationRequest request;
    if (!fuzz::round_trip(text, request) || !api::validate(request)) return;
    fuzz::require(request.guid.size() <= api::kMaxGuid, "a guid has a bound");
    fuzz::require(request.memory_mb >= 0 && request.disk_mb >= 0, "nothing asks for less than 0");
}

void failure(std::string_view text) {
    const auto cut = api::cut_failure_reason(text);
    // A character has four bytes at most.
    fuzz::require(cut.size() <= 4 * api::kMaxFailureReason, "a reason has a bound");
    fuzz::require(api::cut_failure_reason(cut) == cut, "cutting twice is cutting once");
}

}  // namespace

// First byte: which object.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto which = input.byte() % 9;
    const auto text = input.rest();
    if (which == 0) action(text);
    if (which == 1) run(text);
    if (which == 2) allocation(text);
    if (which == 3) fuzz::only_text<api::Container>(text);
    if (which == 4) fuzz::only_text<api::UpdateRequest>(text);
    if (which == 5) fuzz::only_text<api::ContainerMetrics>(text);
    if (which == 6) fuzz::only_text<api::LogRecord>(text);
    if (which == 7) fuzz::only_text<api::Event>(text);
    if (which == 8) failure(text);
    return 0;
}
