// Create: reserve the handle, find the image, take a seat, make volume and group, launch. Anything
// that fails runs the same take-down as destroy (design 3.1): the record in the depot is the
// registered undo.
#include "base/defer.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "garden/engine/bind_sources.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/engine/net_in.hpp"
#include "garden/engine/out_rules.hpp"
#include "garden/engine/plugins.hpp"
#include "garden/engine/uuid.hpp"
#include "garden/plan/plan_json.hpp"
#include "garden/plan/validate.hpp"

#include <fcntl.h>

#include <linux/mount.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace garden {

namespace {

// How long a create waits for its turn before it goes on beside the others.
constexpr std::chrono::seconds kTurn{1};

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
}

// What Properties and Info show besides the client's own (garden-api 10.2).
void add_server_properties(ContainerRecord& record) {
    auto& properties = record.properties;
    properties["garden.state"] = "created";
    properties["garden.grace-time"] = std::to_string(record.spec.grace_time.count());
    // IMG-06: what a tag stood for when this container was made.
    if (!record.image_digest.empty()) properties["garden.image.digest"] = record.image_digest;
    if (!record.lease) return;
    properties["garden.network.container-ip"] = record.lease->container_ip;
    if (!record.lease->container_ip6.empty())
        properties["garden.network.container-ipv6"] = record.lease->container_ip6;
    properties["garden.network.host-ip"] = record.lease->host_ip;
    properties["garden.network.external-ip"] = record.lease->external_ip;
    describe_ports(record);
}

}  // namespace

base::Result<void> Gardener::complete_spec(ContainerSpec& spec) const {
    if (spec.handle.empty()) spec.handle = Handle(random_uuid());
    if (spec.grace_time.count() == 0) spec.grace_time = parts_.config.default_grace_time;
    if (spec.image.uri.empty()) spec.image.uri = parts_.config.default_rootfs;
    TRY(plan::check_container_spec(spec));
    TRY(check_ports(spec));
    (void)TRY(net::make_shaping(spec.limits.bandwidth_rate, spec.limits.bandwidth_burst)
                      .context("limits"));
    const auto rules = TRY(parse_out_rules(spec.out_rules));
    if (!rules.empty() && spec.network == kNoNetwork) {
        return base::fail(base::Errc::invalid, "netout_rules: the container is to have no network");
    }
    if (spec.image.uri.empty()) {
        return base::fail(
                base::Errc::invalid, "image.uri: not given, and the daemon has no default rootfs");
    }
    if (spec.container_class != ContainerClass::unprivileged && !parts_.config.allow_privileged) {
        return base::fail(
                base::Errc::denied, "privileged container creation is disabled");  // CL-02
    }
    return base::ok;
}

base::Result<plan::ContainerFacts> Gardener::facts_of(
        const ContainerSpec& spec, const security::IdRange& range) {
    plan::ContainerFacts facts;
    facts.container_class = plan::to_security(spec.container_class);
    if (plan::has_user_namespace(facts.container_class)) {
        facts.id_base = range.base;
        facts.id_length = range.length;
        // By the range, not by the switch: that may have changed since.
        facts.garden_ids = range.base == plan::kGardenRootId;
    }
    facts.filter = TRY(filters_.get(
            facts.container_class, spec.seccomp_profile, parts_.facts.available_capabilities));
    if (!facts.filter.listener_path.empty()) {
        // SC-10: nobody would answer the calls, and every one of them would hang.
        return base::fail(
                base::Errc::unsupported,
                "cloche.seccomp_profile: listenerPath {}: SCMP_ACT_NOTIFY is not supported",
                facts.filter.listener_path);
    }
    return facts;
}

base::Result<Handle> Gardener::create(
        ContainerSpec spec, const std::function<void(const rootfs::Progress&)>& progress) {
    TRY(complete_spec(spec));
    auto container = TRY(registry_.add(spec.handle));
    base::Defer forget([&] { registry_.remove(container->handle); });
    const rootfs::ImageRequest request{
            .uri = spec.image.uri,
            .username = spec.image.username,
            .password = spec.image.password};
    const bool by_plugin = image_by_plugin(spec);
    const ImageSpec requested = by_plugin ? spec.image : ImageSpec{};
    rootfs::Image image{.reference = spec.image.uri};
    if (!by_plugin)
        image = TRY(parts_.images->ensure(request, progress, stopping_));  // names itself
    spec.image.username.clear();
    spec.image.password.clear();

    container->bind_sources = TRY(open_bind_sources(spec.bind_mounts));
    container->facts.bind_source_is_file = TRY(are_files(container->bind_sources));
    // After these: a slow registry or a hung source must not hold a place that others wait for.
    // The limit is there for speed only: creates that hang in the kernel (a bind mount of a dead
    // server) must not keep it from others.
    const bool in_turn = creating_.take(kTurn);
    const base::Defer leave([&] {
        if (in_turn) creating_.give();
    });
    container->bundle = TRY(parts_.depot.create_bundle(container->handle));
    auto& record = container->record;
    record.handle = spec.handle;
    record.spec = std::move(spec);
    record.created_at = now_ns();
    record.image_reference = image.reference;
    record.image_digest = image.digest;
    record.image_env = image.config.env;
    record.properties = record.spec.properties;
    std::optional<Seat> seat;
    auto built = [&]() -> base::Result<void> {
        // Only now: the record is what tells a new gardend to take it back.
        if (by_plugin) TRY(make_image_by_plugin(*container, requested, image));
        return build(container, image, seat);
    }();
    container->bind_sources.clear();
    if (!built) {
        // The seat's own parts are in the container from the moment it was taken.
        if (auto undone = take_down(*container); !undone) {
            (void)std::move(built.error())
                    .context(base::format("(and cleaning up failed: {})", undone.error().text));
            record.dead = true;
            container->ready = true;  // stays listed, so that destroy can be tried again
            forget.dismiss();
        }
        return std::move(built).error();
    }
    container->ready = true;
    forget.dismiss();
    timers_->arm(container->handle, record.spec.grace_time);
    watch_oom(container);
    tell_created(record);
    return container->handle;
}

