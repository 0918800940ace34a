// The rules that tasks and desired LRPs share.
#include "brain/validate/parts.hpp"

#include "base/fail.hpp"
#include "base/http/url.hpp"

#include <algorithm>

namespace brain::validate {

namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

// scheme ":" anything that a URL may hold.
bool has_scheme(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || !is_letter(text[0])) return false;
    return std::ranges::all_of(text.substr(0, colon), [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
    });
}

}  // namespace

void check_count(
        Violations& found, const std::string& field, std::size_t count, std::size_t limit) {
    if (count > limit)
        found.add(field, base::format("{}: {} elements, the limit is {}", field, count, limit));
}

void check_size(
        Violations& found, const std::string& field, const std::string& path, std::int64_t value) {
    if (value < 0) found.add(field, base::format("{}: {} is below 0", path, value));
}

void check_domain(Violations& found, std::string_view domain) {
    if (domain.empty()) {
        found.add("domain", "domain: must not be empty");
    } else if (domain.size() > kMaxKey) {
        found.add(
                "domain",
                base::format("domain: {} bytes, the limit is {}", domain.size(), kMaxKey));
    } else if (std::ranges::any_of(domain, is_control)) {
        found.add("domain", "domain: control characters");
    }
}

void check_guid(Violations& found, const std::string& field, std::string_view guid) {
    const bool plain = !guid.empty() && std::ranges::all_of(guid, [](char c) {
        return is_letter(c) || is_digit(c) || c == '-' || c == '_';
    });
    if (!plain) {
        found.add(
                field, base::format(
                               "{}: '{}' is not one or more of letters, digits, - and _", field,
                               guid.substr(0, 64)));
    } else if (guid.size() > kMaxKey) {
        found.add(
                field, base::format("{}: {} bytes, the limit is {}", field, guid.size(), kMaxKey));
    }
}

void check_rootfs(Violations& found, const std::string& rootfs) {
    if (rootfs.empty()) {
        found.add("rootfs", "rootfs: must not be empty");
    } else if (rootfs.size() > kMaxRootfs) {
        found.add(
                "rootfs",
                base::format("rootfs: {} bytes, the limit is {}", rootfs.size(), kMaxRootfs));
    } else if (!has_scheme(rootfs) || std::ranges::any_of(rootfs, is_control)) {
        found.add(
                "rootfs", base::format(
                                  "rootfs: '{}' is no URL with a scheme (hint: preloaded:NAME or "
                                  "docker:///image)",
                                  rootfs.substr(0, 64)));
    }
}

void check_cpu_weight(Violations& found, std::uint32_t weight, const Rules& rules) {
    if (rules.cpu_weight && weight > *rules.cpu_weight)
        found.add(
                "cpu_weight",
                base::format("cpu_weight: {}, the limit is {}", weight, *rules.cpu_weight));
}

void check_annotation(Violations& found, std::string_view annotation) {
    if (annotation.size() > kMaxAnnotation)
        found.add(
                "annotation", base::format(
                                      "annotation: {} bytes, the limit is {}", annotation.size(),
                                      kMaxAnnotation));
}

void check_routes(
        Violations& found, const std::map<std::string, std::string>& routes, const Rules& rules) {
    std::size_t bytes = 0;
    for (const auto& [router, json] : routes) bytes += json.size();
    if (bytes > rules.routes_bytes)
        found.add(
                "routes",
                base::format("routes: {} bytes, the limit is {}", bytes, rules.routes_bytes));
    check_count(found, "routes", routes.size(), kMaxTags);
}

void check_env(Violations& found, const std::vector<api::EnvironmentVariable>& env) {
    check_count(found, "env", env.size(), kMaxVariables);
    for (std::size_t i = 0; i < env.size(); ++i)
        if (is_blank(env[i].name) || env[i].name.find('=') != std::string::npos)
            found.add(
                    "env", base::format(
                                   "env[{}].name: '{}' is no name of a variable", i,
                                   env[i].name.substr(0, 64)));
}

void check_metric_tags(
        Violations& found,
        const std::map<std::string, api::MetricTagValue>& tags,
        const std::string& metrics_guid,
        const Rules& rules) {
    check_count(found, "metric_tags", tags.size(), kMaxTags);
    if (rules.metric_tags_required && tags.empty())
        found.add("metric_tags", "metric_tags: must not be empty");
    for (const auto& [name, value] : tags)
        if (value.fixed.empty() == (value.dynamic == api::DynamicTag::none))
            found.add(
                    "metric_tags", base::format(
                                           "metric_tags.{}: exactly one of static and dynamic",
                                           name.substr(0, 64)));
    if (metrics_guid.empty() || tags.empty()) return;
    const auto source = tags.find("source_id");
    if (source == tags.end() || source->second.fixed != metrics_guid)
        found.add("source_id", "metric_tags.source_id: it must be the metrics_guid");
}

void check_credentials(Violations& found, bool username, bool password) {
    if (username && !password)
        found.add("image_password", "image_password: required with image_username");
    if (password && !username)
        found.add("image_username", "image_username: required with image_password");
}

Violations validate_domain(std::string_view domain) {
    Violations found;
    check_domain(found, domain);
    return found;
}

Violations validate_callback_url(std::string_view url) {
    Violations found;
    const auto parsed = base::http::parse_url(url);
    // Blanks would be escaped by a lenient reader; a URI has none (receptor-api §3.3).
    const bool clean = std::ranges::none_of(url, [](char c) { return is_control(c) || c == ' '; });
    if (!parsed || !clean)
        found.add(
                "completion_callback_url",
                "completion_callback_url: " + (parsed ? std::string("blanks or control characters")
                                                      : parsed.error().text));
    return found;
}

}  // namespace brain::validate
