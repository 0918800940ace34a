#include "cli/output_file.hpp"

#include "base/sys/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace cli {

base::Result<void> write_output_file(
        const std::string& path, std::string_view data, ::mode_t mode) {
    const base::FdRef here(AT_FDCWD);
    const auto slash = path.rfind('/');
    const auto name = slash == std::string::npos ? path : path.substr(slash + 1);
    const bool exists = TRY(base::sys::exists_at(here, path));
    if (exists) {
        const auto status = TRY(base::sys::stat_at(here, path));
        if (!S_ISREG(status.st_mode)) {
            // A pipe, a terminal, /dev/null, a link: written to, never replaced.
            const auto file = TRY(base::sys::open_host(path, O_WRONLY | O_TRUNC | O_NOCTTY));
            return base::sys::write_all(file, data);
        }
    }
    const auto folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const auto directory = TRY(base::sys::open_host(folder, O_RDONLY | O_DIRECTORY));
    return base::sys::write_atomic_at(directory, name, data, mode, base::sys::Durable::no);
}

}  // namespace cli
