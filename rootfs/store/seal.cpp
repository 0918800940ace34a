#include "rootfs/store/seal.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/xattr.hpp"
#include "rootfs/image/digest.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr std::string_view kFirstLine = "cloche layer seal 1\n";
constexpr std::string_view kLastWord = "end ";
constexpr unsigned kDeepest = 2048;  // a path of 4096 bytes has no more components (IMG-04)
constexpr std::size_t kBlock = std::size_t{256} << 10;
constexpr std::size_t kHashDigits = 32;

// What a line says, in its order; the words are for people.
constexpr std::array<const char*, 7> kFields{"type", "mode",    "owner",     "group",
                                             "time", "content", "attributes"};

std::string short_hash(Hasher& hasher) {
    return std::string(hex_of(hasher.finish()).substr(0, kHashDigits));
}

char type_of(mode_t mode) {
    if (S_ISREG(mode)) return 'f';
    if (S_ISDIR(mode)) return 'd';
    if (S_ISLNK(mode)) return 'l';
    if (S_ISFIFO(mode)) return 'p';
    if (S_ISCHR(mode)) return 'c';
    return S_ISBLK(mode) ? 'b' : 's';
}

// A name may hold anything but NUL and '/'; a line must stay a line.
std::string escaped(const std::string& path) {
    std::string out;
    for (const char c : path) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
    return out;
}

// Goes through a tree in a fixed order and tells a line of kFields for each entry.
class Surveyor {
  public:
    using Tell = std::function<void(const std::string& path, const std::string& fields)>;

    Surveyor(const std::atomic<bool>* cancelled, Tell tell)
        : cancelled_(cancelled), tell_(std::move(tell)), block_(kBlock, '\0') {}

    Result<void> directory(FdRef directory, const std::string& path, unsigned depth) {
        if (depth > kDeepest)
            return base::fail(Errc::exhausted, "{}: nested deeper than {}", path, kDeepest);
        const auto status = TRY(sys::stat_fd(directory));
        tell_(path.empty() ? "." : path, fields(status, "-", TRY(attributes(directory))));
        auto names = TRY(sys::list_directory(directory));
        std::sort(names.begin(), names.end());
        for (const auto& name : names) {
            if (cancelled_ != nullptr && cancelled_->load(std::memory_order_relaxed))
                return base::fail(Errc::cancelled, "the check was cancelled");
            const auto child = path.empty() ? name : path + "/" + name;
            auto done = one(directory, name, child, depth);
            if (done) continue;
            if (done.error().kind == Errc::cancelled || done.error().kind == Errc::exhausted)
                return done;
            if (cancelled_ == nullptr) return done;  // what cannot be read cannot be sealed
            // A block that the disk does not give back is damage, not the end of the check.
            tell_(child, "unreadable");
        }
        return base::ok;
    }

    std::uint64_t bytes = 0;

  private:
    Result<void> one(
            FdRef parent, const std::string& name, const std::string& path, unsigned depth) {
        const auto status = TRY(sys::stat_at(parent, name));
        if (S_ISDIR(status.st_mode)) {
            const Fd child = TRY(sys::open_in(
                    parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                    sys::Resolve::beneath_no_links));
            return directory(child, path, depth + 1);
        }
        if (S_ISREG(status.st_mode)) {
            const Fd file = TRY(sys::open_in(
                    parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                    sys::Resolve::beneath_no_links));
            auto hash = TRY(content(file, status));
            auto named = TRY(attributes(file));
            tell_(path, fields(status, hash, named));
            return base::ok;
        }
        std::string what = "-";
        if (S_ISLNK(status.st_mode)) {
            Hasher hasher;
            hasher.update(TRY(sys::read_link_at(parent, name)));
            what = short_hash(hasher);
        } else if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
            what = std::to_string(status.st_rdev);
        }
        tell_(path, fields(status, what, "-"));
        return base::ok;
    }

    // Of several names of one file it is read once.
    Result<std::string> content(FdRef file, const struct ::stat& status) {
        if (status.st_nlink > 1) {
            const auto known = linked_.find(status.st_ino);
            if (known != linked_.end()) return known->second;
        }
        Hasher hasher;
        for (off_t at = 0;;) {
            const ssize_t n = ::pread(file.get(), block_.data(), block_.size(), at);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return base::fail_errno("read");
            if (n == 0) break;
            hasher.update({block_.data(), static_cast<std::size_t>(n)});
            bytes += static_cast<std::uint64_t>(n);
            at += n;
        }
        auto hash = short_hash(hasher);
        if (status.st_nlink > 1) linked_.emplace(status.st_ino, hash);
        return hash;
    }

    static Result<std::string> attributes(FdRef file) {
        auto names = TRY(sys::list_xattrs(file));
        if (names.empty()) return std::string("-");
        std::sort(names.begin(), names.end());
        Hasher hasher;
        for (const auto& name : names) {
            const auto value = TRY(sys::get_xattr(file, name));
            hasher.update(base::format("{} {}\n", name, value ? value->size() : 0));
            if (value) hasher.update(*value);
        }
        return short_hash(hasher);
    }

    static std::string fields(
            const struct ::stat& status, const std::string& what, const std::string& attributes) {
        // The time of a directory changes with what comes and goes in it, which is found anyway.
        const auto time =
                S_ISDIR(status.st_mode)
                        ? std::string("-")
                        : base::format("{}.{}", status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
        return base::format(
                "{} {:o} {} {} {} {} {}", type_of(status.st_mode), status.st_mode & 07777U,
                status.st_uid, status.st_gid, time, what, attributes);
    }

    const std::atomic<bool>* cancelled_;
    Tell tell_;
    std::string block_;
    std::map<ino_t, std::string> linked_;
};

