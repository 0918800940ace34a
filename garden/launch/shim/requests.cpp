#include "base/sys/error.hpp"
#include "base/sys/file.hpp"
#include "base/sys/raw.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/launch/codec.hpp"
#include "garden/launch/shim/shim.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <malloc.h>

namespace garden::launch {

namespace sys = base::sys;

namespace {

// As a shell says it of a program that could not be executed.
constexpr std::int32_t kNotStarted = 126;

// What the child said: a failed step, or the one byte of a child that is ready (or sends its
// terminal).
base::Result<Report> to_report(std::string_view data) {
    Report report;
    if (data.size() != sizeof report)
        return sys::plain_error(base::Errc::corrupt, "a child sent nonsense");
    std::memcpy(&report, data.data(), sizeof report);
    return report;
}

std::vector<base::FdRef> refs(const std::vector<base::Fd>& fds) {
    return {fds.begin(), fds.end()};
}

base::Result<void> resize(const Process& process, const Arguments& arguments) {
    if (!process.terminal)
        return sys::plain_error(base::Errc::invalid, "resize: the process has no terminal");
    const winsize size = {
            .ws_row = arguments.rows, .ws_col = arguments.columns, .ws_xpixel = 0, .ws_ypixel = 0};
    if (process.input && ::ioctl(process.input.get(), TIOCSWINSZ, &size) != 0)
        return sys::errno_error("resize");
    return base::ok;
}

}  // namespace

void ShimLoop::dispatch(Frame frame) {
    const std::uint64_t id = frame.id;
    base::Result<void> done = base::ok;
    switch (frame.kind) {
        case MessageKind::prepare:
            done = prepare(frame);
            break;
        case MessageKind::create:
            done = create(std::move(frame));
            break;
        case MessageKind::run:
            done = run_process(frame);
            break;
        case MessageKind::destroy:
            done = destroy(frame);
            break;
        case MessageKind::attach:
        case MessageKind::connect_output:
        case MessageKind::close_input:
        case MessageKind::detach:
        case MessageKind::tail:
        case MessageKind::signal:
        case MessageKind::resize:
        case MessageKind::state:
        case MessageKind::forget: {
            Fds fds;
            const auto outcome = small(frame, fds);
            return reply(id, outcome, refs(fds));
        }
        case MessageKind::reply:
        case MessageKind::exited:
        case MessageKind::container_died:
        case MessageKind::more:
            done = sys::plain_error(base::Errc::invalid, "not a request");
            break;
    }
    // Those four answer for themselves when they succeed.
    if (!done) reply(id, base::Result<Outcome>(std::move(done).error()));
}

base::Result<void> ShimLoop::prepare(const Frame& frame) {
    if (prepared_)
        return sys::plain_error(base::Errc::conflict, "the namespaces are prepared already");
    namespaces_ = TRY(decode_namespace_plan(frame.body));
    auto cloned = TRY(clone_container(namespaces_, program_));
    prepared_ = true;
    init_ = std::move(cloned.pidfd);
    init_pid_ = cloned.pid;
    init_channel_ = std::move(cloned.channel);
    if (!watch(init_, key(Watched::init, 0), EPOLLIN)) return sys::errno_error("watch garden-init");
    Outcome outcome;
    outcome.pid = init_pid_;
    outcome.user_namespace = namespaces_.user;
    outcome.network_namespace = namespaces_.network;
    const std::string directory = "/proc/" + std::to_string(init_pid_) + "/ns/";
    std::vector<base::Fd> namespaces;
    if (namespaces_.user) namespaces.push_back(TRY(sys::open_host(directory + "user", O_RDONLY)));
    if (namespaces_.network) namespaces.push_back(TRY(sys::open_host(directory + "net", O_RDONLY)));
    std::vector<base::FdRef> fds{init_};
    fds.insert(fds.end(), namespaces.begin(), namespaces.end());
    reply(frame.id, outcome, fds);
    return base::ok;
}

base::Result<void> ShimLoop::create(Frame frame) {
    if (!prepared_) return sys::plain_error(base::Errc::conflict, "create: nothing is prepared");
    if (created_ || create_request_ != 0)
        return sys::plain_error(base::Errc::conflict, "create: the container exists already");
    if (init_dead_)
        return sys::plain_error(base::Errc::unavailable, "create: the first process has ended");
    if (frame.fds.empty()) return sys::plain_error(base::Errc::invalid, "create: no bundle");
    base::Fd bundle = std::move(frame.fds.back());
    frame.fds.pop_back();
    const auto plan = TRY(decode_container_plan(frame.body, frame.fds.size()));
    TRY(set_oom_score(init_pid_, plan.init.oom_score_adj));
    for (const auto index : plan.cgroups) {
        cgroups_.push_back(TRY(sys::duplicate(frame.fds[static_cast<std::size_t>(index)])));
    }
    TRY(send_frame(init_channel_, MessageKind::create, 1, frame.body, refs(frame.fds)));
    bundle_ = std::move(bundle);
    lock_mounts_ = plan.lock_mounts;
    apparmor_ = plan.apparmor;
    create_request_ = frame.id;
    create_connection_ = connection_;
    if (!watch(init_channel_, key(Watched::init_channel, 0), EPOLLIN))
        return sys::errno_error("watch garden-init");
    return base::ok;
}

void ShimLoop::created() {
    auto message = sys::receive_message(init_channel_, sizeof(Report), false);
    if (!message && message.error().sys == EAGAIN) return;
    if (!created_ && message && message->data == kViewBuilt)
        return answer_built_view(init_channel_, init_);
    const auto answer = [&](const base::Result<Outcome>& outcome) {
        if (create_request_ != 0 && create_connection_ == connection_)
            reply(create_request_, outcome);
        create_request_ = 0;
    };
    if (created_ || !message || message->data != "r") {
        unwatch(init_channel_);  // after "ready" the channel only shows that init lives
        if (created_) return;
        auto report =
                message ? to_report(message->data)
                        : base::Result<Report>(sys::plain_error(
                                  base::Errc::internal, "the first process ended without a word"));
        cgroups_.clear();
        return answer(base::Result<Outcome>(
                report ? to_error(*report, nullptr) : std::move(report).error()));
    }
    unwatch(init_channel_);
    // From here on our children are born in the container's pid namespace.
    if (::setns(init_.get(), CLONE_NEWPID) != 0)
        return answer(base::Result<Outcome>(sys::errno_error("join the pid namespace")));
    auto listener = sys::seqpacket_listen(bundle_, kSocketName);
    if (!listener) return answer(base::Result<Outcome>(std::move(listener).error()));
    listener_ = std::move(*listener);
    if (!watch(listener_, key(Watched::listener, 0), EPOLLIN))
        return answer(base::Result<Outcome>(sys::errno_error("watch the socket")));
    created_ = true;
    answer(base::Result<Outcome>(Outcome{}));
    (void)::malloc_trim(0);  // the plan was the largest thing this process will hold
}

base::Result<void> ShimLoop::check_alive() const {
    if (!created_) return sys::plain_error(base::Errc::conflict, "no container has been created");
    if (init_dead_ || destroying_)
        return sys::plain_error(base::Errc::unavailable, "the container has ended");
    return base::ok;
}

base::Result<void> ShimLoop::run_process(const Frame& frame) {
    const auto plan = TRY(decode_process_plan(frame.body, frame.fds.size()));
    TRY(check_alive());
    if (find(plan.id) != nullptr) {
        return sys::plain_error(
                base::Errc::already_exists, "process id '" + plan.id + "' already in use");
    }
    if (processes_.size() >= kMaxProcesses) {
        return sys::plain_error(
                base::Errc::exhausted, "the container has " + std::to_string(kMaxProcesses) +
                                               " processes, running or not yet forgotten");
    }
    const std::uint64_t serial = next_serial_;
    const std::uint64_t attachment = next_attachment_;
    Process process;
    process.id = plan.id;
    process.internal = plan.internal;
    process.terminal = plan.stdio == Stdio::terminal;
    process.request = frame.id;
    process.connection = connection_;
    process.program = plan.argv.front();
    process.slashed = process.program.find('/') != std::string::npos;
    if (plan.stdio != Stdio::descriptors) process.attachments.try_emplace(attachment);
    TRY(clone_process(
            process, namespaces_,
            {.plan = plan,
             .fds = frame.fds,
             .cgroups = cgroups_,
             .init = init_.get(),
             .user_namespace = namespaces_.user,
             .time_namespace = namespaces_.time,
             .lock_mounts = lock_mounts_,
             .apparmor = apparmor_},
            null_));
    (void)set_oom_score(process.pid, plan.confinement.oom_score_adj);  // it may have ended already
    ++next_serial_;
    ++next_attachment_;
    auto& kept = processes_.emplace(serial, std::move(process)).first->second;
    if (!kept.attachments.empty()) attachments_.emplace(attachment, serial);
    (void)watch(kept.channel, key(Watched::channel, serial), EPOLLIN);
    (void)watch(kept.pidfd, key(Watched::process, serial), EPOLLIN);
    settle(serial);
    return base::ok;
}

void ShimLoop::executed(std::uint64_t serial) {
    const auto place = processes_.find(serial);
    if (place == processes_.end() || !place->second.channel) return;
    auto& process = place->second;
    auto message = sys::receive_message(process.channel, sizeof(Report), false);
    if (!message && message.error().sys == EAGAIN) return;
    if (message && message->data == kViewBuilt)
        return answer_built_view(process.channel, process.pidfd);
    if (message && message->data == "t" && message->fds.size() == 1) {
        process.input = std::move(message->fds.front());
        auto copy = sys::duplicate(process.input);
        if (copy) process.sources[0].fd = std::move(*copy);
        return settle(serial);
    }
    unwatch(process.channel);
    process.channel.reset();
    const bool mine = process.connection == connection_;
    if (message) {
        auto report = to_report(message->data);
        const auto error = report ? to_error(*report, &process) : std::move(report).error();
        process.failed = true;
        // Gone at once: its id can be used again when the caller has the answer.
        const std::uint64_t request = process.request;
        const std::string id = process.id;
        (void)sys::raw::pidfd_send_signal(process.pidfd.get(), SIGKILL);
        siginfo_t info = {};
        (void)::waitid(
                static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process.pidfd.get()), &info,
                WEXITED);
        forget(serial);
        if (mine) {
            reply(request, base::Result<Outcome>(error));
        } else {
            // The gardend that asked is gone, and its successor has been told of a process.
            send(MessageKind::exited, 0, to_bytes(Exit{.id = id, .code = kNotStarted}));
        }
        return;
    }
    // The channel closed by the exec itself.
    if (!mine) return;
    started(process.request, process,
            process.attachments.empty() ? 0 : process.attachments.begin()->first);
}

