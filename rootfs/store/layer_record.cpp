#include "rootfs/store/layer_record.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rootfs {

using base::Errc;
using base::Result;

namespace {

constexpr std::size_t kLongestKey = 200;

// ':' separates layers in the option string of older kernels, and '+' is in no key.
constexpr char kColon = '+';

bool plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string print_layer_record(const LayerInfo& info) {
    auto text = base::format(
            "diff-id {}\nbytes {}\nentries {}\nskipped-devices {}\ndropped-xattrs {}\n",
            info.diff_id, info.bytes, info.entries, info.skipped_devices, info.dropped_xattrs);
    if (!info.seal.empty()) text += "seal " + info.seal + "\n";
    return text;
}

Result<LayerInfo> parse_layer_record(std::string_view text) {
    LayerInfo info;
    const std::array<std::pair<std::string_view, std::uint64_t*>, 4> fields{{
            {"bytes", &info.bytes},
            {"entries", &info.entries},
            {"skipped-devices", &info.skipped_devices},
            {"dropped-xattrs", &info.dropped_xattrs},
    }};
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        const auto space = line.find(' ');
        if (space == std::string_view::npos)
            return base::fail(Errc::corrupt, "layer record: line '{}'", line);
        const std::string_view key = line.substr(0, space);
        const std::string_view value = line.substr(space + 1);
        if (key == "diff-id") info.diff_id = value;
        if (key == "seal") info.seal = value;
        for (const auto& [name, field] : fields) {
            if (key == name) *field = TRY(base::parse_number<std::uint64_t>(value, "layer record"));
        }
    }
    if (info.diff_id.empty()) return base::fail(Errc::corrupt, "layer record: no diff id");
    return info;
}

Result<std::string> layer_directory_name(std::string_view diff_id) {
    if (diff_id.empty() || diff_id.size() > kLongestKey) {
        return base::fail(
                Errc::invalid, "diff id of {} bytes, allowed are 1 to {}", diff_id.size(),
                kLongestKey);
    }
    const bool good =
            plain(diff_id.front()) && std::all_of(diff_id.begin(), diff_id.end(), [](char c) {
                return plain(c) || c == '.' || c == '_' || c == ':' || c == '-';
            });
    if (!good)
        return base::fail(
                Errc::invalid, "diff id '{}': only letters, digits and . _ : - are allowed",
                diff_id);
    std::string name(diff_id);
    std::replace(name.begin(), name.end(), ':', kColon);
    return name;
}

std::string diff_id_of(std::string_view directory_name) {
    std::string id(directory_name);
    std::replace(id.begin(), id.end(), kColon, ':');
    return id;
}

}  // namespace rootfs
