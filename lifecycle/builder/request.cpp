#include "lifecycle/builder/request.hpp"

#include "base/fail.hpp"
#include "lifecycle/flags/flags.hpp"

#include <algorithm>

namespace lifecycle {

namespace {

struct Written {
    std::string image;
    std::string insecure;
    BuildRequest request;
};

std::vector<Flag> flags_of(Written& out) {
    auto& credentials = out.request.credentials;
    return {
            text_flag(
                    "dockerRef", "image: NAME[:TAG|@DIGEST], with its registry (required)",
                    out.image),
            text_flag(
                    "outputMetadataJSONFilename", "result (default /tmp/result/result.json)",
                    out.request.result_file),
            text_flag(
                    "insecureDockerRegistries", "HOST:PORT,... reached by plain HTTP",
                    out.insecure),
            text_flag("dockerUser", "user name at the registry", credentials.username),
            text_flag("dockerPassword", "password at the registry", credentials.password),
    };
}

// The first part is a registry when it looks like a host: a name on Docker's registry cannot.
bool is_host(std::string_view part) {
    return part.find('.') != std::string_view::npos || part.find(':') != std::string_view::npos ||
           part == "localhost";
}

bool is_docker(std::string_view host) {
    return host.empty() || host == "docker.io" || host == "index.docker.io" ||
           host == "registry-1.docker.io";
}

std::string shown_name(const rootfs::Reference& reference) {
    std::string out(is_docker(reference.host) ? "" : reference.host + "/");
    out += reference.repository;
    if (!reference.tag.empty()) out += ":" + reference.tag;
    if (!reference.digest.empty()) out += "@" + reference.digest.get();
    return out;
}

}  // namespace

base::Result<ImageName> parse_image_name(std::string_view text) {
    if (text.empty()) return base::fail(base::Errc::invalid, "the image has no name");
    if (text.find("://") != std::string_view::npos || text.find('#') != std::string_view::npos)
        return base::fail(
                base::Errc::invalid, "image '{}': write NAME:TAG, without a scheme",
                text.substr(0, 256));
    const auto slash = text.find('/');
    const bool host = slash != std::string_view::npos && is_host(text.substr(0, slash));
    auto reference = rootfs::parse_reference(base::format("docker://{}{}", host ? "" : "/", text));
    if (!reference)
        return base::fail(
                base::Errc::invalid, "image '{}': {}", text.substr(0, 256), reference.error().text);
    auto shown = shown_name(*reference);
    return ImageName{.reference = std::move(*reference), .shown = std::move(shown)};
}

base::Result<std::vector<std::string>> parse_insecure_registries(std::string_view list) {
    std::vector<std::string> out;
    while (!list.empty()) {
        const auto one = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), one.size() + 1));
        const auto refuse = [one](std::string_view why) {
            return base::fail(
                    base::Errc::invalid, "insecure registry '{}': {}", one.substr(0, 256), why);
        };
        if (one.find("://") != std::string_view::npos) return refuse("must not have a scheme");
        const auto colon = one.rfind(':');
        // The colons within an IPv6 address in brackets are not a port's.
        if (colon == std::string_view::npos || colon == 0 || one.ends_with(']') ||
            colon + 1 == one.size())
            return refuse("must be HOST:PORT");
        const auto endpoint = TRY(rootfs::parse_endpoint(one, "insecure registry"));
        out.push_back(endpoint.host);
        if (out.size() > kMaxInsecureRegistries)
            return base::fail(
                    base::Errc::invalid, "insecure registries: over the limit of {}",
                    kMaxInsecureRegistries);
    }
    return out;
}

base::Result<std::optional<BuildRequest>> parse_build_request(
        std::span<const char* const> arguments) {
    Written written;
    const auto flags = flags_of(written);
    if (TRY(read_flags(arguments, flags)) == Asked::help) return std::optional<BuildRequest>();
    auto& out = written.request;
    if (written.image.empty()) return base::fail(base::Errc::invalid, "missing flag -dockerRef");
    out.image = TRY(parse_image_name(written.image).context("flag -dockerRef"));
    out.insecure_registries = TRY(
            parse_insecure_registries(written.insecure).context("flag -insecureDockerRegistries"));
    if (out.credentials.username.empty() != out.credentials.password.empty())
        return base::fail(base::Errc::invalid, "-dockerUser and -dockerPassword belong together");
    if (!out.result_file.starts_with('/'))
        return base::fail(
                base::Errc::invalid, "flag -outputMetadataJSONFilename: '{}' is not absolute",
                out.result_file.substr(0, 256));
    return std::optional(std::move(out));
}

std::string build_usage() {
    Written unused;
    return usage("builder", flags_of(unused));
}

}  // namespace lifecycle