void ShimLoop::started(std::uint64_t request, Process& process, std::uint64_t attachment) {
    Outcome outcome;
    outcome.pid = process.pid;
    outcome.attachment = attachment;
    std::vector<base::FdRef> fds;
    if (process.input && !process.exited) {
        outcome.input = true;
        fds.emplace_back(process.input);
    }
    reply(request, outcome, fds);
}

base::Result<void> ShimLoop::destroy(const Frame& frame) {
    destroying_ = true;
    destroy_request_ = frame.id;
    destroy_connection_ = connection_;
    finish_by_ = Clock::now() + std::chrono::seconds(1);
    if (!prepared_) init_dead_ = true;
    if (init_)
        (void)sys::raw::pidfd_send_signal(
                init_.get(), SIGKILL);  // ends when its whole namespace has
    return base::ok;
}

Process* ShimLoop::find(const std::string& id, std::uint64_t* serial) {
    if (id.empty()) return nullptr;
    const auto place = std::find_if(processes_.begin(), processes_.end(), [&](const auto& entry) {
        return entry.second.id == id;
    });
    if (place == processes_.end()) return nullptr;
    if (serial != nullptr) *serial = place->first;
    return &place->second;
}

base::Result<Process*> ShimLoop::by_attachment(std::uint64_t attachment, std::uint64_t* serial) {
    const auto place = attachments_.find(attachment);
    if (place == attachments_.end()) {
        return sys::plain_error(
                base::Errc::not_found, "no attachment " + std::to_string(attachment));
    }
    if (serial != nullptr) *serial = place->second;
    return &processes_.at(place->second);
}

