// A gardend without its main: engine, service and server on a unix socket, all of a test's own. And
// a raw client that sees every byte. Used by tests/kernel/server only.
#pragma once

#include "base/http/server.hpp"
#include "garden/api/client.hpp"
#include "garden/server/service.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace test {

// The engine's nft table, addresses and forwarding stay in a namespace of the test; threads made
// later inherit it. Loopback is up, for the registry of a test; the first fixture calls it, too.
void leave_the_host_network();

struct ServerOptions {
    garden::server::Shares shares;
    std::size_t queued_requests = 1024;
    garden::server::Streams::Times stream_times;
    std::chrono::milliseconds bulk_deadline{10'000};
    std::function<void(garden::EngineConfig&)> configure;
};

class ServerFixture {
  public:
    explicit ServerFixture(ServerOptions options = {});
    // Destroys every container, and fails the test when doctor finds something.
    ~ServerFixture();
    ServerFixture(const ServerFixture&) = delete;
    ServerFixture& operator=(const ServerFixture&) = delete;

    garden::Engine& engine() { return *engine_; }

    garden::server::Service& service() { return *service_; }

    base::http::Server& server() { return *server_; }

    garden::api::Client client() const;

    base::http::Endpoint endpoint() const { return server_->endpoints().front(); }

    const std::string& directory() const { return directory_; }

    const std::string& rootfs() const { return rootfs_; }

    const std::string& tag() const { return config_.tag; }

    // A container with the busybox image, made through the API.
    std::string create(const std::string& handle);
    static garden::api::ProcessSpec process(
            std::vector<std::string> argv, const std::string& user = "");

    struct Output {
        std::int32_t code = -1;
        std::string out;
        std::string err;
    };

    // Run through the API to its end.
    Output run(const std::string& handle, std::vector<std::string> argv);

    // What a restart of gardend does; the shims stay.
    void restart();
    void stop();   // as main does at SIGTERM
    void start();  // after stop()

  private:
    ServerOptions options_;
    std::string directory_;
    std::string rootfs_;
    garden::EngineConfig config_;
    std::string log_path_;
    std::unique_ptr<base::log::Logger> log_;
    base::Fd log_file_;
    std::unique_ptr<garden::Engine> engine_;
    std::unique_ptr<garden::server::Service> service_;
    std::unique_ptr<base::http::Server> server_;
};

// Sends and receives bytes as they are.
class Wire {
  public:
    explicit Wire(const base::http::Endpoint& endpoint);
    void send(std::string_view bytes);
    // Up to the first `text`, which is included; what came behind it is kept. Fails the test after
    // the time.
    std::string until(
            std::string_view text, std::chrono::milliseconds time = std::chrono::seconds{20});
    // Everything up to the end of the stream. Fails the test after the time.
    std::string rest(std::chrono::milliseconds time = std::chrono::seconds{20});
    // What is there within the time; ends early at the end of the stream.
    std::string peek(std::chrono::milliseconds time);

    bool ended() const { return ended_; }

    void close() { socket_.reset(); }

    base::FdRef socket() const { return socket_; }

  private:
    bool receive(std::chrono::steady_clock::time_point deadline);

    base::Fd socket_;
    std::string buffer_;
    bool ended_ = false;
};

// One ordinary call as Go's client sends it: own connection, "Connection: close".
struct Answer {
    int status = 0;
    std::string head;  // without the two fields that differ each time, Date and X-Request-Id
    std::string body;

    std::string line() const { return std::to_string(status) + " " + body; }
};

Answer parse_answer(std::string_view raw);
std::string go_request(
        std::string_view method, std::string_view target, std::string_view body = {});
// The request of a call that Go's client takes over afterwards: no "Connection: close".
std::string go_hijack(std::string_view method, std::string_view target, std::string_view body = {});
Answer call(
        const base::http::Endpoint& endpoint,
        std::string_view method,
        std::string_view target,
        std::string_view body = {});

// A Run or Attach by hand.
struct RawProcess {
    Wire main;
    std::string head;  // as in Answer
    std::string process_id;
    std::string stream_id;
};

RawProcess begin(
        const base::http::Endpoint& endpoint,
        std::string_view method,
        std::string_view target,
        std::string_view body = {});
// The output connection; its header is read and checked.
Wire open_output(
        const base::http::Endpoint& endpoint,
        std::string_view handle,
        const RawProcess& process,
        bool is_stderr);

// A ustar archive with one file per entry; names that end with '/' are directories.
std::string tar_of(const std::vector<std::pair<std::string, std::string>>& entries);

// True before the time is over.
bool eventually(
        const std::function<bool()>& check,
        std::chrono::milliseconds time = std::chrono::seconds{10});

}  // namespace test
