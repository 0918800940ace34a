#include "security/apparmor.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <algorithm>

namespace security {

using base::Errc;

base::Result<void> check_apparmor(const std::string& profile) {
    constexpr std::size_t kLongest = 255;
    // The name ends the kernel's command "exec NAME".
    const bool plain = std::all_of(
            profile.begin(), profile.end(), [](char c) { return c > ' ' && c != 0x7f; });
    if (profile.empty() || profile.size() > kLongest || !plain)
        return base::fail(
                Errc::invalid,
                "security.apparmor: a name of 1 to {} visible characters is needed, got \"{}\"",
                kLongest, profile.substr(0, 64));
    const auto enabled = base::sys::read_host_file("/sys/module/apparmor/parameters/enabled");
    if (enabled && enabled->starts_with('Y')) return base::ok;
    return base::fail(
            Errc::unsupported,
            "security.apparmor: profile \"{}\" cannot be applied, {}; hint: start without "
            "--apparmor, or boot a kernel that has AppArmor enabled",
            profile, enabled ? "AppArmor is switched off" : "this kernel has no AppArmor");
}

}  // namespace security
