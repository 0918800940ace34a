// The record of a cache entry as JSON, and the machine's boot. Private to executor/fetch.
#pragma once

#include "executor/fetch/cache.hpp"

#include <string>
#include <string_view>

namespace executor {

std::string encode_record(const CacheEntry::Record& record);
// `name`: of the file, without .json; it says key and serial. Errc::invalid: not one of ours.
base::Result<CacheEntry::Record> decode_record(std::string_view name, std::string_view text);
bool is_record_name(std::string_view name);  // <32 hex digits>-<number>
// A directory has too many files to make durable one by one: after a crash of the machine its
// content is not trusted. "" when the kernel does not say.
const std::string& boot_id();

}  // namespace executor
