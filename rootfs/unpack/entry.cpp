#include "rootfs/unpack/entry.hpp"

#include "base/fail.hpp"

#include <linux/capability.h>

#include <algorithm>
#include <cstring>

namespace rootfs {

using base::Errc;
using base::Result;

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kReserved = ".wh..wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

std::uint32_t little_endian(std::string_view bytes) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i)
        value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return value;
}

Result<XattrVerdict> judge_capability(EntryType type, std::string& value) {
    if (type != EntryType::file) return XattrVerdict::drop;
    constexpr std::size_t kRevision2 = 20;
    constexpr std::size_t kRevision3 = 24;
    const bool long_enough = value.size() == kRevision2 || value.size() == kRevision3;
    const std::uint32_t magic = long_enough ? little_endian(value) : 0;
    const std::uint32_t revision = magic & VFS_CAP_REVISION_MASK;
    if ((magic & ~std::uint32_t{VFS_CAP_REVISION_MASK | VFS_CAP_FLAGS_EFFECTIVE}) != 0) {
        return base::fail(Errc::invalid, "security.capability: unknown flags {:#x}", magic);
    }
    if (revision == VFS_CAP_REVISION_2 && value.size() == kRevision2) return XattrVerdict::keep;
    if (revision == VFS_CAP_REVISION_3 && value.size() == kRevision3) {
        const std::uint32_t root = little_endian(std::string_view(value).substr(kRevision2));
        if (root != 0)
            return base::fail(
                    Errc::invalid, "security.capability: belongs to root id {}, only 0 is allowed",
                    root);
        // The plain revision counts in whatever namespace maps the layer (IMG-20).
        value.resize(kRevision2);
        const std::uint32_t plain = VFS_CAP_REVISION_2 | (magic & VFS_CAP_FLAGS_EFFECTIVE);
        for (unsigned i = 0; i < 4; ++i) value[i] = static_cast<char>((plain >> (8 * i)) & 0xff);
        return XattrVerdict::keep;
    }
    return base::fail(
            Errc::invalid,
            "security.capability: revision {:#x} with {} bytes is none that is known", revision,
            value.size());
}

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

std::string printable(std::string_view path) {
    constexpr std::size_t kLongest = 200;
    std::string out;
    for (const char c : path.substr(0, kLongest)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            out += base::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    if (path.size() > kLongest) out += base::format("… ({} bytes)", path.size());
    return out;
}

Result<std::string> clean_path(std::string_view path) {
    if (path.empty()) return base::fail(Errc::invalid, "an entry has no name");
    if (path.size() > kMaxPath) {
        return base::fail(
                Errc::invalid, "entry {}: name of {} bytes, the limit is {}", printable(path),
                path.size(), kMaxPath);
    }
    std::string out;
    std::string_view rest = path;
    while (!rest.empty()) {
        const auto slash = rest.find('/');
        const std::string_view part = rest.substr(0, slash);
        rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
        if (part.empty() || part == ".") continue;
        if (part == "..")
            return base::fail(
                    Errc::invalid, "entry {}: name has a '..' component", printable(path));
        if (part.size() > kMaxComponent) {
            return base::fail(
                    Errc::invalid, "entry {}: a component of {} bytes, the limit is {}",
                    printable(path), part.size(), kMaxComponent);
        }
        if (part.find('\0') != std::string_view::npos)
            return base::fail(Errc::invalid, "entry {}: NUL in the name", printable(path));
        if (!out.empty()) out += '/';
        out += part;
    }
    return out;
}

Result<LayerName> layer_name(std::string_view clean) {
    LayerName out;
    const auto slash = clean.rfind('/');
    const std::string_view directory =
            slash == std::string_view::npos ? std::string_view{} : clean.substr(0, slash);
    const std::string_view name = slash == std::string_view::npos ? clean : clean.substr(slash + 1);
    for (std::string_view rest = directory; !rest.empty();) {
        const auto end = rest.find('/');
        const std::string_view part = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        if (starts_with(part, kReserved)) {
            out.kind = NameKind::reserved;
            return out;
        }
        if (starts_with(part, kWhiteout))
            return base::fail(
                    Errc::invalid, "entry {}: a whiteout used as a directory", printable(clean));
    }
    out.directory = directory;
    out.name = name;
    if (name == kOpaque) {
        out.kind = NameKind::opaque;
    } else if (starts_with(name, kReserved)) {
        out.kind = NameKind::reserved;
    } else if (starts_with(name, kWhiteout)) {
        out.kind = NameKind::whiteout;
        out.name = name.substr(kWhiteout.size());
        if (out.name.empty() || out.name == "." || out.name == "..") {
            return base::fail(Errc::invalid, "entry {}: a whiteout of nothing", printable(clean));
        }
    }
    return out;
}

Result<void> check_entry(const Entry& entry, std::uint32_t id_limit) {
    const auto refuse_id = [&](std::string_view what, std::int64_t id) {
        return base::fail(
                Errc::invalid, "entry {}: {} {} is outside of 0 to {}", printable(entry.path), what,
                id, id_limit - 1);
    };
    if (entry.uid < 0 || entry.uid >= std::int64_t{id_limit})
        return refuse_id("uid", entry.uid);  // ID-06
    if (entry.gid < 0 || entry.gid >= std::int64_t{id_limit}) return refuse_id("gid", entry.gid);
    if (entry.size < 0)
        return base::fail(
                Errc::invalid, "entry {}: size {} is negative", printable(entry.path), entry.size);
    if (entry.xattrs.size() > kMaxXattrs) {
        return base::fail(
                Errc::invalid, "entry {}: {} extended attributes, the limit is {}",
                printable(entry.path), entry.xattrs.size(), kMaxXattrs);
    }
    for (const auto& [name, value] : entry.xattrs) {
        if (value.size() > kMaxXattrValue || name.size() > kMaxComponent) {
            return base::fail(
                    Errc::invalid, "entry {}: attribute {} with {} bytes, the limit is {}",
                    printable(entry.path), printable(name), value.size(), kMaxXattrValue);
        }
    }
    const bool link = entry.type == EntryType::symlink || entry.type == EntryType::hardlink;
    if (link && (entry.target.empty() || entry.target.size() > kMaxLinkTarget)) {
        return base::fail(
                Errc::invalid, "entry {}: link target of {} bytes, allowed are 1 to {}",
                printable(entry.path), entry.target.size(), kMaxLinkTarget);
    }
    return base::ok;
}

Result<XattrVerdict> judge_xattr(EntryType type, std::string_view name, std::string& value) {
    if (starts_with(name, "trusted.overlay.") || starts_with(name, "user.overlay.")) {
        return base::fail(
                Errc::invalid, "attribute {} is not for images", printable(name));  // IMG-23
    }
    if (name == "security.capability") return judge_capability(type, value);
    // The kernel has user attributes on files and directories only.
    const bool carries = type == EntryType::file || type == EntryType::directory;
    return starts_with(name, "user.") && carries ? XattrVerdict::keep : XattrVerdict::drop;
}

}  // namespace rootfs
