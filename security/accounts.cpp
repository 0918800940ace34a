#include "security/accounts.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <optional>

namespace security {

namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;  // ID-10
constexpr std::size_t kMaxLines = 10'000;       // ID-10
constexpr std::size_t kMaxUserText = 1024;
constexpr std::size_t kMaxHome = 4095;
constexpr std::uint64_t kMaxId = 2'147'483'647;  // Garden's limit; below it lies no reserved number

// The container controls what lies at `path`: a link out, a fifo, a device, a huge file.
base::Result<std::string> read_account_file(base::FdRef root, const std::string& path) {
    using base::sys::Resolve;
    // O_PATH first: opening a fifo or a device for real can block, or do something.
    auto found = base::sys::open_in(root, path, O_PATH, Resolve::in_root);
    if (!found) {
        if (found.error().sys == ENOENT) return std::string();
        return std::move(found).error();
    }
    auto status = TRY(base::sys::stat_fd(*found));
    if (!S_ISREG(status.st_mode)) {
        return base::fail(base::Errc::invalid, "{} of the container is not a regular file", path);
    }
    // The same object by descriptor, never the path again (MD-01).
    base::Fd file = TRY(base::sys::open_host(
            base::sys::descriptor_path(*found), O_RDONLY | O_NONBLOCK | O_NOCTTY));
    status = TRY(base::sys::stat_fd(file));
    if (!S_ISREG(status.st_mode)) {
        return base::fail(base::Errc::invalid, "{} of the container is not a regular file", path);
    }
    if (status.st_size > static_cast<off_t>(kMaxFileBytes)) {
        return base::fail(
                base::Errc::exhausted, "{} of the container has {} bytes, the limit is {}", path,
                status.st_size, kMaxFileBytes);
    }
    std::string text = TRY(base::sys::read_all(file, kMaxFileBytes).context(path));
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) +
                       (!text.empty() && text.back() != '\n' ? 1U : 0U);
    if (lines > kMaxLines) {
        return base::fail(
                base::Errc::exhausted, "{} of the container has {} lines, the limit is {}", path,
                lines, kMaxLines);
    }
    return text;
}

// Calls `use` with the first N fields of each line until it returns false. Lines with fewer fields
// mean nothing.
template <std::size_t N, class F>
void each_line(std::string_view text, F use) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.find('\0') != std::string_view::npos) continue;
        std::array<std::string_view, N> fields;
        std::size_t count = 0;
        for (; count < N; ++count) {
            const auto colon = line.find(':');
            fields[count] = line.substr(0, colon);
            if (colon == std::string_view::npos) {
                ++count;
                break;
            }
            line.remove_prefix(colon + 1);
        }
        if (count == N && !use(fields)) return;
    }
}

struct PasswdEntry {
    std::string name;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string home;
};

std::optional<std::uint32_t> id_of(std::string_view text) {
    auto value = base::parse_number<std::uint64_t>(text, "id");
    if (!value || *value > kMaxId) return {};
    return static_cast<std::uint32_t>(*value);
}

// The first entry that `wanted` accepts, as the C library does. Entries whose numbers are no ids do
// not exist.
template <class F>
std::optional<PasswdEntry> find_passwd(std::string_view passwd, F wanted) {
    std::optional<PasswdEntry> found;
    each_line<6>(passwd, [&](const auto& fields) {
        const auto uid = id_of(fields[2]);
        const auto gid = id_of(fields[3]);
        if (fields[0].empty() || !uid || !gid || !wanted(fields[0], *uid)) return true;
        found = PasswdEntry{
                .name = std::string(fields[0]),
                .uid = *uid,
                .gid = *gid,
                .home = std::string(fields[5])};
        return false;
    });
    return found;
}

std::optional<std::uint32_t> find_group(std::string_view group, std::string_view name) {
    std::optional<std::uint32_t> found;
    each_line<3>(group, [&](const auto& fields) {
        const auto gid = id_of(fields[2]);
        if (fields[0] != name || !gid) return true;
        found = gid;
        return false;
    });
    return found;
}

