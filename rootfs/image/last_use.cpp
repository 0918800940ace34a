#include "rootfs/image/last_use.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "rootfs/image/digest.hpp"

#include <algorithm>

namespace rootfs {

namespace {

constexpr const char* kFile = "last-use";
constexpr std::size_t kMaxFile = std::size_t{16} << 20;

}  // namespace

LastUse::LastUse(base::FdRef directory) : directory_(directory) {
    const auto text = base::sys::read_file_at(directory_, kFile, kMaxFile);
    if (!text) return;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest = rest.substr(std::min(line.size() + 1, rest.size()));
        const auto space = line.find(' ');
        if (space == std::string_view::npos) continue;
        const auto time = base::parse_number<std::int64_t>(line.substr(space + 1), kFile);
        if (time && parse_digest(line.substr(0, space)))
            times_[std::string(line.substr(0, space))] = *time;
    }
}

void LastUse::touch(const std::string& digest, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    auto& time = times_[digest];
    changed_ = changed_ || time != now;
    time = now;
}

std::int64_t LastUse::of(std::string_view digest, std::int64_t fallback) const {
    const std::lock_guard lock(mutex_);
    const auto found = times_.find(digest);
    return found == times_.end() ? fallback : std::max(found->second, fallback);
}

void LastUse::forget(std::string_view digest) {
    const std::lock_guard lock(mutex_);
    const auto found = times_.find(digest);
    if (found == times_.end()) return;
    times_.erase(found);
    changed_ = true;
}

base::Result<void> LastUse::save() {
    std::string text;
    {
        const std::lock_guard lock(mutex_);
        if (!changed_) return base::ok;
        changed_ = false;
        for (const auto& [digest, time] : times_) text += base::format("{} {}\n", digest, time);
    }
    auto saved = base::sys::write_atomic_at(directory_, kFile, text, 0600, base::sys::Durable::no);
    if (!saved) {
        const std::lock_guard lock(mutex_);
        changed_ = true;
    }
    return saved;
}

}  // namespace rootfs
