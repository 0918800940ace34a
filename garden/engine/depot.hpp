// The depot: one directory per container with its record, its /etc files, its process rows and the
// shim's socket. The truth about containers, together with the shims. Used by garden/engine only.
// Safe from any thread.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/engine/record.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace garden {

// The hash and the listing of a container's system-call filter, in its bundle (SC-10).
inline constexpr const char* kFilterFile = "seccomp";

class Depot {
  public:
    // `directory` is made when missing, 0700 (NNP-05).
    static base::Result<Depot> open(const std::string& directory);

    std::string path_of(const Handle& handle) const;
    base::Result<std::vector<Handle>> list() const;

    // already_exists when there is one.
    base::Result<base::Fd> create_bundle(const Handle& handle) const;
    base::Result<base::Fd> open_bundle(const Handle& handle) const;
    base::Result<void> remove(const Handle& handle) const;  // idempotent

    // Replaces the record as a whole, or changes nothing.
    static base::Result<void> save(base::FdRef bundle, const ContainerRecord& record);
    static base::Result<ContainerRecord> load(base::FdRef bundle);

    static base::Result<void> save_process(base::FdRef bundle, const ProcessRecord& record);
    static void drop_process(base::FdRef bundle, std::string_view id);
    static std::vector<ProcessRecord> load_processes(
            base::FdRef bundle);  // unreadable ones are left out

    // A file that is bound into the container, owned by its root.
    static base::Result<void> write_file(
            base::FdRef bundle,
            const std::string& name,
            std::string_view text,
            std::uint32_t owner);

  private:
    explicit Depot(std::string directory, base::Fd fd)
        : directory_(std::move(directory)), fd_(std::move(fd)) {}

    std::string directory_;
    base::Fd fd_;
};

}  // namespace garden
