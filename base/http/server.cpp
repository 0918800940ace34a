#include "base/http/server.hpp"

#include "base/fail.hpp"
#include "base/http/core.hpp"
#include "base/http/session.hpp"

#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace base::http {

namespace {

// After accept failed for want of descriptors: the listener stays readable, so wait for better
// times.
constexpr std::chrono::milliseconds kAcceptPause{50};

}  // namespace

// One listening socket; a coroutine on the I/O thread.
class Acceptor {
  public:
    Acceptor(Core& core, Listener listener, TlsContext tls)
        : core_(core),
          listener_(std::move(listener)),
          tls_(std::move(tls)),
          descriptor_(core.io, listener_.socket.get()) {}

    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    ~Acceptor() {
        if (descriptor_.is_open()) (void)descriptor_.release();
        remove_socket_file(listener_);
    }

    static asio::awaitable<void> run(Acceptor& self);

    void stop() { descriptor_.cancel(); }

    const Endpoint& endpoint() const { return listener_.endpoint; }

  private:
    bool full() const { return core_.open >= core_.config.limits.connections; }

    Result<bool> accept_one();  // false: none waits
    Result<void> admit(sys::Accepted accepted);

    Core& core_;
    Listener listener_;
    TlsContext tls_;
    asio::posix::stream_descriptor descriptor_;
};

