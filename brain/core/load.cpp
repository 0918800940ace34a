#include "brain/core/load.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"
#include "brain/model/codec.hpp"

#include <algorithm>

namespace brain::core {

using base::Errc;

namespace {

base::Result<void> check_schema(store::Store& store, store::Term term) {
    const std::string key(model::kSchemaKey);
    const auto found = TRY(store.get(key));
    if (!found) {
        const store::Change first{.key = key, .value = std::to_string(model::kSchemaVersion)};
        return store.commit(term, std::span(&first, 1));
    }
    const auto version = base::parse_number<std::uint32_t>(*found, "the schema of the store");
    if (!version) return base::fail(Errc::corrupt, "{}", version.error().text);
    if (*version > model::kSchemaVersion)
        return base::fail(
                Errc::unsupported,
                "the store has schema {}, this version knows up to {}: use a newer brain", *version,
                model::kSchemaVersion);
    return base::ok;
}

model::ActualPtr settled(model::ActualPtr row, std::int64_t now) {
    if (row->since <= now) return row;
    auto copy = *row;
    copy.since = now;
    return std::make_shared<const api::ActualLrp>(std::move(copy));
}

model::TaskPtr settled(model::TaskPtr task, std::int64_t now) {
    if (std::max({task->created_at, task->updated_at, task->first_completed_at}) <= now)
        return task;
    auto copy = *task;
    copy.created_at = std::min(copy.created_at, now);
    copy.updated_at = std::min(copy.updated_at, now);
    copy.first_completed_at = std::min(copy.first_completed_at, now);
    return std::make_shared<const api::Task>(std::move(copy));
}

void settle_times(model::RecordChange& change, std::int64_t now) {
    if (auto* actual = std::get_if<model::Changed<model::ActualPtr>>(&change))
        actual->after = settled(std::move(actual->after), now);
    if (auto* task = std::get_if<model::Changed<model::TaskPtr>>(&change))
        task->after = settled(std::move(task->after), now);
}

}  // namespace

base::Result<model::World> load(store::Store& store, store::Term term, std::int64_t now) {
    TRY(check_schema(store, term));
    model::World world;
    TRY(store.list("", [&](std::string_view key, std::string_view value) -> base::Result<void> {
        auto change = TRY(model::decode(key, value));
        if (!change) return base::ok;
        settle_times(*change, now);
        world.apply(*change);
        return base::ok;
    }));
    return world;
}

}  // namespace brain::core
