// A Run or Attach call as its client sees it (garden-api §7): messages both ways on one socket, raw
// output on two others. Made by Client; used by the CLI's sessions and by the executor. Nothing
// here blocks except wait() and opening an output.
#pragma once

#include "base/http/client.hpp"
#include "base/json.hpp"
#include "garden/api/types.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace garden::api {

inline constexpr std::size_t kMaxMessage = std::size_t{1} << 20;
inline constexpr std::size_t kMaxInputChunk = 32 * 1024;  // garden-api 7.2

enum class StreamSignal : std::uint8_t { terminate = 0, kill = 1 };

class ProcessStream {
  public:
    const std::string& process_id() const { return process_id_; }

    const std::string& stream_id() const { return stream_id_; }

    // A raw connection with one output: `leftover` first, then the socket until its end.
    base::Result<base::http::Hijacked> open_output(bool is_stderr) const;

    // Messages are queued; flush() sends what the socket takes now. Bytes that are no UTF-8 arrive
    // as U+FFFD: the wire is JSON. A character cut in two by the caller's reads is kept together.
    void send_input(std::string_view data);
    void send_input_end();
    void send_window(std::uint16_t columns, std::uint16_t rows);
    void send_signal(StreamSignal signal);
    base::Result<void> flush();

    bool has_pending() const { return !pending_.empty(); }

    base::FdRef socket() const { return main_.socket; }

    // Reads what is there. The exit status once it has come; an error when the process or the
    // connection failed.
    base::Result<std::optional<std::int32_t>> receive();
    // Sends and receives until the exit status; zero = no deadline.
    base::Result<std::int32_t> wait(std::chrono::milliseconds timeout = base::http::kNoDeadline);

  private:
    friend class Client;
    // `http` opens the outputs later; `path` is "/containers/H/processes". Waits for the first
    // message.
    static base::Result<ProcessStream> begin(
            std::shared_ptr<base::http::Client> http, std::string path, base::http::Hijacked main);
    base::Result<std::optional<ProcessMessage>> next_message();
    void queue(const ProcessMessage& message);

    std::shared_ptr<base::http::Client> http_;  // owners: the Client and the streams it made
    std::string path_;
    base::http::Hijacked main_;
    base::json::ValueSplitter splitter_{kMaxMessage};
    std::string process_id_;
    std::string stream_id_;
    std::string pending_;
    std::string cut_character_;  // the first bytes of a character whose rest has not come
};

}  // namespace garden::api
