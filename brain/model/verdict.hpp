// Verdict: what one index of a process needs now (lifecycle §5), decided in one place for all that
// ask: whether there is something to do, what, and when next. Private to brain/model.
#pragma once

#include "brain/model/converge.hpp"

#include <algorithm>

namespace brain::model {

// The rows of one index; null where there is none. Borrowed from a view.
struct Slot {
    std::int32_t index = 0;
    const ActualPtr* ordinary = nullptr;
    const ActualPtr* evacuating = nullptr;
    const ActualPtr* suspect = nullptr;

    api::ActualLrpGroup group() const;
};

enum class Deed : std::uint8_t {
    none,
    create,   // step 6: a row and an offer
    renew,    // a row of a process of the same name in another domain, that no cell could claim
    replace,  // step 5: becomes suspect, a replacement is offered
    unclaim,  // step 5: the replacement's cell is lost, too
    promote,  // step 10: the suspect is the instance again
    retire,   // steps 6, 7
    offer,    // step 4
    restart,  // step 12
    update,   // steps 13, 14
};

struct Verdict {
    bool prune_evacuating = false;  // step 2
    bool drop_suspect = false;      // steps 8, 9
    bool stop_promoted = false;     // of an index that is too many
    Deed deed = Deed::none;

    bool nothing() const { return !prune_evacuating && !drop_suspect && deed == Deed::none; }
};

class Judge {
  public:
    Judge(const ProcessView& process, const Surroundings& around, const Limits& limits);

    Verdict judge(const Slot& slot) const;
    bool is_present(const api::ActualLrp& row) const;

    // The routes that every instance should have.
    const std::vector<api::InternalRoute>& routes() const { return routes_; }

    // When a row that waits will next be worth a look, though nothing changes.
    std::optional<std::int64_t> due(const Slot& slot) const;

  private:
    bool is_fresh(std::string_view domain) const;
    bool is_replaced(const Slot& slot) const;
    // `suspect`: one that is not replaced, or null.
    Verdict orphan(const Slot& slot, const api::ActualLrp* suspect) const;
    Verdict surplus(const Slot& slot, const api::ActualLrp* suspect) const;
    Verdict wanted(const Slot& slot, const api::ActualLrp* suspect) const;
    Deed of_ordinary(const api::ActualLrp& row, bool has_suspect) const;
    bool differs(const api::ActualLrp& row) const;
    std::optional<std::int64_t> restart_at(const api::ActualLrp& row) const;

    const ProcessView& process_;
    const Surroundings& around_;
    const Limits& limits_;
    bool desired_is_fresh_ = false;
    std::vector<api::InternalRoute> routes_;
};

// Calls `visit(slot)` for each index with rows and for each that is desired, in order, until it
// says false.
template <class F>
void for_each_slot(const ProcessView& process, F&& visit) {
    const std::int32_t wanted = process.desired ? process.desired->instances : 0;
    std::int32_t next = 0;  // the first desired index that was not visited
    for (std::size_t at = 0; at < process.rows.size() || next < wanted;) {
        Slot slot{.index = next};
        if (at < process.rows.size() && (next >= wanted || process.rows[at]->key.index <= next))
            slot.index = process.rows[at]->key.index;
        for (; at < process.rows.size() && process.rows[at]->key.index == slot.index; ++at) {
            const auto& row = process.rows[at];
            (row->presence == api::Presence::ordinary     ? slot.ordinary
             : row->presence == api::Presence::evacuating ? slot.evacuating
                                                          : slot.suspect) = &row;
        }
        next = std::max(next, slot.index + 1);
        if (!visit(slot)) return;
    }
}

// The first moment behind `now` that is a whole number (at least one) of intervals and one
// nanosecond behind `from`; nothing is "older than" before that.
std::int64_t next_turn(std::int64_t from, std::int64_t interval, std::int64_t now);
// Whether such a moment lies in (previous, now].
bool has_turn(std::int64_t from, std::int64_t interval, std::int64_t previous, std::int64_t now);

}  // namespace brain::model
