#include "garden/plan/validate.hpp"

#include "base/fail.hpp"
#include "garden/plan/environment.hpp"

#include <algorithm>

namespace garden::plan {

namespace {

bool safe_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-+:@~").find(c) != std::string_view::npos;
}

base::Result<void> check_path(std::string_view path, const std::string& field) {
    if (!path.starts_with('/')) {
        return base::fail(
                base::Errc::invalid, "{}: \"{}\" is not an absolute path", field,
                path.substr(0, 256));
    }
    if (path.size() >= kPathBytes) {
        return base::fail(
                base::Errc::invalid, "{}: {} bytes, at most {} are allowed", field, path.size(),
                kPathBytes - 1);
    }
    if (path.find('\0') != std::string_view::npos)
        return base::fail(base::Errc::invalid, "{}: contains a NUL byte", field);
    std::size_t begin = 0;
    while (begin <= path.size()) {
        const auto end = std::min(path.find('/', begin), path.size());
        if (path.substr(begin, end - begin) == "..") {
            return base::fail(
                    base::Errc::invalid, "{}: \"{}\" contains \"..\"", field, path.substr(0, 256));
        }
        begin = end + 1;
    }
    return base::ok;
}

// "//proc/./x/" is "/proc/x": the kernel reads both alike, so the rules must as well.
std::string one_spelling(std::string_view path) {
    std::string out;
    for (std::size_t begin = 0; begin < path.size();) {
        const auto end = std::min(path.find('/', begin), path.size());
        const auto part = path.substr(begin, end - begin);
        if (!part.empty() && part != ".") out.append("/").append(part);
        begin = end + 1;
    }
    return out.empty() ? "/" : out;
}

base::Result<void> check_bind_mount(const BindMountSpec& bind, std::size_t index) {
    const auto field = base::format("bind_mounts[{}]", index);
    TRY(check_path(bind.source, field + ".src_path"));
    TRY(check_path(bind.destination, field + ".dst_path"));
    // FS-13: nothing but procfs may be mounted on /proc or below it; /sys and /dev are ours as
    // well.
    const auto destination = one_spelling(bind.destination);
    for (const std::string_view reserved : {"/", "/proc", "/sys", "/dev"}) {
        const bool below = reserved != "/" && destination.starts_with(std::string(reserved) + "/");
        if (destination == reserved || (below && reserved != "/dev")) {
            return base::fail(
                    base::Errc::invalid, "{}.dst_path: \"{}\" is reserved for the engine", field,
                    bind.destination);
        }
    }
    return base::ok;
}

base::Result<void> check_bind_mounts(const std::vector<BindMountSpec>& binds) {
    if (binds.size() > kBindMounts) {
        return base::fail(
                base::Errc::invalid, "bind_mounts: {} entries, at most {} are allowed",
                binds.size(), kBindMounts);
    }
    for (std::size_t i = 0; i < binds.size(); ++i) TRY(check_bind_mount(binds[i], i));
    return base::ok;
}

}  // namespace

base::Result<void> check_name(std::string_view name, std::string_view field, std::size_t limit) {
    if (name.empty()) return base::fail(base::Errc::invalid, "{}: must not be empty", field);
    if (name.size() > limit) {
        return base::fail(
                base::Errc::invalid, "{}: {} bytes, at most {} are allowed", field, name.size(),
                limit);
    }
    const bool bad = name.front() == '.' || name.front() == '-' ||
                     !std::all_of(name.begin(), name.end(), safe_character);
    if (bad) {
        return base::fail(
                base::Errc::invalid,
                "{}: \"{}\" may only have letters, digits and ._-+:@~, and must not start with a "
                "dot or a dash",
                field, name);
    }
    return base::ok;
}

base::Result<void> check_property(std::string_view name, std::string_view value) {
    if (name.empty())
        return base::fail(base::Errc::invalid, "properties: a name must not be empty");
    if (name.size() + value.size() > kPropertyBytes) {
        return base::fail(
                base::Errc::invalid, "properties.{}: {} bytes, at most {} are allowed",
                name.substr(0, 64), name.size() + value.size(), kPropertyBytes);
    }
    return base::ok;
}

base::Result<void> check_memory(std::uint64_t bytes) {
    if (bytes == 0 || bytes >= kMinimumMemoryBytes) return base::ok;
    return base::fail(
            base::Errc::invalid,
            "limits.memory_limits.limit_in_bytes: {} is below the minimum of {}", bytes,
            kMinimumMemoryBytes);
}

base::Result<void> check_container_spec(const ContainerSpec& spec) {
    TRY(check_name(spec.handle.get(), "handle", kHandleBytes));
    if (spec.grace_time.count() < 0) {
        return base::fail(
                base::Errc::invalid, "grace_time: {} is negative", spec.grace_time.count());
    }
    TRY(check_bind_mounts(spec.bind_mounts));
    if (spec.properties.size() > kProperties) {
        return base::fail(
                base::Errc::invalid, "properties: {} entries, at most {} are allowed",
                spec.properties.size(), kProperties);
    }
    for (const auto& [name, value] : spec.properties) TRY(check_property(name, value));
    TRY(check_environment(spec.env, "env"));
    TRY(check_memory(spec.limits.memory_bytes));
    if (spec.seccomp_profile.size() > kSeccompProfileBytes) {
        return base::fail(
                base::Errc::invalid, "seccomp_profile: {} bytes, at most {} are allowed",
                spec.seccomp_profile.size(), kSeccompProfileBytes);
    }
    return base::ok;
}

base::Result<void> check_process_spec(const ProcessSpec& spec) {
    if (!spec.id.empty()) TRY(check_name(spec.id, "id", kProcessIdBytes));
    if (spec.path.empty()) return base::fail(base::Errc::invalid, "path: must not be empty");
    if (spec.args.size() > kArguments) {
        return base::fail(
                base::Errc::invalid, "args: {} entries, at most {} are allowed", spec.args.size(),
                kArguments);
    }
    std::size_t total = spec.path.size();
    for (const auto& argument : spec.args) total += argument.size() + 1;
    if (total > kArgumentBytes) {
        return base::fail(
                base::Errc::invalid, "args: {} bytes in all, at most {} are allowed", total,
                kArgumentBytes);
    }
    const auto has_nul = [](const std::string& text) {
        return text.find('\0') != std::string::npos;
    };
    if (has_nul(spec.path)) return base::fail(base::Errc::invalid, "path: contains a NUL byte");
    if (spec.path.size() >= kPathBytes) {
        return base::fail(
                base::Errc::invalid, "path: {} bytes, at most {} are allowed", spec.path.size(),
                kPathBytes - 1);
    }
    for (std::size_t i = 0; i < spec.args.size(); ++i) {
        if (has_nul(spec.args[i]))
            return base::fail(base::Errc::invalid, "args[{}]: contains a NUL byte", i);
    }
    if (has_nul(spec.dir)) return base::fail(base::Errc::invalid, "dir: contains a NUL byte");
    if (spec.dir.size() >= kPathBytes) {
        return base::fail(
                base::Errc::invalid, "dir: {} bytes, at most {} are allowed", spec.dir.size(),
                kPathBytes - 1);
    }
    TRY(check_environment(spec.env, "env"));
    if (spec.image.empty() && !spec.bind_mounts.empty()) {
        return base::fail(
                base::Errc::invalid,
                "Running a process with bind mounts and no image provided is not allowed");
    }
    if (spec.image.empty()) return base::ok;
    TRY(check_bind_mounts(spec.bind_mounts));
    if (spec.limits) TRY(check_memory(spec.limits->memory_bytes));
    return base::ok;
}

}  // namespace garden::plan
