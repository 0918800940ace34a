// A file that a flag named: --output of an audit, --result of a task. Used by those commands.
#pragma once

#include "base/result.hpp"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace cli {

// Never half a file where it is ours to replace; a pipe, a terminal or a link is written to.
base::Result<void> write_output_file(const std::string& path, std::string_view data, ::mode_t mode);

}  // namespace cli
