#include "base/version.hpp"

namespace base {

std::string_view version() {
    return CLOCHE_VERSION " (" CLOCHE_COMMIT ")";
}

}  // namespace base
