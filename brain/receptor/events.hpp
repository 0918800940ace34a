// The data of an event as 2015's clients read it (receptor-api §10). Used by the event stream and
// its tests.
#pragma once

#include "brain/api/event.hpp"

#include <string>

namespace brain::receptor {

// One line of JSON; "" for the kinds that 2015 did not have: they are left out.
std::string data_of(const api::Event& event);

}  // namespace brain::receptor
