// The text of an audit record, and names for its numbers. The kernel writes "key=value" pairs with
// one space between; a text that a process chose is in quotes, or in hexadecimal when it holds a
// quote, a space or a control character, so that it can end no pair.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "security/denials.hpp"
#include "security/seccomp_policy.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>

#include <seccomp.h>

namespace security {

namespace {

using base::Errc;

constexpr std::string_view kBegin = "audit(";

template <class T>
base::Result<T> hexadecimal(std::string_view text, std::string_view what) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return base::fail(Errc::invalid, "{}: not a hexadecimal number", what);
    return value;
}

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// A quoted text, hexadecimal, or a bare word like "(null)" and "?".
std::string untrusted_text(std::string_view value) {
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        return std::string(value.substr(1, std::min(value.size() - 2, kMaxDenialText)));
    std::string out;
    for (std::size_t i = 0; i + 1 < value.size() && out.size() < kMaxDenialText; i += 2) {
        const int high = digit_of(value[i]);
        const int low = digit_of(value[i + 1]);
        if (high < 0 || low < 0) return std::string(value.substr(0, kMaxDenialText));
        out.push_back(static_cast<char>(high * 16 + low));
    }
    return out;
}

struct Stamp {
    std::int64_t time_ns = 0;
    std::uint64_t serial = 0;
    std::string_view rest;
};

base::Result<Stamp> parse_stamp(std::string_view text) {
    const auto end = text.find("): ");
    if (!text.starts_with(kBegin) || end == std::string_view::npos)
        return base::fail(Errc::invalid, "audit record: it does not begin with audit(…): ");
    const auto inside = text.substr(kBegin.size(), end - kBegin.size());
    const auto dot = inside.find('.');
    const auto colon = inside.find(':');
    if (dot == std::string_view::npos || colon == std::string_view::npos || colon < dot)
        return base::fail(Errc::invalid, "audit record: no SECONDS.MILLISECONDS:SERIAL");
    constexpr std::int64_t kMaxSeconds = 9'000'000'000;  // fits in nanoseconds
    const auto seconds = TRY(base::parse_number<std::int64_t>(inside.substr(0, dot), "seconds"));
    const auto milliseconds = TRY(base::parse_number<std::uint16_t>(
            inside.substr(dot + 1, colon - dot - 1), "milliseconds"));
    if (seconds < 0 || seconds > kMaxSeconds || milliseconds > 999)
        return base::fail(Errc::invalid, "audit record: no such time");
    Stamp stamp;
    stamp.time_ns = seconds * 1'000'000'000 + std::int64_t{milliseconds} * 1'000'000;
    stamp.serial = TRY(base::parse_number<std::uint64_t>(inside.substr(colon + 1), "serial"));
    stamp.rest = text.substr(end + 3);
    return stamp;
}

// Which members were there; each may come once.
enum Member : unsigned { uid = 1, pid = 2, comm = 4, exe = 8, arch = 16, syscall = 32, code = 64 };

base::Result<void> take(
        DenialRecord& out, unsigned& seen, std::string_view key, std::string_view value) {
    const auto first = [&seen](Member member) {
        const bool is_first = (seen & member) == 0;
        seen |= member;
        return is_first;
    };
    bool once = true;
    if (key == "uid") {
        once = first(uid);
        out.uid = TRY(base::parse_number<std::uint32_t>(value, "uid"));
    } else if (key == "pid") {
        once = first(pid);
        out.pid = TRY(base::parse_number<std::int32_t>(value, "pid"));
    } else if (key == "comm") {
        once = first(comm);
        out.command = untrusted_text(value);
    } else if (key == "exe") {
        once = first(exe);
        out.executable = untrusted_text(value);
    } else if (key == "arch") {
        once = first(arch);
        out.architecture = TRY(hexadecimal<std::uint32_t>(value, "arch"));
    } else if (key == "syscall") {
        once = first(syscall);
        // Printed as a signed long: x32 calls and nonsense have a high bit.
        out.call = static_cast<std::uint32_t>(TRY(base::parse_number<std::int64_t>(value, key)));
    } else if (key == "code") {
        once = first(code);
        if (!value.starts_with("0x")) return base::fail(Errc::invalid, "code: no 0x");
        out.action = TRY(hexadecimal<std::uint32_t>(value.substr(2), "code"));
    }
    if (!once) return base::fail(Errc::invalid, "audit record: {} twice", key);
    return base::ok;
}

}  // namespace

