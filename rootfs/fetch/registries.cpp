#include "rootfs/fetch/registries.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace rootfs {

namespace {

constexpr std::chrono::seconds kDownFor{15};

// Docker's registry is spoken of by other names than it answers to.
std::string reachable(const std::string& host) {
    return host == "docker.io" || host == "index.docker.io" ? "registry-1.docker.io" : host;
}

std::string lower(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

}  // namespace

bool is_out_of_reach(const base::Error& error) {
    return error.kind == base::Errc::unavailable || error.kind == base::Errc::timeout;
}

Registries::Registries(const ImagesConfig& config, Endpoint standard)
    : client_(HttpLimits{.connect = config.connect_timeout, .stall = config.stall_timeout},
              config.ca_file),
      retry_(RetryPolicy{.attempts = std::max(config.attempts, 1U)}),
      standard_(std::move(standard)) {
    for (const auto& host : config.insecure_registries) insecure_.push_back(lower(host));
}

base::Result<std::unique_ptr<Registries>> Registries::open(const ImagesConfig& config) {
    auto standard = TRY(parse_endpoint(config.docker_registry, "docker_registry"));
    std::unique_ptr<Registries> out(new Registries(config, std::move(standard)));
    const auto is_insecure = [&out](const std::string& host) {
        return std::find(out->insecure_.begin(), out->insecure_.end(), host) !=
               out->insecure_.end();
    };
    for (const auto& text : config.insecure_registries)
        (void)TRY(parse_endpoint(text, "insecure_registries"));
    for (const auto& text : config.mirrors) {
        auto mirror = TRY(parse_endpoint(text, "mirrors"));
        mirror.plain_http = mirror.plain_http || is_insecure(mirror.host);
        out->mirrors_.push_back(std::move(mirror));
    }
    out->standard_.plain_http = out->standard_.plain_http || is_insecure(out->standard_.host);
    return out;
}

base::Result<RegistryTarget> Registries::target(const Reference& reference) const {
    RegistryTarget out{.reference = reference, .home = standard_};
    if (reference.host.empty()) {
        out.mirrors = mirrors_;
    } else if (reachable(reference.host) != reachable(standard_.host)) {
        out.home = Endpoint{.host = reference.host};
        out.home.plain_http =
                std::find(insecure_.begin(), insecure_.end(), reference.host) != insecure_.end();
    }
    out.name = canonical_name(reference, out.home);
    return out;
}

std::vector<std::unique_ptr<RegistrySource>> Registries::sources(
        const RegistryTarget& target, const Credentials& credentials, bool hurried) {
    auto retry = retry_;
    if (hurried) retry.attempts = std::min(retry.attempts, 2U);
    std::vector<std::unique_ptr<RegistrySource>> out;
    RegistryImage image{
            .endpoint = target.home,
            .repository = remote_repository(target.reference, target.home),
            .tag = target.reference.tag,
            .digest = target.reference.digest};
    image.endpoint.host = reachable(image.endpoint.host);
    for (const auto& mirror : target.mirrors) {
        auto copy = image;
        copy.endpoint = mirror;
        auto brief = retry;
        brief.attempts = std::min(retry.attempts, 2U);  // there is another place to ask
        out.push_back(std::make_unique<RegistrySource>(client_, tokens_, brief, std::move(copy)));
    }
    image.credentials = credentials;
    out.push_back(std::make_unique<RegistrySource>(client_, tokens_, retry, std::move(image)));
    return out;
}

base::Result<Digest> Registries::current(
        const RegistryTarget& target,
        const Credentials& credentials,
        bool hurried,
        const Cancelled& cancelled) {
    base::Result<Digest> found = base::fail(base::Errc::internal, "no registry");
    for (const auto& source : sources(target, credentials, hurried)) {
        found = source->current(cancelled);
        if (found || found.error().kind == base::Errc::cancelled) break;
    }
    return found;
}

base::Result<RegistryPull> Registries::resolve(
        const RegistryTarget& target, const Credentials& credentials, const Cancelled& cancelled) {
    base::Result<RegistryPull> found = base::fail(base::Errc::internal, "no registry");
    for (auto& source : sources(target, credentials, false)) {
        auto resolved = source->resolve(cancelled);
        if (resolved)
            return RegistryPull{.source = std::move(source), .resolved = std::move(*resolved)};
        found = std::move(resolved).error();
        if (found.error().kind == base::Errc::cancelled) break;
    }
    return found;
}

bool Registries::seems_down(const Endpoint& home) {
    const std::lock_guard lock(mutex_);
    const auto found = down_until_.find(home.host);
    if (found == down_until_.end()) return false;
    if (found->second > std::chrono::steady_clock::now()) return true;
    down_until_.erase(found);
    return false;
}

void Registries::note_down(const Endpoint& home) {
    const std::lock_guard lock(mutex_);
    if (down_until_.size() > 1000) down_until_.clear();  // forgetting costs one timeout
    down_until_[home.host] = std::chrono::steady_clock::now() + kDownFor;
}

}  // namespace rootfs
