#include "base/defer.hpp"
#include "base/parse.hpp"
#include "base/sys/error.hpp"
#include "base/sys/file.hpp"
#include "base/sys/pidfd.hpp"
#include "base/sys/process.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/launch/codec.hpp"
#include "garden/launch/connection.hpp"
#include "garden/launch/nursery.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>
#include <unordered_map>

namespace garden::launch {

namespace {

using std::chrono::milliseconds;

base::Error corrupt(const char* text) {
    return base::sys::plain_error(base::Errc::corrupt, text);
}

class ShimHandle final : public Shim {
  public:
    explicit ShimHandle(std::shared_ptr<Connection> link) : link_(std::move(link)) {}

    ShimHandle(const ShimHandle&) = delete;
    ShimHandle& operator=(const ShimHandle&) = delete;

    ~ShimHandle() override { link_->close(); }

    Connection& link() { return *link_; }

    base::Result<Prepared> prepare(const NamespacePlan& plan) override {
        auto reply = TRY(link_->call(MessageKind::prepare, encode(plan), {}, kRequestDeadline));
        const std::size_t expected = 1U + (reply.outcome.user_namespace ? 1U : 0U) +
                                     (reply.outcome.network_namespace ? 1U : 0U);
        if (reply.fds.size() != expected)
            return corrupt("prepare: the shim sent a wrong number of descriptors");
        Prepared out;
        out.init_pid = reply.outcome.pid;
        std::size_t next = 0;
        out.init = std::move(reply.fds[next++]);
        if (reply.outcome.user_namespace) out.user_namespace = std::move(reply.fds[next++]);
        if (reply.outcome.network_namespace) out.network_namespace = std::move(reply.fds[next]);
        init_ = TRY(base::sys::duplicate(out.init));
        return out;
    }

    base::Result<void> create(
            const ContainerPlan& plan,
            std::span<const base::FdRef> fds,
            base::FdRef bundle) override {
        std::vector<base::FdRef> all(fds.begin(), fds.end());
        all.push_back(bundle);  // the last one
        TRY(link_->call(MessageKind::create, encode(plan), all, kRequestDeadline));
        return base::ok;
    }

    base::Result<Started> run(const ProcessPlan& plan, std::span<const base::FdRef> fds) override {
        return to_started(TRY(link_->call(MessageKind::run, encode(plan), fds, kRequestDeadline)));
    }

    base::Result<Started> attach(std::string_view process_id) override {
        return to_started(TRY(ask(MessageKind::attach, {.process_id = std::string(process_id)})));
    }

    base::Result<void> connect_output(
            std::uint64_t attachment, OutputStream stream, base::FdRef sink) override {
        const std::array fds{sink};
        TRY(ask(MessageKind::connect_output,
                {.attachment = attachment, .stream = static_cast<std::uint8_t>(stream)}, fds));
        return base::ok;
    }

    base::Result<void> close_input(std::uint64_t attachment) override {
        TRY(ask(MessageKind::close_input, {.attachment = attachment}));
        return base::ok;
    }

    base::Result<void> detach(std::uint64_t attachment) override {
        TRY(ask(MessageKind::detach, {.attachment = attachment}));
        return base::ok;
    }

    base::Result<std::string> tail(std::string_view process_id, OutputStream stream) override {
        auto reply =
                TRY(ask(MessageKind::tail, {.process_id = std::string(process_id),
                                            .stream = static_cast<std::uint8_t>(stream)}));
        return std::move(reply.outcome.data);
    }

    base::Result<void> signal(std::string_view process_id, int number) override {
        TRY(ask(MessageKind::signal, {.process_id = std::string(process_id), .number = number}));
        return base::ok;
    }

    base::Result<void> resize(
            std::string_view process_id, std::uint16_t columns, std::uint16_t rows) override {
        TRY(ask(MessageKind::resize,
                {.process_id = std::string(process_id), .columns = columns, .rows = rows}));
        return base::ok;
    }

    base::Result<ShimState> state(std::chrono::milliseconds deadline) override {
        auto reply = TRY(ask(MessageKind::state, {}, {}, deadline));
        return std::move(reply.outcome.state);
    }

    base::Result<void> forget(std::string_view process_id) override {
        TRY(ask(MessageKind::forget, {.process_id = std::string(process_id)}));
        return base::ok;
    }

