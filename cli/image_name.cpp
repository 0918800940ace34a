#include "cli/image_name.hpp"

#include "base/fail.hpp"

#include <array>
#include <filesystem>

namespace cli {

namespace {

constexpr std::array<std::string_view, 5> kSchemes{
        "preloaded:", "preloaded+layer:", "oci-archive:", "docker-archive:", "raw:"};

// docker's rule: the first part is a host when it has a dot or a colon or is localhost.
bool is_host(std::string_view part) {
    return part.find_first_of(".:") != std::string_view::npos || part == "localhost";
}

}  // namespace

base::Result<std::string> image_uri(std::string_view name, std::string_view working_directory) {
    if (name.empty()) return base::fail(base::Errc::invalid, "image: empty name");
    if (name.find("://") != std::string_view::npos || name.front() == '/') return std::string(name);
    for (const auto scheme : kSchemes)
        if (name.starts_with(scheme)) return std::string(name);
    if (name == "." || name.starts_with("./") || name.starts_with("../")) {
        if (working_directory.empty())
            return base::fail(
                    base::Errc::not_found, "image {}: the working directory is gone", name);
        return std::string(working_directory) + "/" + std::string(name);
    }
    std::string_view host;
    const auto slash = name.find('/');
    if (slash != std::string_view::npos && is_host(name.substr(0, slash))) {
        host = name.substr(0, slash);
        name.remove_prefix(slash + 1);
    }
    std::string out = "docker://" + std::string(host) + "/";
    const auto at = name.find('@');
    const auto digest = at == std::string_view::npos ? std::string_view() : name.substr(at);
    name = name.substr(0, at);
    const auto colon = name.rfind(':');
    out += name.substr(0, colon);
    if (colon != std::string_view::npos)
        out.append(digest.empty() ? "#" : ":").append(name.substr(colon + 1));
    return out.append(digest);
}

base::Result<std::string> stored_image(const std::string& name) {
    if (name.starts_with("sha256:")) return name;
    std::error_code error;
    return image_uri(name, std::filesystem::current_path(error).string());
}

}  // namespace cli
