#include "security/oci_profile.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"

#include <errno.h>

#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>
#include <seccomp.h>

namespace security {

namespace {

using base::json::Node;

constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxWords = 256;  // of a list of capabilities, architectures or flags
constexpr std::size_t kMaxWordBytes = 128;
constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::uint64_t kMaxErrno = 4095;  // MAX_ERRNO of the kernel: what a caller can see

constexpr std::array<std::pair<std::string_view, std::uint32_t>, 9> kActions = {{
        {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
        {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
        {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
        {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
        {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
        {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
        {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
}};

constexpr std::array<std::pair<std::string_view, Compare>, 7> kOperators = {{
        {"SCMP_CMP_EQ", Compare::equal},
        {"SCMP_CMP_NE", Compare::not_equal},
        {"SCMP_CMP_LT", Compare::less},
        {"SCMP_CMP_LE", Compare::less_or_equal},
        {"SCMP_CMP_GT", Compare::greater},
        {"SCMP_CMP_GE", Compare::greater_or_equal},
        {"SCMP_CMP_MASKED_EQ", Compare::masked_equal},
}};

// Two members of one name: which of them counts would depend on the reader, so neither does.
base::Result<void> refuse_duplicates(std::string_view text) {
    std::vector<std::set<std::string>> open;
    std::string twice;
    const auto watch = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
        if (event == nlohmann::json::parse_event_t::object_start) open.emplace_back();
        if (event == nlohmann::json::parse_event_t::object_end && !open.empty()) open.pop_back();
        if (event == nlohmann::json::parse_event_t::key && !open.empty() &&
            !open.back().insert(parsed.get<std::string>()).second && twice.empty()) {
            twice = parsed.get<std::string>();
        }
        return true;
    };
    const auto again =
            nlohmann::json::parse(text, watch, false);  // base::json has already accepted the text
    if (again.is_discarded()) return base::fail(base::Errc::invalid, "invalid JSON");
    if (!twice.empty())
        return base::fail(
                base::Errc::invalid, "member '{}' appears twice in one object",
                twice.substr(0, 64));
    return base::ok;
}

base::Result<std::string> word(const Node& node, std::size_t limit = kMaxWordBytes) {
    std::string text = TRY(node.string());
    if (text.size() > limit)
        return node.refuse(base::format("has {} bytes, the limit is {}", text.size(), limit));
    for (const char c : text) {
        // Words end up in listings, logs and messages.
        if (c <= ' ' || c > '~')
            return node.refuse("contains a character that is not printable ASCII");
    }
    return text;
}

base::Result<std::vector<std::string>> words(const Node& node, std::size_t limit = kMaxWords) {
    std::vector<std::string> out;
    if (node.is_null()) return out;  // Go writes an empty list so
    for (const Node& element : TRY(node.elements(limit))) out.push_back(TRY(word(element)));
    return out;
}

// The members of an object by name; one that nobody knows is an error, as it may have been meant to
// restrict.
base::Result<void> each_member(
        const Node& node,
        const std::vector<std::string_view>& known,
        std::vector<std::optional<Node>>& found) {
    found.assign(known.size(), std::nullopt);
    for (auto& [name, member] : TRY(node.members(kMaxWords))) {
        const auto at = std::find(known.begin(), known.end(), name);
        if (at == known.end()) return member.refuse("unknown member");
        if (!member.is_null()) found[static_cast<std::size_t>(at - known.begin())] = member;
    }
    return base::ok;
}

base::Result<std::uint32_t> parse_action(const Node& action, const std::optional<Node>& errno_ret) {
    const auto name = TRY(word(action));
    const auto found = std::find_if(kActions.begin(), kActions.end(), [&](const auto& entry) {
        return entry.first == name;
    });
    if (found == kActions.end()) return action.refuse(base::format("unknown action {}", name));
    const std::uint32_t code = found->second;
    if (code != SECCOMP_RET_ERRNO && code != SECCOMP_RET_TRACE) {
        if (errno_ret) return errno_ret->refuse(base::format("has no meaning for {}", name));
        return code;
    }
    std::uint64_t value = EPERM;
    if (errno_ret) {
        const bool error = code == SECCOMP_RET_ERRNO;
        value = TRY(
                errno_ret->unsigned_integer(error ? kMaxErrno : std::uint64_t{SECCOMP_RET_DATA}));
    }
    return code | static_cast<std::uint32_t>(value);
}

base::Result<Condition> parse_condition(const Node& node) {
    std::vector<std::optional<Node>> m;
    TRY(each_member(node, {"index", "value", "valueTwo", "op"}, m));
    if (!m[0]) return node.refuse("has no index");
    if (!m[1]) return node.refuse("has no value");
    if (!m[3]) return node.refuse("has no op");
    constexpr std::uint64_t kAny = ~std::uint64_t{0};
    Condition condition{.argument = static_cast<std::uint32_t>(TRY(m[0]->unsigned_integer(5)))};
    condition.value = TRY(m[1]->unsigned_integer(kAny));
    const auto second = m[2] ? TRY(m[2]->unsigned_integer(kAny)) : 0;
    const auto name = TRY(word(*m[3]));
    const auto found = std::find_if(kOperators.begin(), kOperators.end(), [&](const auto& entry) {
        return entry.first == name;
    });
    if (found == kOperators.end()) return m[3]->refuse(base::format("unknown operator {}", name));
    condition.compare = found->second;
    if (condition.compare == Compare::masked_equal) {
        condition.mask =
                condition.value;  // the format calls the mask "value" and the datum "valueTwo"
        condition.value = second;
        if ((condition.value & ~condition.mask) != 0)
            return node.refuse("valueTwo has bits that the mask lacks");
    } else if (second != 0) {
        return m[2]->refuse(base::format("has no meaning for {}", name));
    }
    return condition;
}

base::Result<OciKernel> parse_kernel(const Node& node) {
    const auto text = TRY(word(node));
    const auto dot = text.find('.');
    if (dot == std::string::npos) return node.refuse("is not like 4.8");
    auto major = base::parse_number<std::uint32_t>(std::string_view(text).substr(0, dot), "major");
    auto minor = base::parse_number<std::uint32_t>(std::string_view(text).substr(dot + 1), "minor");
    if (!major || !minor) return node.refuse("is not like 4.8");
    return OciKernel{.major = *major, .minor = *minor};
}

base::Result<OciFilter> parse_filter(const std::optional<Node>& node) {
    OciFilter filter;
    if (!node) return filter;
    std::vector<std::optional<Node>> m;
    TRY(each_member(*node, {"caps", "arches", "minKernel"}, m));
    if (m[0]) filter.caps = TRY(words(*m[0]));
    if (m[1]) filter.arches = TRY(words(*m[1]));
    if (m[2]) filter.min_kernel = TRY(parse_kernel(*m[2]));
    return filter;
}

base::Result<OciEntry> parse_entry(const Node& node) {
    std::vector<std::optional<Node>> m;
    TRY(each_member(
            node,
            {"names", "name", "action", "errnoRet", "args", "comment", "includes", "excludes"}, m));
    OciEntry entry{.path = node.path()};
    if (m[0] && m[1]) return m[1]->refuse("stands beside names");
    if (m[0]) entry.names = TRY(words(*m[0], kMaxProfileNames));
    if (m[1]) entry.names = {TRY(word(*m[1]))};
    if (entry.names.empty()) return node.refuse("names no system call");
    if (!m[2]) return node.refuse("has no action");
    entry.action = TRY(parse_action(*m[2], m[3]));
    if (m[4]) {
        for (const Node& argument : TRY(m[4]->elements(kMaxConditions))) {
            entry.args.push_back(TRY(parse_condition(argument)));
        }
    }
    if (m[5] && !m[5]->is_string()) return m[5]->wrong("a string");
    entry.includes = TRY(parse_filter(m[6]));
    entry.excludes = TRY(parse_filter(m[7]));
    return entry;
}

// archMap: [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", …]}, …];
// only our own entry counts.
base::Result<std::vector<std::string>> parse_architecture_map(const Node& node) {
    std::vector<std::string> out;
    for (const Node& element : TRY(node.elements(kMaxWords))) {
        std::vector<std::optional<Node>> m;
        TRY(each_member(element, {"architecture", "subArchitectures"}, m));
        if (!m[0]) return element.refuse("has no architecture");
        const auto main = TRY(word(*m[0]));
        auto others = m[1] ? TRY(words(*m[1])) : std::vector<std::string>{};
        if (native_architecture() != SCMP_ARCH_X86_64 || main != "SCMP_ARCH_X86_64") continue;
        out.push_back(main);
        out.insert(out.end(), others.begin(), others.end());
    }
    return out;
}

}  // namespace

base::Result<OciProfile> parse_oci_profile(std::string_view json) {
    const auto document =
            TRY(base::json::Document::parse(json, {.bytes = kMaxProfileBytes, .depth = kMaxDepth}));
    TRY(refuse_duplicates(json));
    const Node root = document.root();
    if (!root.is_object()) return root.wrong("an object");
    std::vector<std::optional<Node>> m;
    TRY(each_member(
            root,
            {"defaultAction", "defaultErrnoRet", "architectures", "archMap", "flags",
             "listenerPath", "listenerMetadata", "syscalls"},
            m));
    OciProfile profile;
    if (!m[0]) return base::fail(base::Errc::invalid, "defaultAction: is missing");
    profile.default_action = TRY(parse_action(*m[0], m[1]));
    if (m[2]) profile.architectures = TRY(words(*m[2]));
    if (m[3]) {
        if (!profile.architectures.empty()) return m[3]->refuse("stands beside architectures");
        profile.architectures = TRY(parse_architecture_map(*m[3]));
    }
    if (m[4]) profile.flags = TRY(words(*m[4]));
    if (m[5]) profile.listener_path = TRY(word(*m[5], kMaxPathBytes));
    if (m[6]) profile.listener_metadata = TRY(word(*m[6], kMaxPathBytes));
    if (m[7]) {
        for (const Node& element : TRY(m[7]->elements(kMaxProfileEntries))) {
            profile.entries.push_back(TRY(parse_entry(element)));
        }
    }
    return profile;
}

}  // namespace security