std::string ending(std::string_view body) {
    return std::string(kLastWord) + sha256(body).get() + "\n";
}

using Lines = std::unordered_map<std::string, std::string>;  // path -> fields

Result<Lines> parse_seal(std::string_view text) {
    const auto end = text.rfind(kLastWord);
    if (!text.starts_with(kFirstLine) || end == std::string_view::npos ||
        text.substr(end) != ending(text.substr(0, end))) {
        return base::fail(Errc::corrupt, "the seal of the layer is damaged itself");
    }
    Lines lines;
    text = text.substr(kFirstLine.size(), end - kFirstLine.size());
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text = text.substr(std::min(line.size() + 1, text.size()));
        std::size_t at = 0;
        for (std::size_t i = 0; i < kFields.size() && at != std::string_view::npos; ++i)
            at = line.find(' ', i == 0 ? 0 : at + 1);
        if (at == std::string_view::npos)
            return base::fail(Errc::corrupt, "the seal of the layer has a line of another form");
        lines.emplace(line.substr(at + 1), line.substr(0, at));
    }
    return lines;
}

// Which of the fields differ.
std::string difference(std::string_view was, std::string_view is) {
    std::string out;
    for (const char* field : kFields) {
        const auto before = was.substr(0, was.find(' '));
        const auto now = is.substr(0, is.find(' '));
        if (before != now) out += (out.empty() ? "" : ", ") + std::string(field);
        was.remove_prefix(std::min(before.size() + 1, was.size()));
        is.remove_prefix(std::min(now.size() + 1, is.size()));
    }
    return out;
}

}  // namespace

Result<std::string> seal_tree(FdRef tree) {
    std::string out(kFirstLine);
    Surveyor surveyor(nullptr, [&out](const std::string& path, const std::string& fields) {
        out += fields + " " + escaped(path) + "\n";
    });
    TRY(surveyor.directory(tree, "", 0));
    if (out.size() > kMaxSeal)
        return base::fail(
                Errc::exhausted, "a seal of {} bytes, the limit is {}", out.size(), kMaxSeal);
    return out + ending(out);
}

Result<SealCheck> check_seal(
        FdRef tree, std::string_view seal, const std::atomic<bool>& cancelled) {
    auto lines = TRY(parse_seal(seal));
    SealCheck out;
    const auto find = [&out](std::string what) {
        ++out.differences;
        if (out.findings.size() < kMaxFindings) out.findings.push_back(std::move(what));
    };
    Surveyor surveyor(&cancelled, [&](const std::string& path, const std::string& fields) {
        ++out.entries;
        const auto name = escaped(path);
        const auto known = lines.find(name);
        if (known == lines.end()) return find("added: " + name);
        if (fields == "unreadable") {
            find("unreadable: " + name);
        } else if (known->second != fields) {
            find("changed: " + name + " (" + difference(known->second, fields) + ")");
        }
        lines.erase(known);
    });
    TRY(surveyor.directory(tree, "", 0));
    out.bytes = surveyor.bytes;
    std::vector<std::string> missing;
    for (const auto& [name, fields] : lines) missing.push_back(name);
    std::sort(missing.begin(), missing.end());
    for (const auto& name : missing) find("missing: " + name);
    return out;
}

}  // namespace rootfs
