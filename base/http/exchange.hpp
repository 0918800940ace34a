// The worker's side of one request: runs the handler and writes the answer. Private to base/http.
#pragma once

#include "base/http/session.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

namespace base::http {

// The bytes of a response up to the blank line. An unusable header field is Errc::internal.
Result<std::string> response_head(const Response& response, const std::string& request_id);

// The body of a request, read from its connection on demand. Dead once the exchange is over.
class ConnectionBody final : public BodySource {
  public:
    // `small` was read already; `complete` says that it is all there is.
    ConnectionBody(std::shared_ptr<Session> session, std::string small, bool complete)
        : session_(std::move(session)), small_(std::move(small)), complete_(complete) {}

    Result<std::size_t> read_some(std::span<char> into) override;

    bool complete() const override { return complete_; }

    bool peer_gone() const override;

    void interrupt() override { interrupted_ = true; }

    void detach() { session_.reset(); }

  private:
    Result<std::size_t> read_connection(std::span<char> into);

    std::shared_ptr<Session> session_;
    std::string small_;
    std::size_t small_at_ = 0;
    std::atomic<bool> complete_;  // of the connection: nothing of the body is left in it
    std::atomic<bool> interrupted_ = false;
};

class Exchange {
  public:
    Exchange(std::shared_ptr<Session> session, std::shared_ptr<Request> request)
        : session_(std::move(session)), request_(std::move(request)) {}

    // On a worker thread; leaves the outcome with the session.
    void run();

  private:
    void served() const;
    Response ask_handler();
    Session::Outcome answer(Response& response, std::string& rest);
    Session::Outcome answer_whole(Response& response, std::string& rest);
    Session::Outcome answer_stream(Response& response);
    Session::Outcome answer_takeover(Response& response);

    bool body_read() const { return request_->body->complete(); }

    Deadline write_deadline() const;

    std::shared_ptr<Session> session_;
    std::shared_ptr<Request> request_;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    int status_ = 0;
};

}  // namespace base::http
