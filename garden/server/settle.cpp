// settle(): what one flag means in the light of the others. Pure but for looking up programs and
// groups.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "garden/server/settings.hpp"

#include <grp.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>

namespace garden::server {

namespace {

base::Result<mode_t> parse_mode(const std::string& text) {
    unsigned mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    if (error != std::errc() || end != text.data() + text.size() || text.empty() || mode > 0777)
        return base::fail(
                base::Errc::invalid, "--socket-mode: \"{}\" is not an octal number up to 0777",
                text);
    return static_cast<mode_t>(mode);
}

base::Result<gid_t> find_group(const std::string& name) {
    gid_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) return number;
    std::array<char, 16384> buffer{};
    group entry{};
    group* found = nullptr;
    const int failed = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (failed != 0 || found == nullptr)
        return base::fail(base::Errc::invalid, "--socket-group: no group \"{}\" here", name);
    return found->gr_gid;
}

base::Result<void> settle_endpoints(Settings& s) {
    using Kind = base::http::Endpoint::Kind;
    s.endpoints.clear();
    s.debug_endpoint.reset();
    auto mode = TRY(parse_mode(s.socket_mode));
    if (s.garden_socket_mode) {
        if (s.socket_mode != Settings{}.socket_mode)
            return base::fail(
                    base::Errc::invalid,
                    "--socket-mode: \"{}\" is given together with --compat-garden-socket-mode",
                    s.socket_mode);
        mode = 0777;
    }
    if (!s.inherited_socket.empty()) {
        s.inherited = {TRY(base::parse_number<std::uint16_t>(s.inherited_socket, "SOCKET2ME_FD"))};
    } else if (!s.bind_ip.empty()) {
        s.endpoints.push_back(
                {.kind = Kind::tcp, .path = {}, .host = s.bind_ip, .port = s.bind_port});
    } else if (s.bind_port != 0) {
        return base::fail(
                base::Errc::invalid, "--bind-port: {} given without --bind-ip", s.bind_port);
    } else if (!s.bind_socket.empty()) {
        s.endpoints.push_back({.kind = Kind::unix_socket, .path = s.bind_socket, .host = {}});
    }
    for (const auto& text : s.listen)
        s.endpoints.push_back(TRY(base::http::Endpoint::parse(text).context("--listen")));
    if (s.endpoints.empty() && s.inherited.empty())
        return base::fail(
                base::Errc::invalid, "--bind-socket: empty, and nothing else to listen on");
    for (auto& endpoint : s.endpoints) {
        if (endpoint.kind == Kind::unix_socket) {
            endpoint.mode = mode;
            if (!s.socket_group.empty()) endpoint.group = TRY(find_group(s.socket_group));
        }
        if (endpoint.kind == Kind::tls) {
            if (s.tls_certificate.empty() || s.tls_key.empty())
                return base::fail(
                        base::Errc::invalid, "--listen: {} needs --tls-certificate and --tls-key",
                        endpoint.text());
            endpoint.tls = {
                    .ca = s.tls_client_ca,
                    .certificate = s.tls_certificate,
                    .key = s.tls_key,
                    .require_client_certificate = !s.tls_client_ca.empty(),
                    .server_name = {}};
        }
    }
    if (!s.debug_bind_ip.empty()) {
        s.debug_endpoint = base::http::Endpoint{
                .kind = Kind::tcp, .path = {}, .host = s.debug_bind_ip, .port = s.debug_bind_port};
    }
    return base::ok;
}

// Beside gardend in a build tree, in libexec when installed.
std::string find_programs() {
    std::error_code ignored;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
    const auto beside = self.parent_path();
    for (const auto& directory : {beside, beside.parent_path() / "libexec" / "cloche"}) {
        if (::access((directory / "garden-shim").c_str(), X_OK) == 0) return directory.string();
    }
    return CLOCHE_PROGRAM_DIRECTORY;
}

base::Result<void> settle_images(Settings& s) {
    auto& images = s.engine.images;
    images.docker_registry = s.docker_registry;
    images.stall_timeout = std::chrono::seconds(s.registry_timeout_seconds);
    images.preloaded.clear();
    for (const auto& text : s.preloaded_images) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
            return base::fail(
                    base::Errc::invalid, "--preloaded-image: \"{}\" is not NAME=URI", text);
        images.preloaded.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    images.gc_max_age = std::chrono::duration_cast<std::chrono::seconds>(s.image_max_age);
    images.gc_high_watermark =
            TRY(rootfs::parse_store_limit(s.image_high_watermark, "--image-gc-high-watermark"));
    images.gc_low_watermark =
            TRY(rootfs::parse_store_limit(s.image_low_watermark, "--image-gc-low-watermark"));
    // IMG-40: a policy that cannot be used must not be found out by the first image.
    return rootfs::check_images_config(images);
}

base::Result<void> check_range(
        const char* flag, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    if (value >= least && value <= most) return base::ok;
    return base::fail(base::Errc::invalid, "{}: {} is not in {} to {}", flag, value, least, most);
}

base::Result<void> check_range(
        const char* flag,
        std::chrono::nanoseconds value,
        std::chrono::nanoseconds least,
        std::chrono::nanoseconds most) {
    if (value >= least && value <= most) return base::ok;
    return base::fail(
            base::Errc::invalid, "{}: {} is not in {} to {}", flag, base::to_text(value),
            base::to_text(least), base::to_text(most));
}

base::Result<void> check(const Settings& s) {
    for (const auto& [flag, path] :
         {std::pair{"--depot", s.engine.state_directory},
          std::pair{"--store", s.engine.store_directory}}) {
        if (path.empty() || path.front() != '/')
            return base::fail(
                    base::Errc::invalid, "{}: \"{}\" is not an absolute path", flag, path);
    }
    const auto& tag = s.engine.tag;
    if (tag.size() > kMaxTagLength)
        return base::fail(
                base::Errc::invalid, "--tag: \"{}\" has more than {} characters", tag,
                kMaxTagLength);
    for (const char c : tag) {
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            return base::fail(
                    base::Errc::invalid, "--tag: \"{}\" has characters other than a-z and 0-9",
                    tag);
    }
    TRY(check_range("--workers", s.workers, kMinWorkers, kMaxWorkers));
    TRY(check_range("--pool-size", s.engine.pool_size, 0, kMaxPoolSize));
    TRY(check_range("--parallel-creates", s.engine.parallel_creates, 1, 1024));
    TRY(check_range("--mtu", s.engine.network.mtu, 0, 1500));
    TRY(check_range("--parallel-downloads", s.engine.images.parallel_downloads, 1, 64));
    TRY(check_range("--registry-stall-timeout", s.registry_timeout_seconds, 1, 3600));
    if (s.engine.cpu_entitlement_per_share < 0)
        return base::fail(
                base::Errc::invalid, "--cpu-entitlement-per-share: {} is below 0",
                s.engine.cpu_entitlement_per_share);
    using std::chrono::hours;
    using std::chrono::milliseconds;
    TRY(check_range("--read-header-timeout", s.read_header_timeout, milliseconds(1), hours(1)));
    TRY(check_range("--shutdown-grace", s.shutdown_grace, hours(0), hours(1)));
    constexpr hours kLongestGrace{24 * 36'525};  // a century; "never" is 0
    return check_range(
            "--default-grace-time", s.engine.default_grace_time, hours(0), kLongestGrace);
}

}  // namespace

base::Result<void> settle(Settings& s) {
    TRY(check(s));
    TRY(check_plugins(s));
    s.level = TRY(base::log::parse_level(s.log_level).context("--log-level"));
    s.format = TRY(base::log::parse_format(s.log_format).context("--log-format"));
    TRY(settle_endpoints(s));
    s.engine.api_endpoints.clear();
    for (const auto& endpoint : s.endpoints) s.engine.api_endpoints.push_back(endpoint.text());
    TRY(settle_images(s));
    TRY(settle_host(s));
    s.engine.allow_privileged = !s.disable_privileged_containers;
    s.engine.swap_limit = !s.disable_swap_limit;
    s.engine.network.isolate_shared_subnets = !s.garden_shared_subnets;
    s.engine.network.egress_deny = s.egress_default == "deny";
    s.engine.program_directory =
            s.program_directory.empty() ? find_programs() : s.program_directory;
    return base::ok;
}

}  // namespace garden::server
