#include "lifecycle/builder/result.hpp"

#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "base/parse.hpp"
#include "rootfs/image/json.hpp"
#include "rootfs/image/manifest.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace lifecycle {

namespace {

// What Go's encoder writes: it makes JSON safe inside HTML, and the known files are its work. These
// characters can only stand in texts, so the finished document may be changed.
std::string as_known(std::string_view json) {
    constexpr std::array kEscapes{
            std::pair<std::string_view, std::string_view>{"<", "\\u003c"},
            std::pair<std::string_view, std::string_view>{">", "\\u003e"},
            std::pair<std::string_view, std::string_view>{"&", "\\u0026"},
            std::pair<std::string_view, std::string_view>{"\xE2\x80\xA8", "\\u2028"},
            std::pair<std::string_view, std::string_view>{"\xE2\x80\xA9", "\\u2029"},
    };
    std::string out;
    while (!json.empty()) {
        const auto* escape = std::find_if(kEscapes.begin(), kEscapes.end(), [json](const auto& e) {
            return json.starts_with(e.first);
        });
        if (escape == kEscapes.end()) {
            out += json.front();
            json.remove_prefix(1);
        } else {
            out += escape->second;
            json.remove_prefix(escape->first.size());
        }
    }
    return out;
}

// "8080/tcp", "53/udp", "80".
base::Result<ExposedPort> parse_port(std::string_view text) {
    const auto slash = text.find('/');
    ExposedPort out{.protocol = "tcp"};
    out.port = TRY(base::parse_number<std::uint16_t>(text.substr(0, slash), "exposed port"));
    if (slash != std::string_view::npos) out.protocol = text.substr(slash + 1);
    const bool known = out.protocol == "tcp" || out.protocol == "udp" || out.protocol == "sctp";
    if (!known || out.port == 0)
        return base::fail(
                base::Errc::invalid, "exposed port '{}' is not a number and tcp, udp or sctp",
                text.substr(0, 64));
    return out;
}

base::Result<std::vector<ExposedPort>> exposed_ports(std::string_view text) {
    const auto document = TRY(rootfs::parse_json(text, "image config"));
    std::vector<ExposedPort> out;
    const auto* config = rootfs::member(document, "config");
    const auto* ports = config == nullptr ? nullptr : rootfs::member(*config, "ExposedPorts");
    if (ports == nullptr) return out;
    if (!ports->is_object())
        return base::fail(base::Errc::corrupt, "image config: ExposedPorts must be an object");
    if (ports->size() > kMaxExposedPorts)
        return base::fail(
                base::Errc::exhausted, "image config: {} exposed ports, the limit is {}",
                ports->size(), kMaxExposedPorts);
    for (const auto& port : ports->items()) out.push_back(TRY(parse_port(port.key())));
    const auto order = [](const ExposedPort& port) {
        const int protocol = port.protocol == "tcp" ? 0 : port.protocol == "udp" ? 1 : 2;
        return std::tuple(port.port, protocol);
    };
    std::sort(out.begin(), out.end(), [&order](const ExposedPort& a, const ExposedPort& b) {
        return order(a) < order(b);
    });
    out.erase(std::unique(out.begin(), out.end()), out.end());  // "80" and "80/tcp"
    return out;
}

}  // namespace

base::Result<StagedImage> read_staged_image(std::string name, std::string_view config) {
    const auto parsed = TRY(rootfs::parse_config(config));
    StagedImage out{
            .name = std::move(name),
            .entrypoint = parsed.config.entrypoint,
            .cmd = parsed.config.cmd,
            .workdir = parsed.config.working_dir,
            .user = parsed.config.user};
    out.ports = TRY(exposed_ports(config));
    return out;
}

std::string execution_metadata(const StagedImage& image) {
    base::json::Writer out;
    out.begin_object();
    if (!image.cmd.empty()) out.member("cmd", image.cmd);
    if (!image.entrypoint.empty()) out.member("entrypoint", image.entrypoint);
    if (!image.workdir.empty()) out.member("workdir", image.workdir);
    if (!image.ports.empty()) {
        out.key("ports").begin_array();
        for (const auto& port : image.ports) {
            // Capitals: readers of the original look for these.
            out.begin_object().member("Port", port.port).member("Protocol", port.protocol);
            out.end_object();
        }
        out.end_array();
    }
    if (!image.user.empty()) out.member("user", image.user);
    out.end_object();
    return as_known(out.take());
}

std::string staging_result(const StagedImage& image) {
    std::string command;
    for (const auto* words : {&image.entrypoint, &image.cmd}) {
        for (const auto& word : *words) {
            if (!command.empty()) command += ' ';
            command += word;
        }
    }
    base::json::Writer out;
    out.begin_object().member("lifecycle_type", "docker");
    out.key("lifecycle_metadata").begin_object().member("docker_image", image.name).end_object();
    out.key("process_types").begin_object().member("web", command).end_object();
    out.member("execution_metadata", execution_metadata(image)).end_object();
    return as_known(out.take());
}

}  // namespace lifecycle
