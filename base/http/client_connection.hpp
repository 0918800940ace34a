// The insides of Client and ClientStream: kept connections, and one answer being read. Private to
// base/http.
#pragma once

#include "base/http/client.hpp"
#include "base/http/parser.hpp"
#include "base/http/sockets.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

namespace base::http {

struct Client::Impl {
    explicit Impl(ClientConfig given) : config(std::move(given)) {}

    const ClientConfig config;
    std::mutex mutex;  // guards what follows
    TlsContext tls;
    std::vector<Wire> idle;

    Result<Wire> connect(Deadline deadline, bool fresh, bool& reused, const std::stop_token& stop);
    Result<SSL_CTX*> tls_context();
    void give_back(Wire wire);
};

struct ClientStream::Impl {
    Impl(std::shared_ptr<Client::Impl> from, Wire connected)
        : client(std::move(from)),
          wire(std::move(connected)),
          parser(Parser::Kind::response, kMaxHeaderBytes) {}

    std::shared_ptr<Client::Impl>
            client;    // two owners: the Client, and each stream that gives its connection back
    std::mutex mutex;  // cancel() against giving the socket away
    Wire wire;
    Parser parser;
    bool answer_begun = false;
    bool whole_request_sent = true;
    bool over = false;  // the end was seen
    std::atomic<bool> cancelled = false;

    Result<void> send(const std::string& head, const ClientRequest& request, Deadline deadline);
    Result<void> read_header(Deadline deadline);
    Result<std::size_t> read_some(std::span<char> into, Deadline deadline);
    void finish();
    void cancel();

    struct Cancel {
        Impl* stream;

        void operator()() const { stream->cancel(); }
    };

    // Of ClientRequest::stop. Last: it is gone before what it touches.
    std::optional<std::stop_callback<Cancel>> on_stop;
};

}  // namespace base::http