base::Result<void> Gardener::build(
        const ContainerPtr& container, const rootfs::Image& image, std::optional<Seat>& seat) {
    auto& record = container->record;
    TRY(Depot::save(container->bundle, record));
    TRY(take_seat(container, seat));
    auto is_file = std::move(container->facts.bind_source_is_file);
    container->facts = TRY(facts_of(record.spec, record.range));
    container->facts.bind_source_is_file = std::move(is_file);
    container->no_new_privileges =
            record.spec.no_new_privileges ||
            (parts_.config.no_new_privileges &&
             container->facts.container_class == security::Class::unprivileged);
    add_server_properties(record);
    // From here on everything is named by the handle or by this record: whoever finds it can take
    // it down.
    TRY(Depot::save(container->bundle, record));
    if (!record.spec.out_rules.empty() && record.lease)
        TRY(parts_.network->allow(*record.lease, TRY(parse_out_rules(record.spec.out_rules))));
    if (record.lease) TRY(map_ports(*container));
    if (record.lease && record.lease->shaping.rate != 0)
        TRY(parts_.network->shape(*record.lease, seat->namespaces.network_namespace));
    if (network_by_plugin(record.spec)) TRY(connect_by_plugin(*container, *seat));
    auto root = TRY(make_volume(*container, image, *seat));
    TRY(make_group(*container));
    TRY(write_etc_files(*container));
    const auto& filter = container->facts.filter;
    TRY(Depot::write_file(container->bundle, kFilterFile, filter.hash + "\n" + filter.listing, 0));
    listen(container);
    TRY(launch(*container, std::move(root), *seat));
    container->init = std::move(seat->namespaces.init);
    container->init_pid = seat->namespaces.init_pid;
    const std::lock_guard lock(container->mutex);  // from launch on the hub's thread may bury it
    record.stage = Stage::created;
    return Depot::save(container->bundle, record);
}

base::Result<void> Gardener::take_seat(const ContainerPtr& container, std::optional<Seat>& seat) {
    auto& record = container->record;
    const auto wanted = plan::to_security(record.spec.container_class);
    // A plugin connects what has nothing but lo.
    const std::string network = network_plugin_ ? std::string(kNoNetwork) : record.spec.network;
    if (wanted == security::Class::unprivileged) {
        if (network.empty()) seat = pool_->take();
        if (network == kNoNetwork) seat = lone_pool_->take();
    }
    if (seat && seat->lost->load()) {
        seats_.release(*seat);
        seat.reset();
    }
    if (!seat) seat = TRY(seats_.make(wanted, network));
    container->shim = seat->shim;
    record.range_owner = seat->range_owner;
    record.range = seat->range;
    record.lease = seat->lease;
    if (record.lease) {
        const auto& limits = record.spec.limits;
        record.lease->shaping =
                TRY(net::make_shaping(limits.bandwidth_rate, limits.bandwidth_burst));
    }
    return base::ok;
}

base::Result<base::Fd> Gardener::make_volume(
        Container& container, const rootfs::Image& image, const Seat& seat) {
    const auto& spec = container.record.spec;
    if (!container.record.image_plugin) TRY(parts_.images->hold(image, container.handle.get()));
    return parts_.volumes
            ->create(
                    {.name = container.handle.get(),
                     .image = &image,
                     .user_namespace = seat.namespaces.user_namespace,
                     .owner_uid = seat.range.base,
                     .owner_gid = seat.range.base,
                     .quota_bytes = spec.limits.disk_bytes,
                     .scope = scope_of(spec.limits.disk_scope),
                     .nosuid = false,
                     .survives_power_cut = false})
            .context("make the volume");
}

base::Result<void> Gardener::make_group(Container& container) {
    const auto& limits = container.record.spec.limits;
    container.group =
            TRY(parts_.cgroups->create(container.handle.get()).context("make the cgroup"));
    TRY(container.group->limit(kernel_limits(limits)).context("set the limits"));
    // DEV-04: the rules are active before the first process joins.
    auto rules = security::device_rules(container.facts.container_class);
    if (is_privileged(container.record.spec)) {
        const auto& more = parts_.config.privileged_devices;
        rules.insert(rules.end(), more.begin(), more.end());
    }
    return container.group->devices(rules).context("limit the devices");
}

