#include "tests/e2e/session.hpp"

#include "base/sys/file.hpp"
#include "tests/e2e/daemon.hpp"

#include <errno.h>
#include <sys/socket.h>

#include <array>

namespace test {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

garden::api::ProcessSpec process(
        std::vector<std::string> argv, const std::string& id, const std::string& user) {
    garden::api::ProcessSpec spec;
    spec.id = id;
    spec.path = argv.at(0);
    spec.args.assign(argv.begin() + 1, argv.end());
    spec.user = user;
    return spec;
}

Reader::Reader(base::http::Hijacked connection)
    : socket_(std::move(connection.socket)),
      text_(std::move(connection.leftover)),
      thread_([this] { run(); }) {}

Reader::~Reader() {
    (void)::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
}

void Reader::run() {
    std::array<char, 16384> piece{};
    auto last = steady_clock::now();
    while (true) {
        const auto size = ::recv(socket_.get(), piece.data(), piece.size(), 0);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) break;
        const auto now = steady_clock::now();
        const auto gap = std::chrono::duration_cast<milliseconds>(now - last).count();
        last = now;
        if (gap > gap_) gap_ = gap;
        const std::lock_guard lock(mutex_);
        text_.append(piece.data(), static_cast<std::size_t>(size));
    }
    ended_ = true;
}

std::string Reader::text() const {
    const std::lock_guard lock(mutex_);
    return text_;
}

std::vector<std::string> Reader::lines() const {
    const auto all = text();
    std::vector<std::string> lines;
    for (std::size_t at = 0;;) {
        const auto end = all.find('\n', at);
        if (end == std::string::npos) return lines;
        lines.push_back(all.substr(at, end - at));
        at = end + 1;
    }
}

bool Reader::wait_end(milliseconds limit) const {
    const auto deadline = steady_clock::now() + limit;
    while (!ended_ && steady_clock::now() < deadline) std::this_thread::sleep_for(milliseconds(5));
    return ended_;
}

bool Reader::wait_for(const std::string& wanted, milliseconds limit) const {
    const auto deadline = steady_clock::now() + limit;
    while (steady_clock::now() < deadline) {
        if (text().find(wanted) != std::string::npos) return true;
        std::this_thread::sleep_for(milliseconds(5));
    }
    return text().find(wanted) != std::string::npos;
}

Finished run_to_end(
        garden::api::Client& client,
        const std::string& handle,
        const garden::api::ProcessSpec& spec,
        milliseconds limit) {
    Finished finished;
    auto stream = client.run(handle, spec);
    if (!stream) {
        finished.error = stream.error().text;
        return finished;
    }
    auto out = stream->open_output(false);
    auto err = stream->open_output(true);
    if (!out || !err) {
        finished.error = (out ? err : out).error().text;
        return finished;
    }
    const Reader out_reader(std::move(*out));
    const Reader err_reader(std::move(*err));
    const auto code = stream->wait(patience(limit));
    if (!code) {
        finished.error = code.error().text;
        return finished;
    }
    finished.code = *code;
    (void)out_reader.wait_end(patience(milliseconds(5'000)));
    (void)err_reader.wait_end(patience(milliseconds(5'000)));
    finished.out = out_reader.text();
    finished.err = err_reader.text();
    return finished;
}

}  // namespace test
