#include "base/sys/self.hpp"

#include "base/parse.hpp"
#include "base/sys/error.hpp"

#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/capability.h>

#include <array>
#include <limits>
#include <string_view>

namespace base::sys {

Result<std::uint64_t> own_bounding_capabilities() {
    std::uint64_t mask = 0;
    for (unsigned long capability = 0; capability < 64; ++capability) {
        const int held = ::prctl(PR_CAPBSET_READ, capability, 0UL, 0UL, 0UL);
        if (held < 0) {
            // The first number that the kernel does not know ends the list.
            if (errno == EINVAL && capability > 0) break;
            return errno_error("read the capability bounding set");
        }
        if (held == 1) mask |= std::uint64_t{1} << capability;
    }
    return mask;
}

Result<std::uint64_t> own_effective_capabilities() {
    __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> data = {};
    if (::syscall(SYS_capget, &header, data.data()) != 0)
        return errno_error("read the effective capabilities");
    return std::uint64_t{data[0].effective} | (std::uint64_t{data[1].effective} << 32);
}

Result<ResourceLimit> own_resource_limit(int resource) {
    rlimit64 limit = {};
    if (::syscall(SYS_prlimit64, 0, resource, nullptr, &limit) != 0) {
        return errno_error("read resource limit " + std::to_string(resource));
    }
    return ResourceLimit{.soft = limit.rlim_cur, .hard = limit.rlim_max};
}

Result<std::uint32_t> random_below(std::uint32_t bound) {
    if (bound == 0) return plain_error(Errc::internal, "a random number below 0 was asked for");
    constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
    const std::uint32_t fair = kMax - kMax % bound;
    for (;;) {
        std::uint32_t value = 0;
        const ssize_t n = ::getrandom(&value, sizeof value, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n != static_cast<ssize_t>(sizeof value)) return errno_error("read random bytes");
        if (value < fair) return value % bound;
    }
}

Result<KernelVersion> kernel_version() {
    utsname name = {};
    if (::uname(&name) != 0) return errno_error("read the kernel's name");
    const std::string_view release(name.release);
    const auto dot = release.find('.');
    if (dot == std::string_view::npos)
        return plain_error(Errc::corrupt, "kernel release has no dot");
    const auto end = release.find_first_not_of("0123456789", dot + 1);
    const auto minor = release.substr(dot + 1, end == std::string_view::npos ? end : end - dot - 1);
    return KernelVersion{
            .major = TRY(parse_number<std::uint32_t>(release.substr(0, dot), "kernel release")),
            .minor = TRY(parse_number<std::uint32_t>(minor, "kernel release"))};
}

}  // namespace base::sys
