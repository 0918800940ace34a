// The table of contents of image archives: every member lies inside of the file.
#include "base/sys/file.hpp"
#include "rootfs/fetch/files.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/tar_input.hpp"

#include <sys/mman.h>

#include <string>

// First byte: bit 7: checksums as they are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const bool repair = input.byte() < 128;
    const std::string archive =
            repair ? fuzz::with_checksums(input.rest()) : std::string(input.rest());
    const base::Fd file(::memfd_create("archive", MFD_CLOEXEC));
    fuzz::require(base::sys::write_all(file, archive).has_value(), "the archive can be written");
    const auto members = rootfs::index_tar(file);
    if (!members) return 0;
    fuzz::require(members->size() <= rootfs::kMaxTarMembers, "members are bounded");
    for (const auto& [name, member] : *members) {
        fuzz::require(
                member.size <= archive.size() && member.offset <= archive.size() - member.size,
                "a member lies inside");
        fuzz::require(name.find('\0') == std::string::npos, "names are C strings");
        fuzz::require(member.link.size() <= rootfs::kMaxTarHeader, "link targets are bounded");
    }
    return 0;
}
