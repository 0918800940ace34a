// From the brain's records to the JSON shapes of 2015 (receptor-api §3.2, §4.2, §5.1, §6, §7, §8).
// Members that 2015 did not know are printed when they are set, image passwords never. Used by the
// routes, the events and their tests.
#pragma once

#include "base/json_writer.hpp"
#include "brain/api/public_brain.hpp"

namespace brain::receptor {

// Which record of an index 2015's clients see (receptor-api §5.2); a suspect stands in for an
// instance that does not run yet (bbs-api §2.2). Null when there is none.
api::ActualPtr flatten(const api::ActualLrpGroup& group);

void write(base::json::Writer& w, const api::Action& action);
void write(base::json::Writer& w, const api::EgressRule& rule);
void write(base::json::Writer& w, const api::Task& task);
void write(base::json::Writer& w, const api::DesiredLrp& desired);
// `evacuating`: in a changed event both records have the flag of the later one (§10).
void write(base::json::Writer& w, const api::ActualLrp& lrp, bool evacuating);
void write(base::json::Writer& w, const api::ActualLrp& lrp);
void write(base::json::Writer& w, const api::CellPresence& cell);

template <class T>
std::string json_of(const T& value) {
    base::json::Writer w;
    write(w, value);
    return w.take();
}

}  // namespace brain::receptor
