#include "tests/fuzz/sandbox.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"

#include <fcntl.h>
#include <sched.h>

#include <linux/mount.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fuzz {

namespace sys = base::sys;

namespace {

constexpr const char* kBytes = "67108864";
constexpr const char* kInodes = "4096";

base::Result<base::Fd> small_file_system() {
    const base::Fd context = TRY(sys::fs_open("tmpfs"));
    TRY(sys::fs_set_string(context, "size", kBytes));
    TRY(sys::fs_set_string(context, "nr_inodes", kInodes));
    TRY(sys::fs_set_string(context, "mode", "0700"));
    TRY(sys::fs_create(context));
    return sys::fs_mount(context, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID);
}

// Of "-artifact_prefix=/crashes/" and of corpus folders.
std::vector<std::string> folders_of(int argc, char** argv) {
    std::vector<std::string> folders;
    for (int i = 1; i < argc; ++i) {
        std::string_view word = argv[i];
        if (word.starts_with('-')) word = word.substr(std::min(word.find('=') + 1, word.size()));
        std::error_code error;
        const auto path = std::filesystem::canonical(word, error);
        if (!error && std::filesystem::is_directory(path, error)) folders.push_back(path);
    }
    return folders;
}

}  // namespace

base::Result<base::Fd> enter_sandbox(int argc, char** argv) {
    if (::unshare(CLONE_NEWNS) != 0) return base::fail_errno("make a mount namespace");
    const base::FdRef here{AT_FDCWD};
    const base::Fd root = TRY(sys::open_host("/", O_PATH | O_DIRECTORY));
    TRY(sys::mount_by_path("none", "/", MS_REC | MS_PRIVATE, ""));
    std::vector<std::pair<std::string, base::Fd>> writable;
    for (auto& folder : folders_of(argc, argv)) {
        auto clone = TRY(sys::clone_tree(here, folder, false));
        writable.emplace_back(std::move(folder), std::move(clone));
    }
    TRY(sys::set_mount_attributes(root, MOUNT_ATTR_RDONLY, 0, true));
    for (const auto& [folder, clone] : writable) TRY(sys::attach_mount(clone, here, folder));
    return small_file_system();
}

}  // namespace fuzz
