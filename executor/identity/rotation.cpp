#include "executor/identity/identity.hpp"

namespace executor {

WallTime rotation_time(std::chrono::seconds validity, WallTime issued) {
    constexpr std::chrono::hours kLong{4};
    constexpr std::chrono::minutes kBeforeEnd{30};
    // The division first: no validity can wrap.
    const auto wait = validity > kLong ? validity - kBeforeEnd : validity - validity / 8;
    return issued + wait;
}

WallTime rotation_time(const Certificate& certificate) {
    const auto validity = std::chrono::duration_cast<std::chrono::seconds>(
            certificate.not_after - certificate.not_before);
    return rotation_time(validity, certificate.not_before);
}

}  // namespace executor
