#include "rootfs/image/reference.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"

#include <algorithm>
#include <utility>

namespace rootfs {

namespace {

bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_alphanumeric(char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

// Letters and digits, with ".", "_", "__" or dashes between them, never at an end.
bool valid_component(std::string_view part) {
    if (part.empty() || !is_lower_or_digit(part.front()) || !is_lower_or_digit(part.back()))
        return false;
    for (std::size_t i = 0; i < part.size();) {
        if (is_lower_or_digit(part[i])) {
            ++i;
            continue;
        }
        const auto end = std::find_if(
                part.begin() + static_cast<std::ptrdiff_t>(i), part.end(), is_lower_or_digit);
        const auto between = part.substr(i, static_cast<std::size_t>(end - part.begin()) - i);
        const bool dashes = between.find_first_not_of('-') == std::string_view::npos;
        if (between != "." && between != "_" && between != "__" && !dashes) return false;
        i += between.size();
    }
    return true;
}

base::Result<void> check_repository(std::string_view repository) {
    if (repository.empty()) return base::fail(base::Errc::invalid, "the repository name is empty");
    if (repository.size() > kMaxRepository) {
        return base::fail(
                base::Errc::invalid, "the repository name has {} characters, the limit is {}",
                repository.size(), kMaxRepository);
    }
    for (std::string_view rest = repository;;) {
        const auto slash = rest.find('/');
        const auto part = rest.substr(0, slash);
        if (!valid_component(part)) {
            const bool upper = lower(part) != part && valid_component(lower(part));
            return base::fail(
                    base::Errc::invalid, "repository '{}': {}", repository,
                    upper ? "names must be lower case"
                          : fmt::format("'{}' is not a valid part of a name", part));
        }
        if (slash == std::string_view::npos) return base::ok;
        rest = rest.substr(slash + 1);
    }
}

base::Result<void> check_tag(std::string_view tag) {
    const auto allowed = [](char c) {
        return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
    };
    if (tag.empty()) return base::fail(base::Errc::invalid, "the tag is empty");
    if (tag.size() > kMaxTag) {
        return base::fail(
                base::Errc::invalid, "the tag has {} characters, the limit is {}", tag.size(),
                kMaxTag);
    }
    if (tag.front() == '.' || tag.front() == '-' || !std::all_of(tag.begin(), tag.end(), allowed)) {
        return base::fail(
                base::Errc::invalid, "tag '{}' has a character that tags must not have", tag);
    }
    return base::ok;
}

base::Result<void> check_host(std::string_view host) {
    std::string_view name = host;
    std::string_view port;
    if (host.starts_with('[')) {  // an IPv6 address
        const auto close = host.find(']');
        if (close == std::string_view::npos) {
            return base::fail(base::Errc::invalid, "registry host '{}' has no closing ']'", host);
        }
        name = host.substr(1, close - 1);
        port = host.substr(close + 1);
        if (!port.empty() && port.front() != ':') {
            return base::fail(base::Errc::invalid, "registry host '{}' is malformed", host);
        }
        const auto allowed = [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
                   c == ':' || c == '.';
        };
        if (!std::all_of(name.begin(), name.end(), allowed)) {
            return base::fail(base::Errc::invalid, "registry host '{}' is not an address", host);
        }
    } else {
        const auto colon = host.find(':');
        name = host.substr(0, colon);
        if (colon != std::string_view::npos) port = host.substr(colon);
        const auto allowed = [](char c) {
            return is_alphanumeric(c) || c == '.' || c == '-' || c == '_';
        };
        if (!std::all_of(name.begin(), name.end(), allowed)) {
            return base::fail(
                    base::Errc::invalid,
                    "registry host '{}' has a character that hosts must not have", host);
        }
    }
    if (name.empty() || name.size() > 253) {
        return base::fail(base::Errc::invalid, "registry host '{}' is empty or too long", host);
    }
    if (!port.empty()) {
        const auto number =
                TRY(base::parse_number<std::uint16_t>(port.substr(1), "port of the registry"));
        if (number == 0)
            return base::fail(base::Errc::invalid, "port of the registry must not be 0");
    }
    return base::ok;
}

// What follows "docker://": host (may be empty), "/", name, then "#tag" or ":tag", then "@digest".
base::Result<Reference> parse_registry(std::string_view rest) {
    Reference out{.source = Source::registry};
    const auto at = rest.find('@');
    if (at != std::string_view::npos) {
        out.digest = TRY(parse_digest(rest.substr(at + 1)));
        rest = rest.substr(0, at);
    }
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) {
        return base::fail(
                base::Errc::invalid,
                "'{}' names no repository (hint: write docker:///{} for the default registry)",
                rest, rest);
    }
    out.host = lower(rest.substr(0, slash));
    if (!out.host.empty()) TRY(check_host(out.host));
    auto name = rest.substr(slash + 1);
    auto mark = name.find('#');
    if (mark == std::string_view::npos) {
        mark = name.find(':', name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/'));
    }
    if (mark != std::string_view::npos) {
        out.tag = name.substr(mark + 1);
        TRY(check_tag(out.tag));
        name = name.substr(0, mark);
    }
    TRY(check_repository(name));
    out.repository = name;
    if (out.tag.empty() && out.digest.empty()) out.tag = "latest";
    return out;
}

base::Result<std::string> absolute(std::string_view path) {
    if (!path.starts_with('/')) {
        return base::fail(base::Errc::invalid, "'{}' is not an absolute path", path);
    }
    while (path.starts_with("//")) path.remove_prefix(1);  // oci:///dir and oci:/dir are the same
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    if (path == "/") return base::fail(base::Errc::invalid, "the host's own root is not an image");
    return std::string(path);
}

// "path[:tag]": the first colon ends the path.
base::Result<Reference> parse_path(Source source, std::string_view rest, bool with_tag) {
    Reference out{.source = source};
    const auto colon = with_tag ? rest.find(':') : std::string_view::npos;
    out.path = TRY(absolute(rest.substr(0, colon)));
    if (colon != std::string_view::npos) {
        out.tag = rest.substr(colon + 1);
        if (out.tag.empty()) return base::fail(base::Errc::invalid, "the tag is empty");
    }
    return out;
}

base::Result<Reference> parse_preloaded(std::string_view name) {
    const auto allowed = [](char c) {
        return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
    };
    if (name.empty() || !std::all_of(name.begin(), name.end(), allowed)) {
        return base::fail(
                base::Errc::invalid, "'{}' is not a name of letters, digits, '.', '_' and '-'",
                name);
    }
    return Reference{.source = Source::preloaded, .name = std::string(name)};
}

base::Result<std::string> percent_decoded(std::string_view text) {
    const auto nibble = [](char c) {
        const auto at = std::string_view("0123456789abcdef").find(lower(std::string(1, c)));
        return at == std::string_view::npos ? -1 : static_cast<int>(at);
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? nibble(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? nibble(text[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0)
            return base::fail(base::Errc::invalid, "a character is not escaped well");
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

base::Result<std::string> layer_directory(std::string_view text) {
    if (!text.starts_with('/'))
        return base::fail(base::Errc::invalid, "layer_path '{}' is not absolute", text);
    std::string out;
    std::size_t depth = 0;
    while (!text.empty()) {
        const auto slash = std::min(text.find('/'), text.size());
        const auto name = text.substr(0, slash);
        text.remove_prefix(std::min(slash + 1, text.size()));
        if (name.empty() || name == ".") continue;
        if (name == ".." || name.find('\0') != std::string_view::npos)
            return base::fail(base::Errc::invalid, "layer_path leaves the root file system");
        if (++depth > kMaxLayerDepth)
            return base::fail(
                    base::Errc::invalid, "layer_path is more than {} deep", kMaxLayerDepth);
        out.append(out.empty() ? "" : "/").append(name);
    }
    return out;
}

// "/base?layer=URL&layer_path=DIR&layer_digest=HEX", each value escaped.
base::Result<Reference> parse_layered(std::string_view rest) {
    const auto question = std::min(rest.find('?'), rest.size());
    auto out = TRY(parse_path(Source::layered, rest.substr(0, question), false));
    rest.remove_prefix(std::min(question + 1, rest.size()));
    std::string directory;
    std::string digest;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('&'), rest.size());
        const auto pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const auto equals = std::min(pair.find('='), pair.size());
        const auto name = pair.substr(0, equals);
        auto* value = name == "layer"          ? &out.layer_url
                      : name == "layer_path"   ? &directory
                      : name == "layer_digest" ? &digest
                                               : nullptr;
        if (value == nullptr || !value->empty())
            return base::fail(
                    base::Errc::invalid, "preloaded+layer: '{}' is unknown or given twice", name);
        *value = TRY(percent_decoded(pair.substr(std::min(equals + 1, pair.size()))));
    }
    const bool web = out.layer_url.starts_with("https://") || out.layer_url.starts_with("http://");
    if (!web || std::any_of(out.layer_url.begin(), out.layer_url.end(), [](char c) {
            return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
        }))
        return base::fail(base::Errc::invalid, "preloaded+layer: layer is no http address");
    out.layer_path = TRY(layer_directory(directory));
    out.digest = TRY(parse_digest(digest.starts_with("sha256:") ? digest : "sha256:" + digest)
                             .context("preloaded+layer: layer_digest"));
    return out;
}

base::Result<Reference> parse_by_scheme(std::string_view uri) {
    const auto after = [uri](std::string_view prefix) { return uri.substr(prefix.size()); };
    if (uri.starts_with("docker://")) return parse_registry(after("docker://"));
    if (uri.starts_with("oci://")) return parse_path(Source::oci_layout, after("oci://"), true);
    if (uri.starts_with("oci:/")) return parse_path(Source::oci_layout, after("oci:"), true);
    if (uri.starts_with("oci-archive:"))
        return parse_path(Source::oci_archive, after("oci-archive:"), true);
    if (uri.starts_with("docker-archive:"))
        return parse_path(Source::docker_archive, after("docker-archive:"), true);
    if (uri.starts_with("raw://")) return parse_path(Source::raw, after("raw://"), false);
    if (uri.starts_with("preloaded:")) return parse_preloaded(after("preloaded:"));
    if (uri.starts_with("file://")) return parse_path(Source::local, after("file://"), false);
    if (uri.starts_with("/")) return parse_path(Source::local, uri, false);
    if (uri.starts_with(kLayeredScheme)) return parse_layered(after(kLayeredScheme));
    return base::fail(
            base::Errc::invalid,
            "unknown form; known are docker://, oci://, oci-archive:, docker-archive:, preloaded:, "
            "raw://, and an "
            "absolute path of a tar file or directory");
}

bool is_docker_hub(std::string_view host) {
    return host == "registry-1.docker.io" || host == "docker.io" || host == "index.docker.io";
}

}  // namespace

base::Result<Reference> parse_reference(std::string_view uri) {
    if (uri.empty()) return base::fail(base::Errc::invalid, "the image reference is empty");
    if (uri.size() > kMaxReference) {
        return base::fail(
                base::Errc::invalid, "the image reference has {} characters, the limit is {}",
                uri.size(), kMaxReference);
    }
    const auto unprintable = [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
    };
    const bool is_path = uri.starts_with('/');
    if (uri.find('\0') != std::string_view::npos ||
        (!is_path && std::any_of(uri.begin(), uri.end(), unprintable))) {
        return base::fail(
                base::Errc::invalid, "the image reference has a space or control character");
    }
    auto parsed = parse_by_scheme(uri);
    if (parsed) return parsed;
    // The address of a layer may carry a signature.
    const auto shown = uri.starts_with(kLayeredScheme) ? uri.substr(0, uri.find('?')) : uri;
    return std::move(parsed).context(fmt::format("image reference '{}'", shown));
}

base::Result<Endpoint> parse_endpoint(std::string_view text, std::string_view what) {
    Endpoint out;
    std::string_view rest = text;
    if (rest.starts_with("http://")) {
        out.plain_http = true;
        rest.remove_prefix(7);
    } else if (rest.starts_with("https://")) {
        rest.remove_prefix(8);
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    out.host = lower(rest);
    auto checked = check_host(out.host);
    if (!checked) return std::move(checked.error()).context(what);
    return out;
}

std::string remote_repository(const Reference& reference, const Endpoint& registry) {
    const bool official = reference.repository.find('/') == std::string::npos;
    if (official && is_docker_hub(registry.host)) return "library/" + reference.repository;
    return reference.repository;
}

std::string canonical_name(const Reference& reference, const Endpoint& registry) {
    const std::string_view host =
            is_docker_hub(registry.host) ? std::string_view("docker.io") : registry.host;
    std::string name = fmt::format("docker://{}/{}", host, remote_repository(reference, registry));
    if (!reference.digest.empty()) return name + "@" + reference.digest.get();
    return name + ":" + reference.tag;
}

}  // namespace rootfs
