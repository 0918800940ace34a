// Making a container in the backend (executor-rep §4.3). Runs on a create worker under the
// container's operation lock; a stop breaks off what can wait.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "executor/core/local_executor.hpp"
#include "executor/logs/hub.hpp"

#include <fcntl.h>

#include <algorithm>
#include <future>
#include <utility>

namespace executor {

namespace sys = base::sys;

namespace {

constexpr auto kStoppedEarly = "stopped-before-running";

Outcome early_failure(std::string reason, bool retryable) {
    return {.kind = Outcome::Kind::failed,
            .message = std::move(reason),
            .detail = {},
            .retryable = retryable};
}

garden::api::BindMount bind_mount(std::string from, std::string to, bool writable) {
    return {.src_path = std::move(from),
            .dst_path = std::move(to),
            .mode = writable ? 1U : 0U,
            .origin = 0};
}

}  // namespace

void LocalExecutor::create(const NodePtr& node) {
    const auto guard = operations_.lock(node->guid());
    {
        const std::lock_guard lock(node->mutex);
        if (node->gone || node->record.container.state != api::State::initializing) return;
        if (node->record.stop) {
            complete(*node, early_failure(kStoppedEarly, false));
            return;
        }
    }
    const auto log = log_of(*node);
    log->say(
            "", LogKind::out,
            base::format(
                    "Cell {} creating container for instance {}", settings_.cell_id, node->guid()));
    auto made = create_in_garden(*node);
    ++(made ? creations_ : failed_creations_);
    const std::lock_guard lock(node->mutex);
    if (node->record.stop) {
        complete(*node, early_failure(kStoppedEarly, false));
    } else if (!made) {
        // The program ends, not the container: its next life begins the creation anew.
        if (node->stop.stop_requested()) return;
        log->say(
                "", LogKind::err,
                base::format(
                        "Cell {} failed to create container for instance {}: {}", settings_.cell_id,
                        node->guid(), made.error().text));
        complete(*node, early_failure(made.error().text, true));
    } else {
        log->say(
                "", LogKind::out,
                base::format(
                        "Cell {} successfully created container for instance {}", settings_.cell_id,
                        node->guid()));
        node->record.container.state = api::State::created;
        node->record.container.info.image_password.clear();  // nobody asks the registry again
        save(*node);
        start_steps(node);
    }
}

base::Result<void> LocalExecutor::create_in_garden(Node& node) {
    api::Container container;
    {
        const std::lock_guard lock(node.mutex);
        container = node.record.container;
    }
    Mounts mounts;
    TRY(fetch_dependencies(node, container, mounts));
    if (!settings_.trusted_certificates.empty() &&
        !container.info.trusted_system_certificates_path.empty()) {
        const auto& inside = container.info.trusted_system_certificates_path;
        mounts.binds.push_back(bind_mount(settings_.trusted_certificates, inside, false));
        mounts.environment.push_back({.name = "CF_SYSTEM_CERT_PATH", .value = inside});
    }
    TRY(mount_volumes(container, mounts).context("failed to mount volume"));
    TRY(mount_credentials(container, mounts));
    TRY(write_mounted_files(container, mounts).context("failed to create volume mounted files"));
    if (!settings_.healthcheck_directory.empty())
        mounts.binds.push_back(
                bind_mount(settings_.healthcheck_directory, "/etc/cf-assets/healthcheck", false));
    if (parts_.logins != nullptr) {
        auto& info = container.info;
        const auto login = TRY(parts_.logins->exchange(
                info.rootfs, {.username = info.image_username, .password = info.image_password}));
        info.image_username = login.username;
        info.image_password = login.password;
    }
    TRY(make_patiently(node, plan_container(container, settings_, mounts))
                .context("failed to create container"));
    return issue_credentials(node);  // they name the address that the backend chose
}

// A backend that restarts, or that has too much to do, is no reason to give a container up: it is
// asked again, from a clean beginning, for as long as the settings say.
base::Result<void> LocalExecutor::make_patiently(
        Node& node, const garden::api::ContainerSpec& spec) {
    const auto deadline = std::chrono::steady_clock::now() + settings_.backend_patience;
    std::chrono::nanoseconds pause = std::chrono::milliseconds(50);
    bool leftover = false;
    {
        const std::lock_guard lock(node.mutex);
        leftover = std::exchange(node.in_garden, true);
    }
    for (;;) {
        auto made = leftover ? destroy_in_garden(node.guid()) : base::Result<void>(base::ok);
        // Half made it cannot be destroyed yet.
        const bool too_early = !made && made.error().kind == base::Errc::conflict;
        leftover = true;
        if (made) made = create_once(spec);
        if (made) made = read_addresses(node);
        if (made || (made.error().kind != base::Errc::unavailable && !too_early) ||
            std::chrono::steady_clock::now() >= deadline)
            return made;
        std::unique_lock lock(node.mutex);
        const auto ends = [&] { return node.record.stop || node.stop.stop_requested(); };
        if (node.changed.wait_for(lock, pause, ends)) return made;
        pause = std::min<std::chrono::nanoseconds>(pause * 2, std::chrono::seconds(2));
    }
}

// What our last life asked for may reach the backend after this one has looked what is there: it is
// in the way, at first half made and without an owner, and what asks again takes it away.
base::Result<void> LocalExecutor::create_once(const garden::api::ContainerSpec& spec) {
    const auto made = parts_.garden.create(spec);
    if (made) return base::ok;
    if (made.error().kind != base::Errc::already_exists) return made.error();
    const auto complete = TRY(parts_.garden.list());
    const auto ours = TRY(parts_.garden.list({{std::string(kOwnerProperty), settings_.owner}}));
    const auto has = [&](const std::vector<std::string>& handles) {
        return std::find(handles.begin(), handles.end(), spec.handle) != handles.end();
    };
    if (has(complete) && !has(ours)) return made.error();
    return base::fail(base::Errc::unavailable, "{}", made.error().text);
}

base::Result<void> LocalExecutor::fetch_dependencies(
        Node& node, const api::Container& container, Mounts& mounts) {
    const auto& wanted = container.info.cached_dependencies;
    if (wanted.empty()) return base::ok;
    const auto log = log_of(node);
    // All at once; the first failure breaks the others off.
    std::stop_source stop;
    const std::stop_callback forward(node.stop.get_token(), [&] { stop.request_stop(); });
    std::vector<std::promise<base::Result<FetchedDirectory>>> promises(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto* one = &wanted[i];
        auto* promise = &promises[i];
        auto taken = download_pool_.submit([this, one, promise, &stop, &log] {
            if (!one->name.empty())
                log->say(one->log_source, LogKind::out, "Downloading " + one->name + "...");
            const FetchRequest request{
                    .url = one->from,
                    .cache_key = one->cache_key,
                    .checksum_algorithm = one->checksum_algorithm,
                    .checksum_value = one->checksum_value};
            auto fetched = parts_.fetcher.directory(request, stop.get_token());
            if (!fetched) stop.request_stop();
            promise->set_value(std::move(fetched));
        });
        if (!taken) promise->set_value(std::move(taken).error());
    }
    std::optional<base::Error> failure;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        auto fetched = promises[i].get_future().get();
        if (!fetched) {
            // The others were cancelled for its sake.
            if (!failure || failure->kind == base::Errc::cancelled) failure = fetched.error();
            continue;
        }
        if (!wanted[i].name.empty())
            log->say(
                    wanted[i].log_source, LogKind::out,
                    fetched->from_cache ? "Downloaded " + wanted[i].name + " (cached)"
                                        : "Downloaded " + wanted[i].name);
        mounts.binds.push_back(bind_mount(fetched->path, wanted[i].to, false));
        const std::lock_guard lock(node.mutex);
        node.holds.push_back(std::move(fetched->hold));
        node.record.dependencies.push_back(std::move(fetched->path));
    }
    if (!failure) return base::ok;
    return base::fail(failure->kind, "failed to download cached artifacts: {}", failure->text);
}

