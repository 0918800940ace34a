#include "rep/core/no_brain.hpp"

#include "base/fail.hpp"

namespace rep::core {

namespace {

base::Error none() {
    return base::fail(base::Errc::unavailable, "this cell has no brain");
}

}  // namespace

base::Result<void> NoBrain::claim_actual_lrp(
        const brain::api::LrpKey&, const brain::api::InstanceKey&) {
    return none();
}

base::Result<void> NoBrain::start_actual_lrp(const brain::api::RunningLrp&) {
    return none();
}

base::Result<void> NoBrain::crash_actual_lrp(
        const brain::api::LrpKey&, const brain::api::InstanceKey&, std::string_view) {
    return none();
}

base::Result<void> NoBrain::remove_actual_lrp(
        const brain::api::LrpKey&, const brain::api::InstanceKey&) {
    return none();
}

base::Result<void> NoBrain::remove_evacuating_actual_lrp(
        const brain::api::LrpKey&, const brain::api::InstanceKey&) {
    return none();
}

base::Result<bool> NoBrain::evacuate_claimed_actual_lrp(
        const brain::api::LrpKey&, const brain::api::InstanceKey&) {
    return none();
}

base::Result<bool> NoBrain::evacuate_running_actual_lrp(const brain::api::RunningLrp&) {
    return none();
}

base::Result<bool> NoBrain::evacuate_stopped_actual_lrp(
        const brain::api::LrpKey&, const brain::api::InstanceKey&) {
    return none();
}

base::Result<bool> NoBrain::evacuate_crashed_actual_lrp(
        const brain::api::LrpKey&, const brain::api::InstanceKey&, std::string_view) {
    return none();
}

base::Result<brain::api::DesiredLrp> NoBrain::desired_lrp(std::string_view) {
    return none();
}

base::Result<bool> NoBrain::start_task(std::string_view, std::string_view) {
    return none();
}

base::Result<brain::api::Task> NoBrain::task(std::string_view) {
    return none();
}

base::Result<void> NoBrain::complete_task(const brain::api::TaskOutcome&) {
    return none();
}

base::Result<void> NoBrain::reject_task(std::string_view, std::string_view) {
    return none();
}

base::Result<std::vector<brain::api::ActualLrp>> NoBrain::actual_lrps(std::string_view) {
    return none();
}

base::Result<std::vector<brain::api::Task>> NoBrain::tasks(std::string_view) {
    return none();
}

base::Result<brain::api::SyncAnswer> NoBrain::sync(std::string_view, std::string_view) {
    return none();
}

base::Result<void> NoBrain::put_presence(
        const brain::api::CellPresence&, std::string_view, std::chrono::milliseconds) {
    return none();
}

base::Result<void> NoBrain::release_presence(std::string_view, std::string_view) {
    return none();
}

}  // namespace rep::core