bool lists(std::string_view members, std::string_view name) {
    while (true) {
        const auto comma = members.find(',');
        if (members.substr(0, comma) == name) return true;
        if (comma == std::string_view::npos) return false;
        members.remove_prefix(comma + 1);
    }
}

// ID-09: what setgroups gets; the primary group belongs to it.
std::vector<std::uint32_t> groups_of(
        std::string_view group, std::string_view name, std::uint32_t primary) {
    std::vector<std::uint32_t> groups = {primary};
    if (!name.empty()) {
        each_line<4>(group, [&](const auto& fields) {
            const auto gid = id_of(fields[2]);
            if (gid && lists(fields[3], name)) groups.push_back(*gid);
            return true;
        });
    }
    std::sort(groups.begin(), groups.end());
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    return groups;
}

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// A number, nothing (a name), or the error of a number that is no id: it is never tried as a name
// (ID-10).
base::Result<std::optional<std::uint32_t>> parse_id(std::string_view text) {
    const bool negative = text.starts_with('-') && is_digits(text.substr(1));
    if (!negative && !is_digits(text)) return std::optional<std::uint32_t>{};
    const auto id = negative ? std::nullopt : id_of(text);
    if (!id) return base::fail(base::Errc::invalid, "uids and gids must be in range 0-2147483647");
    return id;
}

base::Result<void> check_text(std::string_view text) {
    if (text.size() > kMaxUserText) {
        return base::fail(
                base::Errc::invalid, "user has {} bytes, the limit is {}", text.size(),
                kMaxUserText);
    }
    if (text.find_first_of(std::string_view("\0\n\r", 3)) != std::string_view::npos) {
        return base::fail(base::Errc::invalid, "user contains a control character");
    }
    if (std::count(text.begin(), text.end(), ':') > 1) {
        return base::fail(base::Errc::invalid, "user '{}' has more than one ':'", text);
    }
    return base::ok;
}

base::Result<std::optional<PasswdEntry>> find_user(
        std::string_view name, std::string_view passwd, User& user) {
    if (name.empty()) {
        // The empty user is 0:0 whatever the file says; only the home comes from there
        // (garden-api 10.3).
        auto entry =
                find_passwd(passwd, [](std::string_view, std::uint32_t uid) { return uid == 0; });
        if (entry) entry->gid = 0;
        return entry;
    }
    const auto number = TRY(parse_id(name));
    if (number) {
        user.uid = *number;
        return find_passwd(
                passwd, [&](std::string_view, std::uint32_t uid) { return uid == *number; });
    }
    auto entry = find_passwd(
            passwd, [&](std::string_view entry_name, std::uint32_t) { return entry_name == name; });
    if (!entry && !(name == "root" && passwd.empty())) {
        return base::fail(
                base::Errc::not_found, "unable to find user {}: no matching entries in passwd file",
                name);
    }
    return entry;
}

}  // namespace

base::Result<AccountFiles> read_account_files(base::FdRef root) {
    // One TRY a statement: GCC 12 forgets what an unfinished aggregate already holds when the
    // second one returns.
    AccountFiles files;
    files.passwd = TRY(read_account_file(root, "etc/passwd"));
    files.group = TRY(read_account_file(root, "etc/group"));
    return files;
}

base::Result<User> resolve_user(std::string_view text, const AccountFiles& files) {
    TRY(check_text(text));
    const auto colon = text.find(':');
    const auto name = text.substr(0, colon);
    const auto group =
            colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    User user;
    if (const auto entry = TRY(find_user(name, files.passwd, user))) {
        user.uid = entry->uid;
        user.gid = entry->gid;
        user.name = entry->name;
        // A relative home could only be taken relative to something of ours.
        if (entry->home.starts_with('/') && entry->home.size() <= kMaxHome) user.home = entry->home;
    }
    if (group.empty()) {
        user.groups = groups_of(files.group, user.name, user.gid);
        return user;
    }
    if (const auto number = TRY(parse_id(group))) {
        user.gid = *number;
        return user;
    }
    const auto found = find_group(files.group, group);
    if (!found) {
        return base::fail(
                base::Errc::not_found, "unable to find group {}: no matching entries in group file",
                group);
    }
    user.gid = *found;
    return user;
}

}  // namespace security
