#include "rootfs/volume/volume_record.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"

namespace rootfs {

using base::Errc;
using base::Result;

std::string print_record(const VolumeRecord& record) {
    return base::format(
            "image {}\nquota {}\nscope {}\nraw {}\n", record.image_bytes, record.quota_bytes,
            record.scope == QuotaScope::total ? "total" : "exclusive", record.raw_directory);
}

Result<VolumeRecord> parse_record(std::string_view text) {
    VolumeRecord record;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        const auto space = line.find(' ');
        if (space == std::string_view::npos)
            return base::fail(Errc::corrupt, "volume record: line '{}'", line);
        const std::string_view key = line.substr(0, space);
        const std::string_view value = line.substr(space + 1);
        if (key == "image") {
            record.image_bytes =
                    TRY(base::parse_number<std::uint64_t>(value, "volume record: image"));
        } else if (key == "quota") {
            record.quota_bytes =
                    TRY(base::parse_number<std::uint64_t>(value, "volume record: quota"));
        } else if (key == "scope") {
            record.scope = value == "total" ? QuotaScope::total : QuotaScope::exclusive;
        } else if (key == "raw") {
            record.raw_directory = value;
        }  // a newer daemon's keys are not ours to judge
    }
    return record;
}

Result<std::uint64_t> writable_limit(
        std::uint64_t quota_bytes, QuotaScope scope, std::uint64_t image_bytes) {
    if (quota_bytes == 0 || scope == QuotaScope::exclusive) return quota_bytes;
    if (image_bytes >= quota_bytes) {
        return base::fail(
                Errc::exhausted,
                "disk limit: the image has {} bytes, more than the limit of {} bytes (scope total)",
                image_bytes, quota_bytes);
    }
    return quota_bytes - image_bytes;
}

Result<void> check_volume_name(std::string_view name) {
    constexpr std::size_t kLongest = 255;
    if (name.empty() || name.size() > kLongest) {
        return base::fail(
                Errc::invalid, "volume name: {} bytes, allowed are 1 to {}", name.size(), kLongest);
    }
    if (name == "." || name == ".." || name.find('/') != std::string_view::npos ||
        name.find('\0') != std::string_view::npos) {
        return base::fail(Errc::invalid, "volume name '{}': must be a plain file name", name);
    }
    return base::ok;
}

}  // namespace rootfs
