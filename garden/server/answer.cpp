#include "garden/server/answer.hpp"

#include "base/parse.hpp"
#include "base/sys/file.hpp"

#include <unistd.h>

namespace garden::server {

std::uint64_t resident_bytes() {
    const auto text = base::sys::read_host_file("/proc/self/statm").value_or(std::string());
    const auto begin = text.find(' ') + 1;
    const auto pages = base::parse_number<std::uint64_t>(
            text.substr(begin, text.find(' ', begin) - begin), "statm");
    return pages ? *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace garden::server