base::Result<void> Gardener::write_etc_files(Container& container) {
    const auto& record = container.record;
    const auto hostname = plan::hostname_of(container.handle);
    const auto owner = record.range.base;
    const auto lease = record.network_plugin ? lease_of_plugin(record.properties) : record.lease;
    const net::Lease* known = lease ? &*lease : nullptr;
    TRY(Depot::write_file(
            container.bundle, "hosts", parts_.network->hosts_file(known, hostname), owner));
    const auto resolv = container.resolv_conf.empty() ? parts_.network->resolv_file(known)
                                                      : std::move(container.resolv_conf);
    TRY(Depot::write_file(container.bundle, "resolv.conf", resolv, owner));
    return Depot::write_file(container.bundle, "hostname", hostname + "\n", owner);
}

base::Result<std::vector<base::Fd>> Gardener::open_needs(
        const NeedSources& sources, const std::vector<plan::FdNeed>& needs, base::Fd& root) {
    const auto etc_file = [&](const char* name) -> base::Result<base::Fd> {
        auto tree = TRY(base::sys::clone_tree(sources.bundle, name, false));
        TRY(base::sys::set_mount_private(tree));
        return tree;
    };
    auto entrances = TRY(sources.group.entrances());
    std::vector<base::Fd> views;  // a privileged container has none
    std::vector<base::Fd> fds;
    fds.reserve(needs.size());
    for (const auto& need : needs) {
        switch (need.kind) {
            case plan::FdKind::root:
                // FS-04: where systemd shares all mounts, this is a peer of the host's, and such a
                // mount cannot become a root.
                TRY(base::sys::set_mount_private(root));
                fds.push_back(std::exchange(root, {}));  // a plan has one root
                break;
            case plan::FdKind::cgroup:
                fds.push_back(std::move(entrances.at(need.index)));
                break;
            case plan::FdKind::cgroup_view:
                if (views.empty()) views = TRY(sources.view.views());
                fds.push_back(std::move(views.at(need.index)));
                break;
            case plan::FdKind::device:
                fds.push_back(TRY(parts_.nodes.clone(need.name)));
                break;
            case plan::FdKind::bind_mount:
                fds.push_back(TRY(
                        clone_bind_source(
                                sources.bind_sources.at(need.index),
                                sources.bind_mounts.at(need.index))
                                .context(base::format("bind_mounts[{}].src_path", need.index))));
                break;
            case plan::FdKind::hosts:
                fds.push_back(TRY(etc_file("hosts")));
                break;
            case plan::FdKind::resolv_conf:
                fds.push_back(TRY(etc_file("resolv.conf")));
                break;
            case plan::FdKind::hostname:
                fds.push_back(TRY(etc_file("hostname")));
                break;
        }
    }
    return fds;
}

base::Result<void> Gardener::launch(Container& container, base::Fd root, const Seat&) {
    const auto plan = plan::plan_container(container.record.spec, parts_.facts, container.facts);
    const NeedSources sources{
            .group = *container.group,
            .view = *container.group,
            .bundle = container.bundle,
            .bind_sources = container.bind_sources,
            .bind_mounts = container.record.spec.bind_mounts};
    const auto fds = TRY(open_needs(sources, plan.fds, root));
    const std::vector<base::FdRef> refs(fds.begin(), fds.end());
    return container.shim->create(plan.container, refs, container.bundle);
}

void Gardener::listen(const ContainerPtr& container) {
    // Weak: the hub must not keep a destroyed container alive. No blocking work on the hub's
    // thread.
    const std::weak_ptr<Container> weak = container;
    parts_.hub->listen(
            container->shim,
            {.exited =
                     [this, weak](const std::string& id, std::int32_t code) {
                         if (const auto self = weak.lock()) self->processes.exited(id, code);
                         pea_exited(weak, id);
                     },
             .container_died = [this, weak] { bury_later(weak, "garden-init was killed"); },
             .shim_lost = [this, weak] { bury_later(weak, "garden-shim was killed"); }});
}

base::Result<std::string> Gardener::plan_json(ContainerSpec spec) {
    TRY(complete_spec(spec));
    // The range is an example: the real one is reserved by create, in an order that nobody can
    // foresee (ID-03).
    security::IdRange example{.base = security::kIdRangeFirst, .length = security::kIdRangeLength};
    if (parts_.config.garden_id_mapping && spec.container_class == ContainerClass::unprivileged)
        example = {.base = plan::kGardenRootId, .length = plan::kGardenIdLength};
    auto facts = TRY(facts_of(spec, example));
    facts.bind_source_is_file = TRY(are_files(TRY(open_bind_sources(spec.bind_mounts))));
    return plan::to_json(plan::plan_container(spec, parts_.facts, facts), facts);
}

}  // namespace garden
