#include "brain/api/event.hpp"

#include <array>
#include <cstddef>

namespace brain::api {

std::string_view to_string(EventKind kind) {
    static constexpr std::array<std::string_view, 10> kWords{
            "desired_lrp_created", "desired_lrp_changed", "desired_lrp_removed",
            "actual_lrp_created",  "actual_lrp_changed",  "actual_lrp_removed",
            "actual_lrp_crashed",  "task_created",        "task_changed",
            "task_removed",
    };
    return kWords.at(static_cast<std::size_t>(kind));
}

}  // namespace brain::api
