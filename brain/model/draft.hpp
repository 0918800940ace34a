// Draft: the rows of one index while a rule changes them: each change is written into an Outcome
// together with the events that bbs-api §3 has for it. Private to brain/model.
#pragma once

#include "base/result.hpp"
#include "brain/api/brain.hpp"
#include "brain/model/outcome.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace brain::model {

class Draft {
  public:
    // `ctx` and `out` must outlive the draft.
    Draft(const Context& ctx, Outcome& out, const api::ActualLrpGroup& group);

    const ActualPtr& row(api::Presence presence) const {
        return rows_[static_cast<std::size_t>(presence)];
    }

    const ActualPtr& ordinary() const { return row(api::Presence::ordinary); }

    bool empty() const;
    // Which row is the instance's; `instance` is not empty.
    std::optional<api::Presence> presence_of(const api::InstanceKey& instance) const;

    void create_unclaimed(const api::LrpKey& key);
    void create(api::ActualLrp row);
    void remove(api::Presence presence);
    // Of the same presence: one `changed`, the modification tag counted up.
    void change(api::ActualLrp after);
    // The same instance under another presence, a free one; no new tag (lifecycle §3.1).
    void move(api::Presence from, api::ActualLrp after);

    // The ordinary row, CLAIMED or RUNNING: the unclaimed one is created, the instance removed.
    void unclaim();
    // The ordinary row, CRASHED: `changed`, as no instance goes.
    void restart();
    // The ordinary row, CLAIMED or RUNNING (lifecycle §4.3).
    void crash(std::string_view reason);
    // The ordinary row, CLAIMED or RUNNING, goes to `after` and leaves an unclaimed one behind:
    // which keeps the row's history, or is a new row.
    void leave_behind_unclaimed(api::ActualLrp after, bool history);

  private:
    ActualPtr& slot(api::Presence presence) { return rows_[static_cast<std::size_t>(presence)]; }

    api::ActualLrp unclaimed(const api::ActualLrp& row) const;
    void record(ActualPtr before, ActualPtr after);
    void tell(api::EventKind kind, ActualPtr before, ActualPtr after);

    const Context& ctx_;
    Outcome& out_;
    std::array<ActualPtr, 3> rows_;  // by presence
};

// The fields that `start` and `evacuate running` carry.
void set_running(api::ActualLrp& row, const api::RunningLrp& running);
bool runs_as(const api::ActualLrp& row, const api::RunningLrp& running);
api::ActualLrp new_row(const Context& ctx, const api::LrpKey& key);  // UNCLAIMED

// Asks for a place when the process is still desired.
void offer(Outcome& out, const DesiredPtr& desired, std::int32_t index);
// bbs-api §3: within one batch crashed first, then what runs, so that routers learn a new address
// before they lose the old one; else as they happened.
void order_events(Outcome& out);

// InvalidRequest, naming the field.
base::Result<void> check_name(std::string_view field, std::string_view value);
base::Result<void> check_instance(const api::InstanceKey& instance);

}  // namespace brain::model
