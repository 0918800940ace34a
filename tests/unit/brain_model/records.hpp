// Short ways to make records and worlds. Used by the tests of brain/model.
#pragma once

#include "brain/model/outcome.hpp"

#include <string>
#include <utility>

namespace test {

using brain::api::ActualLrp;
using brain::api::DesiredLrp;
using brain::api::LrpState;
using brain::api::Presence;
using brain::api::Task;
using brain::api::TaskState;
using brain::model::ActualPtr;
using brain::model::Changed;
using brain::model::DesiredPtr;
using brain::model::RecordChange;
using brain::model::TaskPtr;
using brain::model::World;

inline constexpr std::int64_t kSecond = 1'000'000'000;

ActualLrp actual(
        const std::string& guid,
        std::int32_t index,
        LrpState state,
        const std::string& cell = "",
        Presence presence = Presence::ordinary);
DesiredLrp desired(const std::string& guid, std::int32_t instances);
Task task(const std::string& guid, TaskState state, const std::string& cell = "");

ActualPtr put(World& world, ActualLrp lrp);  // creates, or changes what has its place
DesiredPtr put(World& world, DesiredLrp lrp);
TaskPtr put(World& world, Task task);
void put_cell(World& world, const std::string& cell_id);
void remove_cell(World& world, const std::string& cell_id);
void put_domain(World& world, const std::string& name, std::int64_t expires_at);
void apply(World& world, const brain::model::Outcome& outcome);

}  // namespace test
