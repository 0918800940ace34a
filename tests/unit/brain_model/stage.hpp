// Stage: a world with a clock, where one operation is tried and what it did is told in short words.
// Used by the tests of brain/model.
#pragma once

#include "brain/model/converge.hpp"
#include "brain/model/desired_rules.hpp"
#include "brain/model/lrp_rules.hpp"
#include "brain/model/task_rules.hpp"
#include "records.hpp"

namespace test {

struct Stage {
    World world;
    std::int64_t now = 1'700'000'000 * kSecond;
    brain::model::Limits limits;
    int guids = 0;
    std::function<std::string()> new_guid = [this] { return "new-" + std::to_string(guids++); };
    brain::model::Outcome last;
    bool answer = false;  // keep the container, should start

    brain::model::Context ctx() const {
        return {.world = world, .now = now, .new_guid = new_guid, .limits = limits};
    }

    // Applied, and told: "created removed; offer p/0; stop p/1; cancel t; update p/0; tell t", or
    // the name of the refusal.
    std::string take(base::Result<brain::model::Outcome> out);
    std::string take(base::Result<brain::model::Evacuated> out);
    std::string take(base::Result<brain::model::StartedTask> out);
    std::string converge();       // a pass over process "p"
    std::string converge_task();  // a pass over task "t"

    // "RUNNING c1" of process "p", index 0; "" when there is none.
    std::string row(Presence presence = Presence::ordinary, std::int32_t index = 0) const;
    ActualPtr get(Presence presence = Presence::ordinary, std::int32_t index = 0) const;
};

std::string told(const brain::model::Outcome& out);
brain::api::LrpKey key_of(const std::string& guid, std::int32_t index);
brain::api::InstanceKey instance_on(const std::string& cell);  // that actual() makes for p/0
brain::api::RunningLrp running_on(const std::string& cell);    // p/0

}  // namespace test
