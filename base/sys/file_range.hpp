// Reads, writes and locks at one place of an open file, and its way to the disk. The locks belong
// to the open descriptor, not to the process, and end with it, however that happens. Used by
// brain/store.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace base::sys {

// Exclusive, on one byte, which need not exist. False: another descriptor has it.
Result<bool> try_lock_byte(FdRef file, std::uint64_t offset);
// By another descriptor.
Result<bool> is_byte_locked(FdRef file, std::uint64_t offset);
Result<void> unlock_byte(FdRef file, std::uint64_t offset);

// How much there was: less than `into` only at the end of the file.
Result<std::size_t> read_at(FdRef file, std::uint64_t offset, std::span<char> into);
Result<void> write_at(FdRef file, std::uint64_t offset, std::string_view data);

Result<void> sync(FdRef file);  // fsync; of a directory: the names in it

}  // namespace base::sys
