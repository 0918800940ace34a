// Base64 in its two alphabets, one spelling for every value: a text that another encoder would
// write otherwise is refused. Used by HTTP authentication and tokens.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace base {

std::string encode_base64(std::string_view bytes);            // + and /, padded
Result<std::string> decode_base64(std::string_view text);     // the same, padding required
Result<std::string> decode_base64url(std::string_view text);  // - and _, no padding (RFC 7515)

}  // namespace base