Result<void> Acceptor::admit(sys::Accepted accepted) {
    Peer peer;
    if (endpoint().kind == Endpoint::Kind::unix_socket) {
        peer.address = "unix";
        const auto credentials = TRY(sys::peer_credentials(accepted.socket));
        peer.process =
                PeerProcess{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
    } else {
        peer.address = accepted.peer.text();
        sys::no_delay(accepted.socket);
    }
    Wire wire(std::move(accepted.socket));
    if (tls_) wire.start_tls(TRY(make_server_session(tls_.get(), wire.socket())));
    auto session = std::make_shared<Session>(core_, std::move(wire), std::move(peer));
    core_.sessions.insert(session);
    ++core_.open;
    asio::co_spawn(
            core_.io, Session::run(session),
            [core = &core_, session](const std::exception_ptr& error) {
                // A coroutine of ours does not throw: what arrives here is a bug or an empty
                // memory, both end the program.
                if (error) std::rethrow_exception(error);
                core->session_over(session);
            });
    return ok;
}

Result<bool> Acceptor::accept_one() {
    auto accepted = TRY(sys::accept_from(listener_.socket));
    if (!accepted) return false;
    (void)admit(std::move(
            *accepted));  // one connection that cannot be served closes; the listener goes on
    return true;
}

asio::awaitable<void> Acceptor::run(Acceptor& self) {
    auto& core = self.core_;
    while (!core.draining) {
        if (core.paused || self.full()) {
            auto woken = co_await core.changed.async_wait(kUseResult);
            (void)woken;
            continue;
        }
        auto outcome = co_await self.descriptor_.async_wait(
                asio::posix::stream_descriptor::wait_read, kUseResult);
        if (std::get<0>(outcome)) break;
        while (!self.full() && !core.draining) {
            auto accepted = self.accept_one();
            if (accepted && *accepted) continue;
            if (accepted) break;
            asio::steady_timer pause(core.io, kAcceptPause);
            auto waited = co_await pause.async_wait(kUseResult);
            (void)waited;
        }
    }
}

Result<Fd> Core::start_pump(Wire wire) {
    auto pair = TRY(sys::stream_pair());
    const std::lock_guard lock(pump_mutex);
    std::erase_if(pumps, [](const auto& each) {
        if (each->over) each->thread.join();
        return each->over.load();
    });
    if (draining) return fail(Errc::cancelled, "the server stops");
    if (pumps.size() >= config.limits.connections)
        return fail(Errc::exhausted, "{} hijacked TLS connections already", pumps.size());
    auto made = std::make_unique<Pump>();
    made->wire = std::move(wire);
    made->plain = std::move(pair.second);
    made->thread = std::thread([pump_of = made.get()] {
        pump(pump_of->wire, pump_of->plain);
        pump_of->over = true;
    });
    pumps.push_back(std::move(made));
    return std::move(pair.first);
}

void Core::session_over(const std::shared_ptr<Session>& session) {
    sessions.erase(session);
    changed.cancel();
    {
        const std::lock_guard lock(stop_mutex);
        --open;
    }
    stopped_some.notify_all();
}

struct Server::Impl {
    Impl(ServerConfig config, Handler handler) : core(std::move(config), std::move(handler)) {}

    Core core;
    asio::executor_work_guard<asio::io_context::executor_type> work{core.io.get_executor()};
    std::vector<std::unique_ptr<Acceptor>> acceptors;
    std::vector<Endpoint> endpoints;
    std::thread thread;
    bool stopped = false;
    bool clean = true;

    Result<void> listen();
    void begin_drain();
    void cut_all();
    bool wait_for_end(Deadline deadline);
};

Result<void> Server::Impl::listen() {
    for (const auto& endpoint : core.config.endpoints) {
        TlsContext tls;
        if (endpoint.kind == Endpoint::Kind::tls) tls = TRY(make_server_context(endpoint.tls));
        auto listener = TRY(open_listener(endpoint));
        acceptors.push_back(std::make_unique<Acceptor>(core, std::move(listener), std::move(tls)));
        endpoints.push_back(acceptors.back()->endpoint());
    }
    for (const int number : core.config.inherited) {
        acceptors.push_back(
                std::make_unique<Acceptor>(core, TRY(adopt_listener(number)), TlsContext{}));
        endpoints.push_back(acceptors.back()->endpoint());
    }
    return ok;
}

void Server::Impl::begin_drain() {
    core.draining = true;
    asio::post(core.io, [this] {
        for (auto& acceptor : acceptors) acceptor->stop();
        core.changed.cancel();
        const auto sessions = core.sessions;
        for (const auto& session : sessions) session->stop_if_idle();
    });
    const std::lock_guard lock(core.pump_mutex);
    for (auto& each : core.pumps) {
        // garden-api §1: streams are abandoned at once when the server stops.
        sys::shut_down(each->plain, SHUT_RDWR);
        sys::shut_down(each->wire.socket(), SHUT_RDWR);
    }
}

void Server::Impl::cut_all() {
    asio::post(core.io, [this] {
        const auto sessions = core.sessions;
        for (const auto& session : sessions) session->cut();
    });
}

bool Server::Impl::wait_for_end(Deadline deadline) {
    std::unique_lock lock(core.stop_mutex);
    const auto over = [&] { return core.open == 0 && core.acceptors == 0; };
    if (deadline != Deadline::max()) return core.stopped_some.wait_until(lock, deadline, over);
    core.stopped_some.wait(lock, over);
    return true;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
    (void)stop(std::chrono::milliseconds{0});
}

Result<std::unique_ptr<Server>> Server::start(ServerConfig config, Handler handler, bool paused) {
    if (config.limits.workers == 0 || config.limits.connections == 0)
        return fail(Errc::invalid, "HTTP server: workers and connections must be at least 1");
    auto impl = std::make_unique<Impl>(std::move(config), std::move(handler));
    TRY(impl->listen());
    auto& core = impl->core;
    core.paused = paused;
    for (auto& acceptor : impl->acceptors) {
        ++core.acceptors;
        asio::co_spawn(core.io, Acceptor::run(*acceptor), [&core](const std::exception_ptr& error) {
            if (error) std::rethrow_exception(error);
            {
                const std::lock_guard lock(core.stop_mutex);
                --core.acceptors;
            }
            core.stopped_some.notify_all();
        });
    }
    impl->thread = std::thread([&core] { core.io.run(); });
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::resume() {
    asio::post(impl_->core.io, [core = &impl_->core] {
        core->paused = false;
        core->changed.cancel();
    });
}

const std::vector<Endpoint>& Server::endpoints() const {
    return impl_->endpoints;
}

std::size_t Server::connections() const {
    return impl_->core.open;
}

WorkerPool::Figures Server::workers() const {
    return impl_->core.workers.figures();
}

bool Server::stop(std::chrono::milliseconds grace) {
    if (impl_->stopped) return impl_->clean;
    impl_->stopped = true;
    impl_->begin_drain();
    impl_->clean = impl_->wait_for_end(deadline_in(grace));
    if (!impl_->clean) {
        impl_->cut_all();
        (void)impl_->wait_for_end(Deadline::max());
    }
    impl_->core.workers.stop();
    impl_->work.reset();
    impl_->thread.join();
    const std::lock_guard lock(impl_->core.pump_mutex);
    for (auto& each : impl_->core.pumps) each->thread.join();
    impl_->core.pumps.clear();
    impl_->acceptors.clear();
    return impl_->clean;
}

}  // namespace base::http
