// Reign: one brain's time as leader. Owns the world, its lock, the group commit, the events and the
// thread that converges. Made by Core when it has won the lead and dropped when that is over or
// when the store's answer is not known: then the next reign reads everything again.
//
//   caller --> lock: rule(world) -> outcome -> apply -> queue --> committer: store -> events,
//   effects
//     ^                                                   |                          |
//     +---------------- answer, durable ------------------+--------------------------+
#pragma once

#include "base/clock.hpp"
#include "brain/core/agenda.hpp"
#include "brain/core/commit_queue.hpp"
#include "brain/core/config.hpp"
#include "brain/core/effects.hpp"
#include "brain/core/event_hub.hpp"
#include "brain/core/figures.hpp"
#include "brain/core/leases.hpp"
#include "brain/model/converge.hpp"
#include "brain/store/store.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace brain::core {

class Reign {
  public:
    using Rule = std::function<base::Result<model::Outcome>(const model::Context&)>;

    // Reads the store. `still_leads` is asked before each decision and each read.
    static base::Result<std::shared_ptr<Reign>> begin(
            const Config& config,
            store::Store& store,
            store::Term term,
            Effects& effects,
            const base::Clock& clock,
            std::function<bool()> still_leads);
    ~Reign();  // end()
    Reign(const Reign&) = delete;
    Reign& operator=(const Reign&) = delete;

    // Returns when what the rule decided is durable; its refusal, too, is only told when what it
    // is based on is durable.
    base::Result<void> decide(const Rule& rule);
    // Each one under the lock for itself, refusals ignored; durable when it returns.
    base::Result<void> decide_all(const std::vector<Rule>& rules);

    // What `look` sees is durable when it returns.
    template <class Look>
    auto read(Look look) -> base::Result<decltype(look(std::declval<const model::World&>()))> {
        std::unique_lock lock(mutex_);
        TRY(alive());
        auto seen = look(std::as_const(world_));
        const auto fate = queue_.last();
        lock.unlock();
        TRY(queue_.wait(fate));
        return seen;
    }

    base::Result<void> put_presence(
            const api::CellPresence& presence,
            std::string_view owner,
            std::chrono::milliseconds time_to_live);
    base::Result<void> release_presence(std::string_view cell_id, std::string_view owner);
    base::Result<std::unique_ptr<api::EventStream>> subscribe();

    void converge_now();        // a whole pass, soon
    std::int64_t wall() const;  // ns since 1970; never goes back within a reign
    Figures figures() const;
    std::optional<base::Error> broken() const;  // why this reign must end
    // Refuses everything from now on; callers that wait are told. Idempotent.
    void end(const std::string& why);

  private:
    Reign(const Config& config,
          store::Store& store,
          store::Term term,
          Effects& effects,
          const base::Clock& clock,
          std::function<bool()> still_leads,
          model::World world);

    base::Result<void> alive() const;
    model::Context context() const;
    FatePtr take(model::Outcome outcome);
    void mark(const model::RecordChange& change);
    void mark_cell(const model::Changed<model::CellPtr>& change);
    void welcome();  // what the last leader may have asked for in vain

    // reign_commit.cpp
    void commit_loop();
    void carry_out(std::vector<Pending>& batch);
    void dispatch(const model::Outcome& outcome);
    void take_back(std::vector<Pending> batch, const base::Error& error);
    void break_off(std::vector<Pending> batch, const base::Error& error);
    std::optional<api::CellPresence> presence(const std::string& cell_id) const;

    // reign_converge.cpp
    void converge_loop();
    std::chrono::steady_clock::time_point next_wake() const;
    void expire_cells();
    void expire_domains();
    void look_at_agenda();
    void look_at_process(const std::string& process_guid);
    void look_at_task(const std::string& task_guid);
    void retry_unplaced();
    void whole_pass();
    const model::Surroundings& surroundings();

    const Config config_;
    store::Store& store_;
    const store::Term term_;
    Effects& effects_;
    const base::Clock& clock_;
    const std::function<bool()> still_leads_;
    const std::chrono::steady_clock::time_point began_;
    const std::int64_t began_wall_;  // ns; with `began_` the clock of this reign, which never jumps
    const std::function<std::string()> new_guid_;

    mutable std::mutex mutex_;
    std::condition_variable work_;  // for the converging thread
    model::World world_;
    Leases leases_;
    Agenda processes_, tasks_;
    std::set<std::pair<std::string, std::int32_t>> unplaced_;
    bool room_appeared_ = false;
    bool pass_wanted_ = false;
    std::optional<model::Surroundings> around_;  // nothing: must be made anew
    std::int64_t around_until_ = 0;
    std::chrono::steady_clock::time_point next_pass_, next_retry_;
    Figures figures_;
    std::optional<base::Error> broken_;
    std::string ended_;

    CommitQueue queue_;
    EventHub hub_;
    std::thread committer_, converger_;
};

}  // namespace brain::core