    base::Result<void> destroy(milliseconds deadline) override {
        link_->expect_end();
        auto reply = link_->call(MessageKind::destroy, to_bytes(Arguments{}), {}, deadline);
        if (reply) return base::ok;
        // A shim that is gone took its init along (parent-death signal); this makes sure where we
        // can.
        if (init_) TRY(base::sys::signal_process(init_, SIGKILL));
        if (reply.error().sys != EPIPE) return std::move(reply).error();
        if (!init_) return base::ok;
        pollfd watch{.fd = init_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&watch, 1, static_cast<int>(deadline.count())) == 1) return base::ok;
        return base::sys::plain_error(base::Errc::timeout, "garden-init does not end");
    }

  private:
    base::Result<Connection::Reply> ask(
            MessageKind kind,
            const Arguments& arguments,
            std::span<const base::FdRef> fds = {},
            std::chrono::milliseconds deadline = kRequestDeadline) {
        return link_->call(kind, to_bytes(arguments), fds, deadline);
    }

    static base::Result<Started> to_started(Connection::Reply reply) {
        if (reply.fds.size() != (reply.outcome.input ? 1U : 0U))
            return corrupt("the shim sent a wrong number of descriptors");
        Started out{
                .host_pid = reply.outcome.pid, .attachment = reply.outcome.attachment, .input = {}};
        if (reply.outcome.input) out.input = std::move(reply.fds.front());
        return out;
    }

    std::shared_ptr<Connection> link_;  // shared with the hub's thread
    base::Fd init_;
};

class Hub final : public ShimHub {
  public:
    Hub(base::Fd shim, base::Fd init, base::Fd copy, base::Fd epoll, base::Fd wake)
        : shim_(std::move(shim)),
          init_(std::move(init)),
          copy_(std::move(copy)),
          epoll_(std::move(epoll)),
          wake_(std::move(wake)),
          nursery_(shim_, init_),
          thread_([this] { loop(); }) {}

    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    ~Hub() override {
        stop_ = true;
        wake();
        thread_.join();
        for (auto& [id, link] : links_) link->lose();  // nobody will read replies any more
        for (auto& [id, link] : links_) link->close();
    }

    base::Result<std::shared_ptr<Shim>> spawn() override {
        auto born = TRY(nursery_.clone_shim());
        const std::uint64_t id = next_++;
        auto shim = TRY(adopt(id, std::move(born.socket)));
        const std::lock_guard lock(mutex_);
        TRY(watch(born.pidfd, id * 2 + 1));
        children_.emplace(id, std::move(born.pidfd));
        return shim;
    }

    base::Result<std::shared_ptr<Shim>> rejoin(base::FdRef bundle) override {
        auto socket = base::sys::seqpacket_connect(bundle, kSocketName);
        if (!socket && socket.error().sys == ECONNREFUSED) {
            return base::sys::plain_error(base::Errc::not_found, "the shim of this bundle is dead");
        }
        if (!socket) return std::move(socket).error();
        return adopt(next_++, std::move(*socket));
    }

    void listen(const std::shared_ptr<Shim>& shim, Events events) override {
        static_cast<ShimHandle&>(*shim).link().listen(std::move(events));
        wake();
    }

    base::FdRef copy_program() const override { return copy_; }

  private:
    base::Result<void> watch(base::FdRef fd, std::uint64_t key) {
        epoll_event event{.events = EPOLLIN, .data = {.u64 = key}};
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0)
            return base::sys::errno_error("watch a shim");
        return base::ok;
    }

