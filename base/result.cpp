#include "base/result.hpp"

#include <string.h>

namespace base {

std::string errno_text(int error) {
    const char* text = ::strerrordesc_np(error);  // glibc 2.32: no locale, no shared buffer
    std::string out = text != nullptr ? text : "error " + std::to_string(error);
    if (!out.empty() && out.front() >= 'A' && out.front() <= 'Z') {
        out.front() = static_cast<char>(out.front() - 'A' + 'a');
    }
    return out;
}

}  // namespace base
