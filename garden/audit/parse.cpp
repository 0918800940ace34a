#include "garden/audit/parse.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace garden::audit {

namespace {

template <class T>
T number(std::string_view text, int radix = 10) {
    T value{};
    (void)std::from_chars(text.data(), text.data() + text.size(), value, radix);
    return value;
}

template <class T>
std::vector<T> numbers(std::string_view text) {
    std::vector<T> out;
    for (const auto word : words_of(text)) out.push_back(number<T>(word));
    return out;
}

constexpr std::array<std::pair<std::string_view, int>, 15> kLimitNames = {
        {{"Max cpu time", RLIMIT_CPU},
         {"Max file size", RLIMIT_FSIZE},
         {"Max data size", RLIMIT_DATA},
         {"Max stack size", RLIMIT_STACK},
         {"Max core file size", RLIMIT_CORE},
         {"Max resident set", RLIMIT_RSS},
         {"Max processes", RLIMIT_NPROC},
         {"Max open files", RLIMIT_NOFILE},
         {"Max locked memory", RLIMIT_MEMLOCK},
         {"Max address space", RLIMIT_AS},
         {"Max file locks", RLIMIT_LOCKS},
         {"Max pending signals", RLIMIT_SIGPENDING},
         {"Max msgqueue size", RLIMIT_MSGQUEUE},
         {"Max nice priority", RLIMIT_NICE},
         {"Max realtime priority", RLIMIT_RTPRIO}}};

std::uint64_t limit_value(std::string_view word) {
    if (word == "unlimited") return std::numeric_limits<std::uint64_t>::max();
    return number<std::uint64_t>(word);
}

// Octal escapes of mountinfo: \040 is a space.
std::string unescape_octal(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            out += static_cast<char>(number<unsigned>(text.substr(i + 1, 3), 8));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::set<std::string> flags_of(std::string_view text) {
    std::set<std::string> flags;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        flags.emplace(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return flags;
}

// Field n of /proc/<pid>/stat as proc(5) counts; the name in parentheses may hold anything.
std::string_view stat_field(std::string_view stat, std::size_t n) {
    const auto end = stat.rfind(')');
    if (end == std::string_view::npos) return {};
    const auto fields = words_of(stat.substr(end + 1));
    return n >= 3 && n - 3 < fields.size() ? fields[n - 3] : std::string_view();
}

}  // namespace

bool RuleView::has(std::string_view word) const {
    return std::find(words.begin(), words.end(), word) != words.end();
}

const ProcessView* Outside::init() const {
    for (const auto& process : processes)
        if (process.init) return &process;
    return nullptr;
}

const MountView* Outside::mount(std::uint64_t id) const {
    const auto found = std::find_if(
            mounts.begin(), mounts.end(), [&](const MountView& view) { return view.id == id; });
    return found == mounts.end() ? nullptr : &*found;
}

const MountView* Outside::reach(const std::string& path) const {
    const auto found = reached.find(path);
    return found == reached.end() ? nullptr : mount(found->second);
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < line.size();) {
        const auto begin = line.find_first_not_of(" \t", at);
        if (begin == std::string_view::npos) break;
        at = std::min(line.find_first_of(" \t", begin), line.size());
        words.push_back(line.substr(begin, at - begin));
    }
    return words;
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\n");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

void read_status(std::string_view text, ProcessView& process) {
    for (const auto line : lines_of(text)) {
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const auto key = line.substr(0, colon);
        const auto value = trimmed(line.substr(colon + 1));
        const auto mask = [&] { return number<std::uint64_t>(value, 16); };
        if (key == "Name") process.name = value;
        if (key == "Umask") process.umask = number<std::uint32_t>(value, 8);
        if (key == "Uid") process.uids = numbers<std::uint32_t>(value);
        if (key == "Gid") process.gids = numbers<std::uint32_t>(value);
        if (key == "Groups") process.groups = numbers<std::uint32_t>(value);
        if (key == "CapInh") process.capabilities.inheritable = mask();
        if (key == "CapPrm") process.capabilities.permitted = mask();
        if (key == "CapEff") process.capabilities.effective = mask();
        if (key == "CapBnd") process.capabilities.bounding = mask();
        if (key == "CapAmb") process.capabilities.ambient = mask();
        if (key == "NoNewPrivs") process.no_new_privileges = value == "1";
        if (key == "Seccomp") process.seccomp = number<int>(value);
        if (key == "Seccomp_filters") process.filters = number<std::uint64_t>(value);
        if (key == "SigBlk") process.blocked = mask();
        if (key == "SigIgn") process.ignored = mask();
    }
}

void read_limits(std::string_view text, ProcessView& process) {
    for (const auto line : lines_of(text)) {
        for (const auto& [name, resource] : kLimitNames) {
            if (!line.starts_with(name)) continue;
            const auto words = words_of(line.substr(name.size()));
            if (words.size() < 2) continue;
            process.limits.push_back(
                    {.resource = resource,
                     .soft = limit_value(words[0]),
                     .hard = limit_value(words[1])});
        }
    }
}

std::vector<launch::IdMapping> parse_id_map(std::string_view text) {
    std::vector<launch::IdMapping> map;
    for (const auto line : lines_of(text)) {
        const auto fields = numbers<std::uint32_t>(line);
        if (fields.size() == 3)
            map.push_back({.inside = fields[0], .outside = fields[1], .count = fields[2]});
    }
    return map;
}

std::map<std::string, std::string> parse_cgroups(std::string_view text) {
    std::map<std::string, std::string> groups;
    for (const auto line : lines_of(text)) {
        const auto first = line.find(':');
        const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        groups.emplace(line.substr(first + 1, second - first - 1), line.substr(second + 1));
    }
    return groups;
}

std::vector<MountView> parse_mounts(std::string_view mountinfo) {
    std::vector<MountView> mounts;
    for (const auto line : lines_of(mountinfo)) {
        const auto fields = words_of(line);
        const auto dash = std::find(fields.begin(), fields.end(), "-");
        if (fields.size() < 6 || fields.end() - dash < 4) continue;
        MountView mount{
                .id = number<std::uint64_t>(fields[0]),
                .device = std::string(fields[2]),
                .root = unescape_octal(fields[3]),
                .target = unescape_octal(fields[4]),
                .flags = flags_of(fields[5]),
                .type = std::string(dash[1]),
                .source = unescape_octal(dash[2]),
                .options = flags_of(dash[3])};
        mount.shared = std::any_of(fields.begin() + 6, dash, [](std::string_view field) {
            return field.starts_with("shared:");
        });
        mounts.push_back(std::move(mount));
    }
    return mounts;
}

std::uint64_t start_time_of(std::string_view stat) {
    return number<std::uint64_t>(stat_field(stat, 22));
}

int policy_of(std::string_view stat) {
    return number<int>(stat_field(stat, 41));
}

std::vector<std::string> environment_names(std::string_view environ) {
    std::vector<std::string> names;
    while (!environ.empty()) {
        const auto end = std::min(environ.find('\0'), environ.size());
        const auto entry = environ.substr(0, end);
        if (!entry.empty()) names.emplace_back(entry.substr(0, entry.find('=')));
        environ.remove_prefix(std::min(end + 1, environ.size()));
    }
    return names;
}

}  // namespace garden::audit
