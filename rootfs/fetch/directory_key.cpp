#include "rootfs/fetch/directory_key.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace rootfs {

namespace {

constexpr std::uint64_t kMaxEntries = 2'000'000;  // IMG-04
constexpr unsigned kMaxDepth = 512;

class Walk {
  public:
    base::Result<void> visit(base::FdRef directory, unsigned depth) {
        if (depth > kMaxDepth)
            return base::fail(base::Errc::exhausted, "the directory is deeper than {}", kMaxDepth);
        auto names = TRY(base::sys::list_directory(directory));
        std::sort(names.begin(), names.end());
        for (const auto& name : names) {
            if (++entries_ > kMaxEntries) {
                return base::fail(
                        base::Errc::exhausted, "the directory has more than {} entries",
                        kMaxEntries);
            }
            const auto status = TRY(base::sys::stat_at(directory, name));
            note(name, status);
            if (!S_ISDIR(status.st_mode)) continue;
            const auto child =
                    TRY(base::sys::open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
            TRY(visit(child, depth + 1));
        }
        hasher_.update(std::string_view("\0end", 4));
        return base::ok;
    }

    void note(std::string_view name, const struct ::stat& status) {
        hasher_.update(name);
        hasher_.update(std::string_view("\0", 1));
        for (const auto value :
             {static_cast<std::uint64_t>(status.st_mode), static_cast<std::uint64_t>(status.st_uid),
              static_cast<std::uint64_t>(status.st_gid), static_cast<std::uint64_t>(status.st_size),
              static_cast<std::uint64_t>(status.st_ino),
              static_cast<std::uint64_t>(status.st_ctim.tv_sec),
              static_cast<std::uint64_t>(status.st_ctim.tv_nsec)}) {
            char bytes[sizeof value];
            std::memcpy(bytes, &value, sizeof value);
            hasher_.update({bytes, sizeof bytes});
        }
    }

    Digest finish() { return hasher_.finish(); }

  private:
    Hasher hasher_;
    std::uint64_t entries_ = 0;
};

}  // namespace

base::Result<Digest> directory_key(base::FdRef directory) {
    Walk walk;
    const auto status = TRY(base::sys::stat_fd(directory));
    walk.note(base::format("directory on {}", status.st_dev), status);
    TRY(walk.visit(directory, 0));
    return walk.finish();
}

}  // namespace rootfs
