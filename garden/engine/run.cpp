// Processes: run, attach, output, input, signals, window size, exit codes.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/pidfd.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/engine/uuid.hpp"
#include "garden/plan/process_plan.hpp"
#include "garden/plan/validate.hpp"

#include <fcntl.h>

namespace garden {

namespace {

// Exited processes that a client may still attach to, per container; the oldest go first.
constexpr std::size_t kExitedKept = 64;

base::Error unknown_process(const std::string& id) {
    return base::fail(base::Errc::not_found, "unknown process: {}", id);
}

}  // namespace

base::Result<ContainerPtr> Gardener::living(const Handle& handle) {
    auto container = TRY(registry_.find(handle));
    if (!container->ready)
        return base::fail(base::Errc::not_found, "unknown handle: {}", handle.get());
    const std::lock_guard lock(container->mutex);
    if (container->destroying)
        return base::fail(base::Errc::conflict, "container already being destroyed");
    if (container->record.dead) {
        const auto& events = container->record.events;
        return base::fail(
                base::Errc::conflict, "container {} is dead: {}", handle.get(),
                events.empty() ? "it could not be taken down" : events.back());
    }
    if (!container->joined) {
        return base::fail(
                base::Errc::unavailable, "container {}: {}; trying again", handle.get(),
                container->join_error);
    }
    return container;
}

base::Result<security::User> Gardener::resolve_user(Container& container, const std::string& text) {
    // The first process does nothing with its root, so its view is the container's; the pid cannot
    // have been given to somebody else while our pidfd of it says that it lives, which is checked
    // after the root is open.
    const auto path = base::format("/proc/{}/root", container.init_pid);
    auto root = TRY(
            base::sys::open_host(path, O_PATH | O_DIRECTORY).context("open the container's root"));
    if (TRY(base::sys::has_ended(container.init))) {
        return base::fail(
                base::Errc::conflict, "container {} is dead: garden-init has ended",
                container.handle.get());
    }
    return security::resolve_user(text, TRY(security::read_account_files(root)));
}

void Gardener::forget_stale(Container& container) {
    for (const auto& id : container.processes.take_stale(kExitedKept)) {
        (void)container.shim->forget(id);
        Depot::drop_process(container.bundle, id);
    }
}

base::Result<Attachment> Gardener::run(const Handle& handle, ProcessSpec spec) {
    TRY(plan::check_process_spec(spec));
    auto container = TRY(living(handle));
    const bool chosen = !spec.id.empty();
    if (!chosen) spec.id = random_uuid();
    if (!spec.image.empty()) return run_pea(container, std::move(spec), chosen);
    const auto user = TRY(resolve_user(*container, spec.user));
    const auto plan = TRY(plan::plan_process(
            {.spec = &spec,
             .user = &user,
             .image_env = &container->record.image_env,
             .container_env = &container->record.spec.env,
             .no_new_privileges = container->no_new_privileges},
            parts_.facts, container->facts));
    TRY(reserve_process(*container, spec, chosen, {}));
    auto started = start_process(*container, spec, plan, {});
    if (!started) undo_process(*container, spec.id);
    return started;
}

base::Result<void> Gardener::reserve_process(
        Container& container, const ProcessSpec& spec, bool chosen, std::optional<PeaRecord> pea) {
    forget_stale(container);
    if (chosen && container.processes.has_exited(spec.id)) {
        // The id of a finished process is free again; its remembered exit code goes.
        TRY(container.shim->forget(spec.id));
        container.processes.drop(spec.id);
    }
    std::vector<std::string> argv{spec.path};
    argv.insert(argv.end(), spec.args.begin(), spec.args.end());
    TRY(container.processes.reserve(
            {.id = spec.id,
             .user = spec.user,
             .argv = argv,
             .exited = false,
             .exit_code = 0,
             .host_pid = 0},
            spec.tty.has_value(), false));
    auto saved = Depot::save_process(
            container.bundle, {.id = spec.id,
                               .user = spec.user,
                               .argv = std::move(argv),
                               .terminal = spec.tty.has_value(),
                               .pea = std::move(pea)});
    if (!saved) undo_process(container, spec.id);
    return saved;
}

void Gardener::undo_process(Container& container, const std::string& id) {
    container.processes.drop(id);
    Depot::drop_process(container.bundle, id);
}

base::Result<Attachment> Gardener::start_process(
        Container& container,
        const ProcessSpec& spec,
        const launch::ProcessPlan& plan,
        const std::vector<base::Fd>& fds) {
    const std::vector<base::FdRef> refs(fds.begin(), fds.end());
    auto started = container.shim->run(plan, refs);
    if (!started) {
        const std::lock_guard lock(container.mutex);
        if (!container.destroying) return std::move(started).error();
        return base::fail(base::Errc::conflict, "container already being destroyed");
    }
    container.processes.started(spec.id, started->host_pid);
    tell_run(container, spec, plan);
    return Attachment{
            .process_id = spec.id,
            .id = started->attachment,
            .input = std::move(started->input),
            .terminal = spec.tty.has_value()};
}

base::Result<Attachment> Gardener::attach(const Handle& handle, const std::string& process_id) {
    auto container = TRY(living(handle));
    if (!container->processes.contains(process_id)) return unknown_process(process_id);
    auto started = container->shim->attach(process_id);
    if (!started) {
        if (started.error().kind == base::Errc::not_found) return unknown_process(process_id);
        return std::move(started).error();
    }
    return Attachment{
            .process_id = process_id,
            .id = started->attachment,
            .input = std::move(started->input),
            .terminal = container->processes.terminal(process_id)};
}

base::Result<void> Gardener::connect_output(
        const Handle& handle, std::uint64_t attachment, bool is_stderr, base::FdRef sink) {
    auto container = TRY(living(handle));
    return container->shim->connect_output(
            attachment, is_stderr ? launch::OutputStream::err : launch::OutputStream::out, sink);
}

base::Result<void> Gardener::close_input(const Handle& handle, std::uint64_t attachment) {
    return TRY(living(handle))->shim->close_input(attachment);
}

base::Result<void> Gardener::detach(const Handle& handle, std::uint64_t attachment) {
    return TRY(living(handle))->shim->detach(attachment);
}

base::Result<void> Gardener::signal(
        const Handle& handle, const std::string& process_id, int number) {
    auto container = TRY(living(handle));
    if (!container->processes.contains(process_id)) return unknown_process(process_id);
    return container->shim->signal(process_id, number);
}

base::Result<void> Gardener::resize(
        const Handle& handle, const std::string& process_id, WindowSize size) {
    auto container = TRY(living(handle));
    if (!container->processes.contains(process_id)) return unknown_process(process_id);
    return container->shim->resize(process_id, size.columns, size.rows);
}

void Gardener::wait(
        const Handle& handle,
        const std::string& process_id,
        std::function<void(base::Result<std::int32_t>)> done) {
    auto container = registry_.find(handle);
    if (!container) {
        done(std::move(container).error());
        return;
    }
    (*container)->processes.wait(process_id, std::move(done));
}

base::Result<std::vector<ProcessRow>> Gardener::processes(const Handle& handle) {
    return TRY(registry_.find(handle))->processes.rows();
}

base::Result<std::string> Gardener::logs(
        const Handle& handle, const std::string& process_id, bool is_stderr) {
    auto container = TRY(living(handle));
    if (!container->processes.contains(process_id)) return unknown_process(process_id);
    return container->shim->tail(
            process_id, is_stderr ? launch::OutputStream::err : launch::OutputStream::out);
}

}  // namespace garden
