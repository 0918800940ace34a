// What both drivers say about keys: their limits, the end of a prefix, the directory of a path.
// Private to brain/store.
#pragma once

#include "brain/store/store.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace brain::store {

base::Result<void> check_key(std::string_view key);
base::Result<void> check_value(std::string_view key, std::string_view value);
base::Result<void> check_changes(std::span<const Change> changes);

// The first key behind all that begin with `prefix`; nothing when there is no such key.
std::optional<std::string> end_of_prefix(std::string_view prefix);

// A key for people: printable bytes as they are, the others as \xNN, cut at 64.
std::string printable(std::string_view key);

}  // namespace brain::store