base::Result<DenialRecord> parse_denial(std::string_view text) {
    if (text.size() > kMaxAuditRecord) {
        return base::fail(
                Errc::invalid, "audit record: {} bytes, at most {} are read", text.size(),
                kMaxAuditRecord);
    }
    while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.remove_suffix(1);
    const auto stamp = TRY(parse_stamp(text));
    DenialRecord out;
    out.time_ns = stamp.time_ns;
    out.serial = stamp.serial;
    unsigned seen = 0;
    for (auto rest = stamp.rest; !rest.empty();) {
        const auto space = rest.find(' ');
        const auto pair = rest.substr(0, space);
        rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos) continue;  // a word of a security module
        TRY(take(out, seen, pair.substr(0, equals), pair.substr(equals + 1)));
    }
    constexpr unsigned kNeeded = uid | pid | arch | syscall;
    if ((seen & kNeeded) != kNeeded)
        return base::fail(Errc::invalid, "audit record: uid, pid, arch or syscall is missing");
    return out;
}

std::optional<std::uint64_t> audit_serial(std::string_view text) {
    const auto stamp = parse_stamp(text.substr(0, 128));
    if (!stamp) return {};
    return stamp->serial;
}

std::string call_name(std::uint32_t architecture, std::uint32_t call) {
    std::uint32_t known = architecture;
    if (architecture == SCMP_ARCH_X86_64 && (call & kX32Bit) != 0) known = SCMP_ARCH_X32;
    const auto number = known == SCMP_ARCH_X32 ? call & ~kX32Bit : call;
    if (const auto young = young_call_name(known, number); !young.empty())
        return std::string(young);
    // Allocated by the library; empty for numbers and architectures that it does not know.
    const std::unique_ptr<char, void (*)(void*)> name(
            ::seccomp_syscall_resolve_num_arch(known, static_cast<int>(call)), &std::free);
    if (name) return name.get();
    return base::format("#{}", call);
}

std::string architecture_name(std::uint32_t architecture) {
    switch (architecture) {
        case AUDIT_ARCH_X86_64:
            return "x86_64";
        case AUDIT_ARCH_I386:
            return "i386";
        case AUDIT_ARCH_AARCH64:
            return "aarch64";
        case AUDIT_ARCH_ARM:
            return "arm";
        default:  // not an enumeration: whatever the kernel writes
            return base::format("#{:x}", architecture);
    }
}

std::string denial_action_name(std::uint32_t action) {
    auto text = action_text(action & SECCOMP_RET_ACTION_FULL);
    return text.substr(0, text.find('('));
}

bool is_noise(const DenialRecord& record) {
    constexpr std::uint32_t kClone3 = 435;  // on every architecture
    return (record.call & ~kX32Bit) == kClone3;
}

std::optional<std::string> group_of(std::string_view cgroup_file, std::string_view parent) {
    std::optional<std::string> found;
    const auto mark = "/" + std::string(parent) + "/";
    while (!cgroup_file.empty()) {
        const auto line = cgroup_file.substr(0, cgroup_file.find('\n'));
        cgroup_file.remove_prefix(std::min(line.size() + 1, cgroup_file.size()));
        // "N:controllers:/path". The first match: what stands behind it a container may have made.
        const auto path = line.find(":/");
        if (path == std::string_view::npos) continue;
        const auto at = line.find(mark, path + 1);
        if (at == std::string_view::npos) continue;
        const auto rest = line.substr(at + mark.size());
        const auto name = rest.substr(0, rest.find('/'));
        if (name.empty()) continue;
        if (found && *found != name) return {};  // moved between hierarchies: no guess
        found = std::string(name);
    }
    return found;
}

}  // namespace security
