// Outcome: how a step ended, and which words a user may see of it (executor-rep §5.2). Used by
// every step and by whoever completes a container.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace executor {

struct Outcome {
    enum class Kind : std::uint8_t {
        success,
        failed,          // `message` is fit for users when not empty
        cancelled,       // interrupted; hidden in aggregates
        grace_exceeded,  // killed after the graceful interval; hidden in aggregates
        exit_timeout     // did not exit after the kill
    };
    Kind kind = Kind::success;
    std::string message;     // emittable: shown to users
    std::string detail;      // the cause: for our log only
    bool retryable = false;  // of failures before anything of the user's ran

    bool good() const { return kind == Kind::success; }

    // What a completed container says as its failure reason.
    const std::string& reason() const { return message; }

    bool hidden() const { return kind == Kind::cancelled || kind == Kind::grace_exceeded; }

    bool operator==(const Outcome&) const = default;

    static Outcome success() { return {}; }

    static Outcome failed(std::string message, std::string detail = {}) {
        return {.kind = Kind::failed, .message = std::move(message), .detail = std::move(detail)};
    }

    static Outcome cancelled() {
        return {.kind = Kind::cancelled, .message = "cancelled", .detail = {}};
    }
};

// Failures of several children as one: messages joined with "; ", hidden and empty ones left out.
// Success when all are.
Outcome aggregate(const std::vector<Outcome>& outcomes);

void to_json(base::json::Writer& w, const Outcome& v);
base::Result<void> from_json(const base::json::Node& node, Outcome& v);

}  // namespace executor
