// Layers of images, unpacked as rootfs-unpack does: nothing outside of the target changes, limits
// hold, and what a layer must not bring (devices, foreign ids, whiteouts under their names,
// overlay's attributes) is not there afterwards (IMG-04, IMG-21..27).
#include "base/sys/file.hpp"
#include "rootfs/store/tree.hpp"
#include "rootfs/unpack/extract.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/sandbox.hpp"
#include "tests/fuzz/tar_input.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace sys = base::sys;

namespace {

constexpr std::uint32_t kIdLimit = 65'536;
constexpr const char* kCanary = "must not change";

constexpr rootfs::UnpackLimits kLimits{
        .layer_bytes = 1 << 20, .ratio = 20, .ratio_free_bytes = 64 << 10, .entries = 64};

std::optional<base::Fd> work;  // the sandbox; nothing when there is none

struct Found {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 0;
};

void check_attributes(base::FdRef file) {
    std::array<char, 65'536> names{};
    const ssize_t size = ::flistxattr(file.get(), names.data(), names.size());
    for (std::string_view rest(names.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
         !rest.empty();) {
        const auto name = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(name.size() + 1);
        fuzz::require(
                name == "security.capability" ||
                        (name.starts_with("user.") && !name.starts_with("user.overlay.")),
                "only attributes of users and capabilities are kept");
    }
}

void check_tree(base::FdRef directory, Found& found, int depth) {
    const auto names = sys::list_directory(directory);
    fuzz::require(names.has_value() && depth < 4096, "what was unpacked can be listed");
    for (const auto& name : *names) {
        const auto status = sys::stat_at(directory, name).value();
        fuzz::require(!name.starts_with(".wh."), "no whiteout keeps its name");
        fuzz::require(status.st_uid < kIdLimit && status.st_gid < kIdLimit, "ids are in range");
        const bool node = S_ISBLK(status.st_mode) || S_ISSOCK(status.st_mode) ||
                          (S_ISCHR(status.st_mode) && status.st_rdev != 0);
        fuzz::require(!node, "devices are left out");
        ++found.inodes;
        if (S_ISREG(status.st_mode)) found.bytes += static_cast<std::uint64_t>(status.st_size);
        if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) continue;
        const int flags = O_RDONLY | O_NOFOLLOW | (S_ISDIR(status.st_mode) ? O_DIRECTORY : 0);
        const auto file = sys::open_at(directory, name, flags).value();
        check_attributes(file);
        if (S_ISDIR(status.st_mode)) check_tree(file, found, depth + 1);
    }
}

base::Fd blob_of(std::string_view bytes) {
    base::Fd blob(::memfd_create("blob", MFD_CLOEXEC));
    fuzz::require(sys::write_all(blob, bytes).has_value(), "the blob can be written");
    fuzz::require(::lseek(blob.get(), 0, SEEK_SET) == 0, "the blob can be rewound");
    return blob;
}

base::Result<rootfs::WriteCounts> unpack(
        rootfs::Compression compression, base::FdRef blob, base::FdRef root) {
    rootfs::TarStream stream(compression, kLimits, {});
    stream.open(blob);
    rootfs::TreeWriter writer(root, kLimits, kIdLimit);
    TRY(rootfs::extract(stream, writer));
    TRY(writer.finish([](const std::string& directory) {
        fuzz::require(
                directory.find("..") == std::string::npos || directory.find("../") != 0,
                "opaque directories are inside");
        return base::Result<void>(base::ok);
    }));
    fuzz::require(stream.digest().size() == 71, "a layer has a digest");
    return writer.counts();
}

void check_surroundings(base::FdRef parent) {
    fuzz::require(sys::list_directory(parent).value().size() == 2, "nothing appears beside");
    fuzz::require(sys::read_file_at(parent, "canary").value() == kCanary, "nothing beside changes");
    const auto status = sys::stat_at(parent, "canary").value();
    fuzz::require(
            status.st_mode == (S_IFREG | 0600) && status.st_uid == 0 && status.st_nlink == 1,
            "nothing beside gets other attributes");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    rootfs::prepare_extraction();
    auto made = fuzz::enter_sandbox(*argc, *argv);
    if (!made) {
        std::printf("SKIP: needs root: %s\n", made.error().text.c_str());
        return 0;
    }
    work = std::move(*made);
    (void)::umask(0);
    const auto canary = sys::open_at(*work, "canary", O_WRONLY | O_CREAT | O_EXCL, 0600).value();
    fuzz::require(sys::write_all(canary, kCanary).has_value(), "the canary can be written");
    return 0;
}

// First byte: compression; bit 7: checksums as they are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (!work) return 0;
    fuzz::Input input(data, size);
    const auto choice = input.byte();
    const auto compression = static_cast<rootfs::Compression>(choice % 3);
    const bool repair = compression == rootfs::Compression::none && choice < 128;
    const auto blob =
            blob_of(repair ? fuzz::with_checksums(input.rest()) : std::string(input.rest()));
    fuzz::require(sys::make_directory_at(*work, "tree", 0755).has_value(), "a tree can be made");
    {
        const auto root = sys::open_at(*work, "tree", O_RDONLY | O_DIRECTORY).value();
        const auto counts = unpack(compression, blob, root);
        if (counts) {
            Found found;
            check_tree(root, found, 0);
            fuzz::require(counts->entries <= kLimits.entries, "entries are bounded");
            fuzz::require(counts->bytes <= kLimits.layer_bytes, "bytes are bounded");
        } else {
            fuzz::require(counts.error().sys != EROFS, "nothing is written outside");
        }
    }
    check_surroundings(*work);
    fuzz::require(rootfs::remove_tree(*work, "tree").has_value(), "a tree can be removed");
    return 0;
}
