#include "brain/model/outcome.hpp"

#include <iterator>

namespace brain::model {

namespace {

template <class T>
void move_behind(std::vector<T>& to, std::vector<T>& from) {
    if (to.empty())
        to = std::move(from);
    else
        to.insert(
                to.end(), std::make_move_iterator(from.begin()),
                std::make_move_iterator(from.end()));
}

}  // namespace

bool Outcome::empty() const {
    return changes.empty() && events.empty() && starts.empty() && task_starts.empty() &&
           stops.empty() && cancels.empty() && updates.empty() && callbacks.empty();
}

void Outcome::append(Outcome other) {
    move_behind(changes, other.changes);
    move_behind(events, other.events);
    move_behind(starts, other.starts);
    move_behind(task_starts, other.task_starts);
    move_behind(stops, other.stops);
    move_behind(cancels, other.cancels);
    move_behind(updates, other.updates);
    move_behind(callbacks, other.callbacks);
}

}  // namespace brain::model
