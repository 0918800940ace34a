// The two arguments of `cloche cp`: a local path or HANDLE:PATH. Used by the cp command.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace cli {

struct CopyPath {
    std::string handle;  // "" = local
    std::string path;    // "-" = standard input or output, a tar

    bool local() const { return handle.empty(); }
};

// As docker reads it: "h:/p" is in a container; "/p", "./h:p", "-" and anything with a '/' before
// the ':' are local.
base::Result<CopyPath> parse_copy_path(std::string_view text);

}  // namespace cli
