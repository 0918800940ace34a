// Mirror: who knows the world only by its events, as a router does. Used by the tests of
// brain/model.
#pragma once

#include "brain/model/outcome.hpp"

#include <map>
#include <string>
#include <tuple>

namespace test {

class Mirror {
  public:
    void see(const brain::model::Outcome& outcome) {
        for (const auto& event : outcome.events) see(event);
    }

    // The first difference, "" when there is none.
    std::string differs(const brain::model::World& world) const;

  private:
    using Place = std::tuple<std::string, std::int32_t, brain::api::Presence>;

    void see(const brain::api::Event& event);
    void forget(const brain::model::ActualPtr& row);

    static Place place(const brain::model::ActualPtr& row) {
        return {row->key.process_guid, row->key.index, row->presence};
    }

    std::map<Place, brain::model::ActualPtr> rows_;
    std::map<std::string, brain::model::DesiredPtr> desired_;
    std::map<std::string, brain::model::TaskPtr> tasks_;
};

}  // namespace test
