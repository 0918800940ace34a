// The catalogue by kind of subject: what can be said about a container, about all pairs, about the
// host. Used by judge.cpp and by the test that wants a failing case of every entry.
#pragma once

#include "garden/audit/judge.hpp"

#include <span>

namespace garden::audit {

std::span<const Item> container_items();
std::span<const Item> pair_items();
std::span<const Item> host_items();

}  // namespace garden::audit
