#include "garden/engine/denials.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/audit_socket.hpp"
#include "base/sys/cgroup.hpp"
#include "base/sys/file.hpp"
#include "garden/engine/gardener.hpp"

#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <linux/audit.h>

#include <array>

namespace garden {

namespace {

// About 4,000 records: what a container writes in the time that we may be kept from a processor.
constexpr std::size_t kReceiveBytes = 4 << 20;
constexpr std::size_t kBatch = 256;             // records between two looks at `stop_`
constexpr std::size_t kKnownBlocks = 4096;      // of the two maps; they are emptied when full
constexpr std::chrono::seconds kStranger{1};    // how long a block of ids stays nobody's
constexpr std::chrono::seconds kTellEvery{60};  // a container's summary in the event log
constexpr std::uint32_t kBlock = 65'536;
// Ticks of the process's start and milliseconds of the record are both rounded.
constexpr std::int64_t kRounding = 50'000'000;

std::int64_t nanoseconds(clockid_t clock) {
    timespec now{};
    (void)::clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// When a process began, since 1970: field 22 of its stat, counted behind the name, which may hold
// anything.
base::Result<std::int64_t> start_of(base::FdRef process) {
    const auto text = TRY(base::sys::read_file_at(process, "stat", 4096));
    auto rest = std::string_view(text).substr(std::min(text.rfind(')'), text.size()));
    for (int field = 2; field < 22; ++field) {
        const auto space = rest.find(' ');
        if (space == std::string_view::npos)
            return base::fail(base::Errc::corrupt, "stat has no start time");
        rest.remove_prefix(space + 1);
    }
    const auto ticks =
            TRY(base::parse_number<std::int64_t>(rest.substr(0, rest.find(' ')), "start time"));
    const auto per_second = std::max(1L, ::sysconf(_SC_CLK_TCK));
    const auto boot = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_BOOTTIME);
    return boot + ticks * (1'000'000'000 / per_second);
}

// The last number of "NSpid:", which is the pid in the innermost namespace.
std::int32_t inner_pid_of(std::string_view status) {
    const auto at = status.find("\nNSpid:");
    if (at == std::string_view::npos) return 0;
    auto line = status.substr(at + 1);
    line = line.substr(0, line.find('\n'));
    const auto last = line.find_last_of("\t :");
    return base::parse_number<std::int32_t>(line.substr(last + 1), "NSpid").value_or(0);
}

}  // namespace

Denials::Denials(const Registry& registry, security::EventLog& events, std::string parent)
    : registry_(registry),
      events_(events),
      parent_(std::move(parent)),
      since_ns_(nanoseconds(CLOCK_REALTIME)) {
    figures_.why = "not started";
}

Denials::~Denials() {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    (void)base::sys::write_all(
            stop_, std::string_view(reinterpret_cast<const char*>(&one), sizeof one));
    thread_.join();
}

void Denials::start(const std::string& host_namespace) {
    auto socket = base::sys::open_audit_socket(host_namespace, kReceiveBytes);
    auto stop = base::sys::make_eventfd();
    const std::lock_guard lock(mutex_);
    if (!socket || !stop) {
        // Section 17: run, and say so.
        figures_.why = "not available: " + (socket ? stop.error().text : socket.error().text);
        return;
    }
    socket_ = std::move(socket->fd);
    stop_ = std::move(*stop);
    figures_.available = true;
    figures_.why = std::move(socket->doubt);
    thread_ = std::thread([this] { run(); });
}

DenialFigures Denials::figures() const {
    const std::lock_guard lock(mutex_);
    return figures_;
}

void Denials::run() {
    for (;;) {
        std::array<pollfd, 2> wait{
                {{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                 {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
        // Woken without a record only when there is something to tell.
        const auto milliseconds = std::chrono::milliseconds(kTellEvery).count();
        if (::poll(wait.data(), wait.size(), untold_ ? static_cast<int>(milliseconds) : -1) < 0)
            continue;  // a signal
        if (wait[1].revents != 0) return;
        drain();
        tell_if_due();
    }
}

void Denials::tell_if_due() {
    const auto now = std::chrono::steady_clock::now();
    if (!untold_ || now - told_ < kTellEvery) return;
    told_ = now;
    untold_ = false;
    for (const auto& container : registry_.all())
        if (container->ready) tell_denials(events_, *container);
}

void Denials::drain() {
    std::array<char, security::kMaxAuditRecord + 64> buffer{};
    for (std::size_t i = 0; i < kBatch; ++i) {
        const auto message = base::sys::receive_audit(socket_, buffer);
        if (!message) {
            // Lost ones are told once a burst; how many they were, the next serial number says.
            gap_ = true;
            continue;
        }
        if (!*message) return;
        const std::string_view record(buffer.data() + (*message)->offset, (*message)->length);
        note_gap(record);
        if ((*message)->type == AUDIT_SECCOMP) take(record);
    }
}

void Denials::note_gap(std::string_view record) {
    const auto serial = security::audit_serial(record);
    if (!serial) return;
    if (gap_) {
        const auto missing = last_serial_ != 0 && *serial > last_serial_ + 1
                                     ? *serial - last_serial_ - 1
                                     : std::uint64_t{1};
        const std::lock_guard lock(mutex_);
        figures_.lost += missing;
        gap_ = false;
    }
    last_serial_ = *serial;
}

void Denials::take(std::string_view text) {
    const auto record = security::parse_denial(text);
    if (record && security::is_noise(*record)) return;  // SC-08
    const auto container = record ? owner(*record) : nullptr;
    bool counted = true;
    if (container) {
        untold_ = true;
        const auto base = container->record.range.base;  // constant once it is ready
        counted = container->denials.note(
                *record, std::chrono::steady_clock::now(), [&](const auto& of) {
                    const auto process = look_at(of.pid, of.time_ns, parent_);
                    return security::DenialSample{
                            .call = security::call_name(of.architecture, of.call),
                            .command = of.command,
                            .executable = of.executable,
                            .pid = process ? process->inner_pid : 0,
                            .uid = of.uid - base,
                            .time_ns = of.time_ns};
                });
    }
    const std::lock_guard lock(mutex_);
    if (!record) ++figures_.unreadable;
    if (container) ++figures_.denials;
    if (!counted) ++figures_.suppressed;
}

Denials::ContainerPtr Denials::owner(const security::DenialRecord& record) {
    if (record.uid >= security::kIdRangeFirst && record.uid <= security::kIdRangeLast) {
        // Ranges are distinct: exact, however late we read (SC-20).
        if (auto container = owner_of_uid(record.uid)) return container;
        const std::lock_guard lock(mutex_);
        ++figures_.foreign;
        return nullptr;
    }
    const auto process = look_at(record.pid, record.time_ns, parent_);
    ContainerPtr container;
    if (process && !process->group.empty()) {
        auto found = registry_.find(Handle(process->group));
        if (found && (*found)->ready) container = std::move(*found);
    }
    const std::lock_guard lock(mutex_);
    if (!process) ++figures_.unresolved;
    if (process && !container) ++figures_.foreign;
    return container;
}

bool Denials::is_current(const ContainerPtr& container, std::uint32_t uid) const {
    const auto& range = container->record.range;
    if (range.length == 0 || uid < range.base || uid - range.base >= range.length) return false;
    const auto registered = registry_.find(container->handle);
    return registered && *registered == container;
}

Denials::ContainerPtr Denials::owner_of_uid(std::uint32_t uid) {
    const auto block = uid / kBlock;
    if (const auto known = by_block_.find(block); known != by_block_.end()) {
        if (auto container = known->second.lock(); container && is_current(container, uid))
            return container;
        by_block_.erase(known);
    }
    const auto now = std::chrono::steady_clock::now();
    if (const auto stranger = nobodys_.find(block); stranger != nobodys_.end()) {
        if (now - stranger->second < kStranger) return nullptr;
        nobodys_.erase(stranger);
    }
    if (by_block_.size() >= kKnownBlocks) by_block_.clear();
    if (nobodys_.size() >= kKnownBlocks) nobodys_.clear();
    for (auto& container : registry_.all()) {
        // A container has no process of its own before it is ready.
        if (!container->ready || !is_current(container, uid)) continue;
        by_block_[block] = container;
        return container;
    }
    nobodys_[block] = now;
    return nullptr;
}

std::optional<Denials::Process> Denials::look_at(
        std::int32_t pid, std::int64_t not_after_ns, std::string_view parent) {
    // All is read through one directory, which is empty once the process is gone: it cannot become
    // another's. Who began after the record is another process with the same number.
    const auto directory = base::sys::open_host(base::format("/proc/{}", pid), O_PATH);
    if (!directory) return {};
    const auto groups = base::sys::read_file_at(*directory, "cgroup");
    const auto status = base::sys::read_file_at(*directory, "status");
    const auto began = start_of(*directory);
    if (!groups || !status || !began || *began > not_after_ns + kRounding) return {};
    return Process{
            .inner_pid = inner_pid_of(*status),
            .group = security::group_of(*groups, parent).value_or(std::string())};
}

base::Result<ContainerDenials> Gardener::denials(const Handle& handle) {
    const auto container = TRY(registry_.find(handle));
    if (!container->ready)
        return base::fail(base::Errc::not_found, "unknown handle: {}", handle.get());
    const std::lock_guard lock(container->mutex);
    return ContainerDenials{
            .report = container->denials.report(),
            .since_ns = std::max(container->record.created_at, denials_->since_ns()),
            .host = denials_->figures()};
}

}  // namespace garden