// Not a process yet for the gardend that waits for it. Its successor sees it as one: nobody else
// could tell it how the start ended.
bool ShimLoop::is_starting(const Process& process) const {
    return process.channel && process.connection == connection_;
}

ShimState ShimLoop::state() const {
    ShimState out{
            .created = created_,
            .init_alive = prepared_ && !init_dead_,
            .init_pid = init_pid_,
            .processes = {}};
    for (const auto& [serial, process] : processes_) {
        if (is_starting(process) || process.id.empty()) continue;  // or forgotten
        out.processes.push_back(
                {.id = process.id,
                 .exited = process.exited,
                 .exit_code = process.code,
                 .internal = process.internal,
                 .host_pid = process.pid});
    }
    return out;
}

base::Result<void> ShimLoop::change_attachment(const Frame& frame, const Arguments& arguments) {
    std::uint64_t serial = 0;
    auto known = by_attachment(arguments.attachment, &serial);
    if (!known) {
        if (frame.kind == MessageKind::connect_output) return std::move(known).error();
        return base::ok;  // closed or forgotten already
    }
    auto& process = **known;
    auto& attachment = process.attachments.at(arguments.attachment);
    if (frame.kind == MessageKind::connect_output) {
        if (frame.fds.size() != 1)
            return sys::plain_error(base::Errc::invalid, "connect: one descriptor is needed");
        auto& sink = attachment.sinks[arguments.stream];
        TRY(sink.connect(TRY(sys::duplicate(frame.fds.front()))));
    } else {
        attachment.holds_input = false;
        release_input(process);
        if (frame.kind == MessageKind::detach) {
            for (auto& sink : attachment.sinks) {
                if (!sink.once_connected()) sink.drop();
            }
            if (!attachment.sinks[0].connected() && !attachment.sinks[1].connected()) {
                attachments_.erase(arguments.attachment);
                process.attachments.erase(arguments.attachment);
            }
        }
    }
    settle(serial);
    return base::ok;
}

