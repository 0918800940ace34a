// One line of the event log as a value: its text, its place in the chain of hashes, and the
// signature of a checkpoint (OBS-04). Pure. Used by security/event_log* and whoever verifies.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace security {

inline constexpr std::size_t kMaxEventFields = 32;
inline constexpr std::size_t kMaxEventText = 1024;  // of one value; longer ones are cut, visibly
inline constexpr std::size_t kMaxEventList = 32;    // values of one list
inline constexpr std::size_t kMaxEventLine = 16 * 1024;

using EventValue = std::variant<std::string, std::uint64_t, std::vector<std::string>>;
using EventFields = std::vector<std::pair<std::string, EventValue>>;

struct EventLine {
    std::uint64_t seq = 0;
    std::string time;     // RFC 3339
    std::string actor;    // "uid=0 pid=17", "certificate=NAME", "gardend"
    std::string event;    // "container.create"
    std::string handle;   // "" when it is about no container
    std::string details;  // a JSON object
    std::string prev;     // SHA-256 of the line before, 64 hexadecimal digits
};

inline constexpr std::string_view kCheckpoint = "checkpoint";
// What stands before the first line.
inline constexpr std::string_view kNoLine =
        "0000000000000000000000000000000000000000000000000000000000000000";

std::string details_of(const EventFields& fields);  // within the bounds above
std::string to_text(const EventLine& line);         // without the line break
base::Result<EventLine> parse_event_line(std::string_view text);
std::string line_hash(std::string_view text);

// An Ed25519 key in memory; one that only verifies has no private part.
class EventKey {
  public:
    static base::Result<EventKey> generate();
    static base::Result<EventKey> parse(std::string_view pem);  // private or public
    EventKey(EventKey&&) noexcept;
    EventKey& operator=(EventKey&&) noexcept;
    ~EventKey();

    const std::string& id() const { return id_; }  // 16 digits of the public part's SHA-256

    base::Result<std::string> private_pem() const;
    base::Result<std::string> public_pem() const;
    base::Result<std::string> sign(std::string_view text) const;  // hexadecimal
    bool verify(std::string_view text, std::string_view signature) const;

  private:
    struct Handle;
    explicit EventKey(std::unique_ptr<Handle> handle);
    std::unique_ptr<Handle> handle_;
    std::string id_;
};

// A checkpoint signs its place, its time and, through `prev`, everything before it.
base::Result<EventLine> make_checkpoint(
        const EventKey& key, std::uint64_t seq, std::string time, std::string prev);
// The first reason why `text`, which parsed to `line`, is no checkpoint of `key`.
base::Result<void> check_checkpoint(
        const EventKey& key, const EventLine& line, std::string_view text);

}  // namespace security
