// The three container classes (security-model §3). Used by everything in security and by garden.
#pragma once

#include <cstdint>
#include <string_view>

namespace security {

enum class Class : std::uint8_t { unprivileged, privileged, privileged_in_userns };

constexpr std::string_view to_string(Class value) {
    switch (value) {
        case Class::unprivileged:
            return "unprivileged";
        case Class::privileged:
            return "privileged";
        case Class::privileged_in_userns:
            return "privileged-in-userns";
    }
    return "";
}

}  // namespace security
