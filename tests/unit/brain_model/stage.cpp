#include "stage.hpp"

namespace test {

namespace api = brain::api;
namespace model = brain::model;

namespace {

std::string at(const std::string& guid, std::int32_t index) {
    return guid + "/" + std::to_string(index);
}

// Without the word of what it is about: each test is about one kind.
std::string short_word(api::EventKind kind) {
    const std::string word(api::to_string(kind));
    return (word.starts_with("desired") ? "desired-" : "") + word.substr(word.rfind('_') + 1);
}

}  // namespace

std::string told(const model::Outcome& out) {
    std::string text;
    for (const auto& event : out.events) text += (text.empty() ? "" : " ") + short_word(event.kind);
    const auto say = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
    for (const auto& start : out.starts)
        for (const auto index : start.indices)
            say("offer " + at(start.desired->process_guid, index));
    for (const auto& task : out.task_starts) say("offer " + task->task_guid);
    for (const auto& stop : out.stops)
        say("stop " + at(stop.key.process_guid, stop.key.index) + " on " + stop.instance.cell_id);
    for (const auto& cancel : out.cancels) say("cancel on " + cancel.cell_id);
    for (const auto& update : out.updates)
        say("update " + at(update.key.process_guid, update.key.index));
    for (const auto& task : out.callbacks) say("tell " + task->task_guid);
    return text;
}

std::string Stage::take(base::Result<model::Outcome> out) {
    if (!out) return std::string(api::error_name(out.error()));
    last = std::move(out).value();
    apply(world, last);
    return told(last);
}

std::string Stage::take(base::Result<model::Evacuated> out) {
    if (!out) return std::string(api::error_name(out.error()));
    answer = out->keep_container;
    return take(base::Result<model::Outcome>(std::move(out->outcome)));
}

std::string Stage::take(base::Result<model::StartedTask> out) {
    if (!out) return std::string(api::error_name(out.error()));
    answer = out->should_start;
    return take(base::Result<model::Outcome>(std::move(out->outcome)));
}

std::string Stage::converge() {
    model::Findings findings;
    return take(base::Result<model::Outcome>(
            model::plan_process(ctx(), world.process("p"), model::survey(world, now), findings)));
}

std::string Stage::converge_task() {
    return take(base::Result<model::Outcome>(
            model::plan_task(ctx(), world.task("t"), model::survey(world, now))));
}

ActualPtr Stage::get(Presence presence, std::int32_t index) const {
    const auto group = world.group("p", index);
    if (presence == Presence::evacuating) return group.evacuating;
    return presence == Presence::suspect ? group.suspect : group.ordinary;
}

std::string Stage::row(Presence presence, std::int32_t index) const {
    const auto found = get(presence, index);
    if (!found) return "";
    std::string text(api::to_string(found->state));
    return found->instance.empty() ? text : text + " " + found->instance.cell_id;
}

api::LrpKey key_of(const std::string& guid, std::int32_t index) {
    return {.process_guid = guid, .index = index, .domain = "d"};
}

api::InstanceKey instance_on(const std::string& cell) {
    return {.instance_guid = "p-0-" + cell, .cell_id = cell};
}

api::RunningLrp running_on(const std::string& cell) {
    api::RunningLrp out;
    out.key = key_of("p", 0);
    out.instance = instance_on(cell);
    out.net_info.address = "10.0.0.1";
    return out;
}

}  // namespace test