base::Result<void> ShimLoop::attach(
        Process& process, std::uint64_t serial, Outcome& outcome, Fds& fds) {
    if (process.attachments.size() >= kMaxAttachments) {
        return sys::plain_error(
                base::Errc::exhausted,
                "the process has " + std::to_string(kMaxAttachments) + " attachments");
    }
    outcome.pid = process.pid;
    outcome.attachment = next_attachment_++;
    auto& attachment = process.attachments.try_emplace(outcome.attachment).first->second;
    attachments_.emplace(outcome.attachment, serial);
    for (int i = 0; i < 2; ++i) {
        if (!process.sources[i].fd || process.told) attachment.sinks[i].end();
    }
    if (process.input && !process.exited) {
        outcome.input = true;
        fds.push_back(TRY(sys::duplicate(process.input)));
    }
    return base::ok;
}

base::Result<Outcome> ShimLoop::small(const Frame& frame, Fds& fds) {
    auto arguments = TRY(from_bytes<Arguments>(frame.body, "request"));
    if (arguments.stream > 1)
        return sys::plain_error(base::Errc::invalid, "stream: neither 0 nor 1");
    Outcome outcome;
    if (frame.kind == MessageKind::state) {
        outcome.state = state();
        return outcome;
    }
    if (arguments.attachment != 0) {
        TRY(change_attachment(frame, arguments));
        return outcome;
    }
    std::uint64_t serial = 0;
    Process* process = find(arguments.process_id, &serial);
    if (process == nullptr || is_starting(*process)) {
        if (frame.kind == MessageKind::forget) return outcome;  // idempotent
        return sys::plain_error(base::Errc::not_found, "no process '" + arguments.process_id + "'");
    }
    switch (frame.kind) {
        case MessageKind::attach:
            TRY(attach(*process, serial, outcome, fds));
            break;
        case MessageKind::tail:
            outcome.data = process->sources[arguments.stream].tail.text();
            break;
        case MessageKind::signal:
            if (process->pidfd &&
                sys::raw::pidfd_send_signal(process->pidfd.get(), arguments.number) != 0 &&
                errno != ESRCH) {
                return sys::errno_error("signal " + std::to_string(arguments.number));
            }
            break;
        case MessageKind::resize:
            TRY(resize(*process, arguments));
            break;
        case MessageKind::forget:
            if (!process->exited)
                return sys::plain_error(
                        base::Errc::conflict, "process '" + arguments.process_id + "' still runs");
            forget(serial);
            break;
        case MessageKind::prepare:
        case MessageKind::create:
        case MessageKind::run:
        case MessageKind::connect_output:
        case MessageKind::close_input:
        case MessageKind::detach:
        case MessageKind::state:
        case MessageKind::destroy:
        case MessageKind::reply:
        case MessageKind::exited:
        case MessageKind::container_died:
        case MessageKind::more:
            return sys::plain_error(base::Errc::invalid, "the request names no attachment");
    }
    return outcome;
}

}  // namespace garden::launch
