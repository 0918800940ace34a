// Strict JSON for documents of foreign origin: no duplicate keys, bounded depth (IMG-04). Used by
// the parsers of rootfs. Also the typed look-ups that turn a missing or wrong member into an error
// that names it.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace rootfs {

using Json = nlohmann::json;

inline constexpr int kMaxJsonDepth = 64;  // IMG-04

// `what` names the document in errors ("manifest"). The caller has bounded the size.
base::Result<Json> parse_json(std::string_view text, std::string_view what);

// The member `name` of the object `from`; absent and null give the empty value, a wrong type is an
// error.
base::Result<std::string> text_member(const Json& from, const char* name, std::string_view what);
base::Result<std::vector<std::string>> texts_member(
        const Json& from, const char* name, std::string_view what);
base::Result<std::uint64_t> size_member(const Json& from, const char* name, std::string_view what);
const Json* member(const Json& from, const char* name);  // nullptr when absent or null

}  // namespace rootfs
