// The packed form of an actual LRP. Private to brain/model.
#pragma once

#include "brain/api/lrp.hpp"

#include <string>
#include <string_view>

namespace brain::model {

// Everything but process, index and presence, which are in the key.
void pack(std::string& out, const api::ActualLrp& lrp);
bool unpack(std::string_view in, api::ActualLrp& lrp);  // false: it is not whole

}  // namespace brain::model
