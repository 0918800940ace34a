// The members of an object inside a JSON text, byte for byte as they were written (receptor-api
// §4.5): a parser keeps neither order nor blanks. Used for `routes`.
#pragma once

#include "base/result.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace brain::receptor {

// Of the object that is member `name` of the object in `text`; nothing when it is absent or null.
// `text` has been read by base::json before, which is what has checked its syntax. The last of two
// equal names wins, as there.
base::Result<std::optional<std::map<std::string, std::string>>> raw_members(
        std::string_view text, std::string_view name);

}  // namespace brain::receptor
