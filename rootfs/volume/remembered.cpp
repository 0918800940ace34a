#include "rootfs/volume/remembered.hpp"

#include "base/sys/file.hpp"

namespace rootfs {

namespace sys = base::sys;

void remember(base::FdRef directory, const char* name, std::string_view text) {
    if (remembered(directory, name) == text) return;
    (void)sys::write_atomic_at(directory, name, text, 0600, sys::Durable::no);
}

std::string remembered(base::FdRef directory, const char* name) {
    constexpr std::size_t kMost = 64;
    return sys::read_file_at(directory, name, kMost).value_or(std::string());
}

}  // namespace rootfs
