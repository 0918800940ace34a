// A place in the source, captured by a default argument; used by Error and the log.
// Not std::source_location: clang 14 cannot compile GCC 12's header (conventions §2).
#pragma once

namespace base {

struct Where {
    const char* file = "";
    int line = 0;

    static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return {file, line};
    }
};

}  // namespace base
