#include "security/host_accounts.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <limits>

namespace security {

namespace {

constexpr std::size_t kMaxFile = 16U
                                 << 20;  // a directory server may have dumped its accounts there
constexpr std::uint64_t kMaxId = std::numeric_limits<std::uint32_t>::max();

template <class F>
void each_line(std::string_view text, F use) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        use(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::string_view field(std::string_view line, int number) {
    for (; number > 0; --number) {
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return {};
        line.remove_prefix(colon + 1);
    }
    return line.substr(0, line.find(':'));
}

base::Result<std::string> stamp_of(const std::string& path) {
    auto status = base::sys::stat_at(base::FdRef{AT_FDCWD}, path);
    if (!status) {
        if (status.error().sys == ENOENT) return std::string("absent;");
        return std::move(status).error();
    }
    // Account tools replace the file, so the inode changes with nearly every edit.
    return base::format(
            "{}:{}:{}.{}.{};", status->st_ino, status->st_size, status->st_mtim.tv_sec,
            status->st_mtim.tv_nsec, status->st_ctim.tv_nsec);
}

base::Result<std::string> read_if_present(const std::string& path) {
    auto text = base::sys::read_host_file(path, kMaxFile);
    if (!text && text.error().sys == ENOENT) return std::string();
    return text;
}

}  // namespace

void add_accounts(std::string_view text, std::string_view kind, TakenSlots& taken) {
    each_line(text, [&](std::string_view line) {
        const auto id = base::parse_number<std::uint64_t>(field(line, 2), "id");
        if (!id || *id > kMaxId) return;
        taken.try_emplace(
                static_cast<std::uint32_t>(*id / kIdRangeLength),
                base::format("account {} ({} {})", field(line, 0), kind, *id));
    });
}

void add_subordinates(
        std::string_view text,
        std::string_view kind,
        const std::string& reservation,
        TakenSlots& taken) {
    each_line(text, [&](std::string_view line) {
        const auto first = base::parse_number<std::uint64_t>(field(line, 1), "id");
        const auto count = base::parse_number<std::uint64_t>(field(line, 2), "count");
        if (!first || !count || *count == 0 || *first > kMaxId || field(line, 0) == reservation)
            return;
        const std::uint64_t last = *first + std::min(*count - 1, kMaxId - *first);
        for (std::uint64_t slot = *first / kIdRangeLength; slot <= last / kIdRangeLength; ++slot) {
            taken.try_emplace(
                    static_cast<std::uint32_t>(slot),
                    base::format(
                            "subordinate {}s of {} ({}:{})", kind, field(line, 0), *first, *count));
        }
    });
}

base::Result<const TakenSlots*> HostAccounts::taken() {
    std::string stamp;
    for (const auto* path : {&config_.passwd, &config_.group, &config_.subuid, &config_.subgid}) {
        stamp += TRY(stamp_of(*path));
    }
    if (stamp != stamp_) {
        TakenSlots fresh;
        add_accounts(TRY(read_if_present(config_.passwd)), "uid", fresh);
        add_accounts(TRY(read_if_present(config_.group)), "gid", fresh);
        add_subordinates(TRY(read_if_present(config_.subuid)), "uid", config_.reservation, fresh);
        add_subordinates(TRY(read_if_present(config_.subgid)), "gid", config_.reservation, fresh);
        taken_ = std::move(fresh);
        stamp_ = std::move(stamp);
    }
    return &taken_;
}

}  // namespace security