    base::Result<std::shared_ptr<Shim>> adopt(std::uint64_t id, base::Fd socket) {
        // A shim that does not read must not hold a caller beyond its deadline.
        const timeval patience{.tv_sec = kRequestDeadline.count(), .tv_usec = 0};
        if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
            return base::sys::errno_error("set the deadline of a shim's socket");
        }
        auto link = std::make_shared<Connection>(
                id, std::move(socket));  // owners: the handle, and this hub's table
        const std::lock_guard lock(mutex_);
        links_.emplace(id, link);
        auto watched = watch(link->socket(), id * 2);
        if (!watched) {
            links_.erase(id);
            return std::move(watched).error();
        }
        return std::shared_ptr<Shim>(std::make_shared<ShimHandle>(std::move(link)));
    }

    void wake() {
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);  // a full counter wakes as well
    }

    void loop() {
        std::array<epoll_event, 64> events = {};
        while (!stop_) {
            const int count =
                    ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)].data.u64);
        }
    }

    void handle(std::uint64_t key) {
        if (key == 0) return woken();
        if (key % 2 == 1) return child_ended(key / 2);
        std::shared_ptr<Connection> link;
        {
            const std::lock_guard lock(mutex_);
            const auto place = links_.find(key / 2);
            if (place == links_.end()) return;
            link = place->second;
        }
        if (!link->receive()) {
            (void)::epoll_ctl(
                    epoll_.get(), EPOLL_CTL_DEL, link->socket().get(),
                    nullptr);  // it is ours and open
            link->lose();
            if (!link->listening()) keep_until_heard(link);
            const std::lock_guard lock(mutex_);
            links_.erase(key / 2);
        }
        link->deliver();
    }

    // A shim that died before anybody listened: its facts wait for the listener.
    void keep_until_heard(const std::shared_ptr<Connection>& link) {
        const std::lock_guard lock(mutex_);
        unheard_.push_back(link);
    }

    void woken() {
        std::uint64_t count = 0;
        (void)!::read(wake_.get(), &count, sizeof count);
        std::vector<std::shared_ptr<Connection>> all;
        {
            const std::lock_guard lock(mutex_);
            for (auto& [id, link] : links_) all.push_back(link);
            std::erase_if(unheard_, [&](const std::weak_ptr<Connection>& weak) {
                auto link = weak.lock();
                if (link && link->listening()) all.push_back(link);
                return !link || link->listening();
            });
        }
        for (auto& link : all) link->deliver();
    }

    void child_ended(std::uint64_t id) {
        const std::lock_guard lock(mutex_);
        const auto place = children_.find(id);
        if (place == children_.end()) return;
        (void)base::sys::reap(place->second);  // how a shim ended is told by its socket
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, place->second.get(), nullptr);
        children_.erase(place);
    }

    const base::Fd shim_;
    const base::Fd init_;
    const base::Fd copy_;
    const base::Fd epoll_;
    const base::Fd wake_;
    Nursery nursery_;
    std::atomic<std::uint64_t> next_{1};
    std::atomic<bool> stop_{false};
    std::mutex mutex_;  // the tables below
    std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> links_;
    std::unordered_map<std::uint64_t, base::Fd> children_;
    std::vector<std::weak_ptr<Connection>> unheard_;
    std::thread thread_;  // last: it uses all of the above
};

// PL-03: what runs is what was read at start, and nothing inside a container can write to it.
base::Result<base::Fd> seal_program(const char* name, const std::string& path) {
    constexpr std::size_t kLargest = 64U << 20;
    auto bytes = TRY(base::sys::read_host_file(path, kLargest));
    return base::sys::sealed_memory_file(name, bytes, true);
}

}  // namespace

// NOLINTNEXTLINE(performance-unnecessary-value-param): once in the life of a daemon
base::Result<std::unique_ptr<ShimHub>> ShimHub::start(ShimPrograms programs) {
    auto shim = TRY(seal_program("garden-shim", programs.shim));
    auto init = TRY(seal_program("garden-init", programs.init));
    base::Fd copy;
    if (!programs.copy.empty()) copy = TRY(seal_program("garden-copy", programs.copy));
    base::Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return base::sys::errno_error("make an epoll set");
    base::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake) return base::sys::errno_error("make an eventfd");
    epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0)
        return base::sys::errno_error("watch an eventfd");
    return std::unique_ptr<ShimHub>(std::make_unique<Hub>(
            std::move(shim), std::move(init), std::move(copy), std::move(epoll), std::move(wake)));
}

base::Result<std::vector<ProcessState>> read_exits(base::FdRef bundle) {
    constexpr std::size_t kLargest = 4U << 20;
    auto text = base::sys::read_file_at(bundle, kExitsName, kLargest);
    if (!text && text.error().sys == ENOENT) return std::vector<ProcessState>{};
    if (!text) return std::move(text).error();
    // Lines "code id"; a last line without its end was being written when the machine or the shim
    // died.
    std::vector<ProcessState> exits;
    std::string_view rest = *text;
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        const auto line = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        const auto space = line.find(' ');
        if (space == std::string_view::npos) return corrupt("exits: a line without a code");
        const auto code =
                TRY(base::parse_number<std::int32_t>(line.substr(0, space), "exits: code"));
        exits.push_back(
                {.id = std::string(line.substr(space + 1)), .exited = true, .exit_code = code});
    }
    return exits;
}

}  // namespace garden::launch
