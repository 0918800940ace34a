// References of images: every image has one name, which means the same image when it is asked for.
#include "rootfs/image/reference.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <string>
#include <string_view>

using namespace rootfs;

namespace {

void check_registry(const Reference& reference) {
    fuzz::require(!reference.repository.empty(), "an image has a repository");
    fuzz::require(reference.repository.size() <= kMaxRepository, "repositories are bounded");
    fuzz::require(reference.tag.size() <= kMaxTag, "tags are bounded");
    fuzz::require(!reference.tag.empty() || !reference.digest.empty(), "an image has a version");
    // What goes into a URL: nothing that ends a path or goes up.
    const auto plain = [](char c) {
        return c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '%';
    };
    for (const auto* part : {&reference.host, &reference.repository, &reference.tag})
        fuzz::require(std::all_of(part->begin(), part->end(), plain), "parts are plain");
    fuzz::require(("/" + reference.repository + "/").find("/../") == std::string::npos, "no '..'");
    const auto registry = parse_endpoint(
            reference.host.empty() ? "registry.example:5000" : reference.host, "registry");
    fuzz::require(registry.has_value(), "a host is a registry");
    const auto name = canonical_name(reference, *registry);
    const auto again = parse_reference(name);
    fuzz::require(again.has_value(), "a canonical name is a reference");
    const auto registry_again = parse_endpoint(again->host, "registry");
    fuzz::require(
            registry_again && canonical_name(*again, *registry_again) == name,
            "a canonical name is its own");
}

void endpoint(std::string_view text) {
    const auto first = parse_endpoint(text, "registry");
    if (!first) return;
    const auto second = parse_endpoint(first->url(), "registry");
    fuzz::require(second && *second == *first, "an endpoint reads the same after printing");
}

}  // namespace

// First byte: reference or endpoint.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    if (input.byte() % 4 == 1) {
        endpoint(input.rest());
        return 0;
    }
    const auto reference = parse_reference(input.rest());
    if (!reference) return 0;
    switch (reference->source) {
        case Source::registry:
            check_registry(*reference);
            break;
        case Source::oci_layout:
        case Source::oci_archive:
        case Source::docker_archive:
        case Source::local:
        case Source::raw:
        case Source::layered:
            fuzz::require(reference->path.starts_with('/'), "paths are absolute");
            fuzz::require(reference->path != "/", "the host's root is no image");
            fuzz::require(reference->path.find('\0') == std::string::npos, "paths are C strings");
            break;
        case Source::preloaded:
            fuzz::require(reference->name.find('/') == std::string::npos, "names are one word");
            break;
    }
    return 0;
}