base::Result<void> LocalExecutor::mount_volumes(const api::Container& container, Mounts& mounts) {
    for (const auto& mount : container.info.volume_mounts) {
        if (mount.driver != "local" || settings_.volume_directory.empty())
            return base::fail(
                    base::Errc::not_found, "driver '{}' is not on this cell", mount.driver);
        // The only driver: a directory per volume below one of the operator's.
        if (mount.volume_id.empty() || mount.volume_id.starts_with('.') ||
            mount.volume_id.find('/') != std::string::npos)
            return base::fail(
                    base::Errc::invalid, "volume_id '{}' is no name of a directory",
                    mount.volume_id);
        auto path = settings_.volume_directory + "/" + mount.volume_id;
        TRY(sys::ensure_directory(path, 0777));
        mounts.binds.push_back(bind_mount(std::move(path), mount.container_path, mount.mode == 1));
    }
    return base::ok;
}

base::Result<void> LocalExecutor::write_mounted_files(
        const api::Container& container, Mounts& mounts) {
    const auto& files = container.info.volume_mounted_files;
    if (files.empty()) return base::ok;
    const auto directory = TRY(store_.directory_for(container.guid, "files"));
    const auto root = TRY(sys::open_host(directory.c_str(), O_RDONLY | O_DIRECTORY));
    for (const auto& file : files) {
        const auto slash = file.path.rfind('/');
        const auto folder = slash == std::string::npos ? "." : file.path.substr(0, slash);
        const auto name = slash == std::string::npos ? file.path : file.path.substr(slash + 1);
        TRY(sys::make_directories_in(root, folder, 0755));
        const auto parent = TRY(sys::open_in(
                root, folder.c_str(), O_RDONLY | O_DIRECTORY, sys::Resolve::beneath_no_links));
        TRY(sys::write_atomic_at(parent, name.c_str(), file.content, 0644, sys::Durable::no));
    }
    mounts.binds.push_back(bind_mount(directory, "/etc/cf-service-bindings", false));
    return base::ok;
}

base::Result<void> LocalExecutor::read_addresses(Node& node) {
    const auto info = TRY(parts_.garden.info(node.guid()));
    const std::lock_guard lock(node.mutex);
    auto& container = node.record.container;
    container.external_ip = info.external_ip;
    container.internal_ip = info.container_ip;
    container.internal_ip_v6 = info.container_ipv6;
    for (auto& port : container.info.ports)
        for (const auto& mapped : info.mapped_ports)
            if (mapped.container_port == port.container_port)
                port.host_port = static_cast<std::uint16_t>(mapped.host_port);
    return base::ok;
}

std::shared_ptr<LogStream> LocalExecutor::log_of(const Node& node) {
    api::LogConfig config;
    std::int64_t limit = -1;
    {
        const std::lock_guard lock(node.mutex);
        config = node.record.container.info.log_config;
        limit = node.record.container.info.log_rate_limit_bytes_per_second;
    }
    return parts_.logs.open(node.guid(), config, limit);
}

}  // namespace executor
