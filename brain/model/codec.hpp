// Codec: how each record is kept in a store: keys by kind, values with the version of their form.
// Reads every older form; refuses a newer one by name (Errc::unsupported). Used by brain/core.
#pragma once

#include "base/result.hpp"
#include "brain/model/world.hpp"
#include "brain/store/store.hpp"

namespace brain::model {

inline constexpr std::uint32_t kSchemaVersion = 1;
inline constexpr std::string_view kSchemaKey = "meta/schema";

// "desired/GUID", "actual/GUID/INDEX/PRESENCE", "task/GUID", "domain/NAME", "cell/ID".
std::vector<store::Change> encode_all(const RecordChange& change);  // a moved row: two keys
// The record as something that was created. Unknown prefixes are nothing.
base::Result<std::optional<RecordChange>> decode(std::string_view key, std::string_view value);

}  // namespace brain::model
