#include "rootfs/fetch/files.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace rootfs {

namespace {

base::Result<std::uint64_t> regular_size(base::FdRef file, std::string_view name) {
    const auto status = TRY(base::sys::stat_fd(file));
    if (!S_ISREG(status.st_mode))
        return base::fail(base::Errc::corrupt, "{} is not a regular file", name);
    return static_cast<std::uint64_t>(status.st_size);
}

class DirectoryFiles final : public Files {
  public:
    explicit DirectoryFiles(base::Fd directory) : directory_(std::move(directory)) {}

    base::Result<Part> open(const std::string& name) const override {
        // Links inside a layout lead nowhere (MD-01); a FIFO must not block.
        auto file = TRY(base::sys::open_in(
                directory_, name, O_RDONLY | O_NONBLOCK, base::sys::Resolve::beneath_no_links));
        const auto size = TRY(regular_size(file, name));
        return Part{.file = std::move(file), .offset = 0, .size = size};
    }

  private:
    base::Fd directory_;
};

std::string plain_name(std::string_view name) {
    while (name.starts_with("./")) name.remove_prefix(2);
    while (name.starts_with('/')) name.remove_prefix(1);
    return std::string(name);
}

// Where a symbolic link of an archive member points: "../x/layer.tar" seen from "y/layer.tar".
std::string follow(std::string_view from, std::string_view link) {
    std::string directory(
            from.substr(0, from.rfind('/') == std::string_view::npos ? 0 : from.rfind('/')));
    while (link.starts_with("../")) {
        link.remove_prefix(3);
        const auto slash = directory.rfind('/');
        directory.resize(slash == std::string::npos ? 0 : slash);
    }
    return directory.empty() ? plain_name(link) : directory + "/" + plain_name(link);
}

class TarFiles final : public Files {
  public:
    TarFiles(base::Fd file, std::map<std::string, TarMember> members)
        : file_(std::move(file)), members_(std::move(members)) {}

    base::Result<Part> open(const std::string& name) const override {
        auto found = members_.find(plain_name(name));
        // Old docker archives name a shared layer by a link: one step, so that nothing goes in
        // circles.
        if (found != members_.end() && !found->second.link.empty()) {
            found = members_.find(follow(found->first, found->second.link));
        }
        if (found == members_.end() || !found->second.link.empty()) {
            return base::fail(
                    base::Errc::not_found, "the archive has no member '{}'", name.substr(0, 200));
        }
        return Part{
                .file = TRY(base::sys::duplicate(file_)),
                .offset = found->second.offset,
                .size = found->second.size};
    }

  private:
    base::Fd file_;
    std::map<std::string, TarMember> members_;
};

}  // namespace

base::Result<std::unique_ptr<Files>> open_directory_files(const std::string& path) {
    auto directory = TRY(base::sys::open_host(path, O_RDONLY | O_DIRECTORY));
    return std::unique_ptr<Files>(std::make_unique<DirectoryFiles>(std::move(directory)));
}

base::Result<std::unique_ptr<Files>> open_tar_files(const std::string& path) {
    auto file = TRY(base::sys::open_host(path, O_RDONLY | O_NONBLOCK));
    (void)TRY(regular_size(file, path));
    if (const auto packing = TRY(sniff_packing(file)); packing != Packing::none) {
        return base::fail(
                base::Errc::unsupported,
                "{}: a compressed archive is not read (hint: decompress it first)", path);
    }
    auto members = TRY(index_tar(file).context(path));
    return std::unique_ptr<Files>(std::make_unique<TarFiles>(std::move(file), std::move(members)));
}

base::Result<std::string> read_part(const Part& part, std::size_t limit, std::string_view what) {
    if (part.size > limit) {
        return base::fail(
                base::Errc::exhausted, "{} has {} bytes, the limit is {}", what, part.size, limit);
    }
    std::string out(static_cast<std::size_t>(part.size), '\0');
    std::size_t have = 0;
    while (have < out.size()) {
        const auto n =
                ::pread(part.file.get(), out.data() + have, out.size() - have,
                        static_cast<off_t>(part.offset + have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return base::fail_errno("read {}", what);
        if (n == 0)
            return base::fail(
                    base::Errc::corrupt, "{} ends after {} of {} bytes", what, have, part.size);
        have += static_cast<std::size_t>(n);
    }
    return out;
}

base::Result<base::Fd> copy_part(
        const Part& part,
        const Digest& digest,
        base::FdRef scratch,
        const ByteCount& received,
        const Cancelled& cancelled) {
    auto copy = TRY(scratch_file(scratch));
    Hasher hasher(digest);
    std::string block(std::size_t{1} << 20, '\0');
    for (std::uint64_t done = 0; done < part.size;) {
        if (cancelled.load()) return cancelled_error();
        const auto want = std::min<std::uint64_t>(block.size(), part.size - done);
        const auto n = ::pread(
                part.file.get(), block.data(), want, static_cast<off_t>(part.offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return base::fail_errno("read a layer");
        if (n == 0)
            return base::fail(
                    base::Errc::corrupt, "a layer ends after {} of {} bytes", done, part.size);
        const std::string_view piece(block.data(), static_cast<std::size_t>(n));
        if (!digest.empty()) hasher.update(piece);
        TRY(base::sys::write_all(copy, piece));
        done += piece.size();
        if (received) received(done);
    }
    if (!digest.empty()) {
        if (const auto found = hasher.finish(); found != digest) {
            return base::fail(
                    base::Errc::corrupt, "blob {} has the digest {}", digest.get(), found.get());
        }
    }
    if (::lseek(copy.get(), 0, SEEK_SET) < 0) return base::fail_errno("rewind a layer");
    return copy;
}

base::Result<Packing> sniff_packing(base::FdRef file) {
    std::array<unsigned char, 4> head{};
    if (::pread(file.get(), head.data(), head.size(), 0) < 0)
        return base::fail_errno("read the first bytes");
    if (head[0] == 0x1f && head[1] == 0x8b) return Packing::gzip;
    if (head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd)
        return Packing::zstd;
    return Packing::none;
}

}  // namespace rootfs
