#include "base/sys/without_capability.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include <array>

namespace base::sys {

namespace {

using Sets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

// Says whether the effective set was changed. The raw call: libcap's would reach other threads.
bool change(unsigned capability, bool effective) {
    __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    Sets sets = {};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
    auto& set = sets.at(CAP_TO_INDEX(capability));
    const auto bit = CAP_TO_MASK(capability);
    const auto before = set.effective;
    set.effective = effective ? before | bit : before & ~bit;
    return set.effective != before && ::syscall(SYS_capset, &header, sets.data()) == 0;
}

}  // namespace

WithoutCapability::WithoutCapability(unsigned capability) noexcept
    : dropped_(change(capability, false)), capability_(capability) {}

WithoutCapability::~WithoutCapability() {
    if (dropped_) (void)change(capability_, true);
}

}  // namespace base::sys
