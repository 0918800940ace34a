// Denied system calls as the kernel's audit records tell them (SC-20, SC-21): from one record's
// text to a value, and the bounded memory of one container. Pure but for a lock; every text in a
// record may have been chosen by a process in a container. Used by garden/engine.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace security {

// What one container can make us remember or do; the rest is counted.
inline constexpr std::size_t kMaxAuditRecord = 8970;  // MAX_AUDIT_MESSAGE_LENGTH of the kernel
inline constexpr std::size_t kMaxDenialText = 256;    // of a command's or an executable's name
inline constexpr std::size_t kMaxDeniedCalls = 512;   // numbers are chosen by the container
inline constexpr std::size_t kMaxDenialSamples = 16;  // SC-21
inline constexpr std::uint32_t kDenialsPerSecond = 200;
inline constexpr std::uint32_t kDenialBurst = 1000;

struct DenialRecord {
    std::int64_t time_ns = 0;        // since 1970, by the kernel's clock
    std::uint64_t serial = 0;        // of all audit events of the host
    std::uint32_t uid = 0;           // on the host
    std::int32_t pid = 0;            // on the host
    std::string command;             // what the process calls itself
    std::string executable;          // as its root names it
    std::uint32_t architecture = 0;  // AUDIT_ARCH_*
    std::uint32_t call = 0;
    std::uint32_t action = 0;  // SECCOMP_RET_* without data
};

// The payload of an AUDIT_SECCOMP message: "audit(1795621548.787:767): auid=… uid=…".
base::Result<DenialRecord> parse_denial(std::string_view text);
// The number behind the colon of any audit record; nothing when it has none.
std::optional<std::uint64_t> audit_serial(std::string_view text);
// "mount", or "#1234" for what our table does not know.
std::string call_name(std::uint32_t architecture, std::uint32_t call);
std::string architecture_name(std::uint32_t architecture);  // "x86_64", "x32", "i386", "#c00000b7"
std::string denial_action_name(std::uint32_t action);       // "errno", "kill_process", …
// clone3 is noise: C libraries try it first and fall back (SC-08).
bool is_noise(const DenialRecord& record);
// Of /proc/PID/cgroup: the group below `parent` that every hierarchy which knows us agrees on.
std::optional<std::string> group_of(std::string_view cgroup_file, std::string_view parent);

struct DenialCount {
    std::string call;
    std::string architecture;
    std::string action;
    std::uint64_t count = 0;
    std::int64_t first_ns = 0;
    std::int64_t last_ns = 0;
};

struct DenialSample {
    std::string call;
    std::string command;
    std::string executable;
    std::int32_t pid = 0;   // in the container; 0: it was gone when we looked
    std::uint32_t uid = 0;  // in the container
    std::int64_t time_ns = 0;
};

struct DenialReport {
    std::vector<DenialCount> calls;  // the most frequent first
    std::vector<DenialSample> samples;
    std::uint64_t total = 0;       // all that are in `calls` or `other`
    std::uint64_t other = 0;       // of more calls than kMaxDeniedCalls
    std::uint64_t suppressed = 0;  // over the rate: counted, not looked at
};

// What one container was denied. Safe from any thread.
class DenialLog {
  public:
    using Clock = std::chrono::steady_clock;

    // False: over the rate. `sample` is called when this process is worth one; it may look at
    // /proc, so it runs at most kMaxDenialSamples times.
    template <class MakeSample>
    bool note(const DenialRecord& record, Clock::time_point now, MakeSample make_sample) {
        const std::lock_guard lock(mutex_);
        if (!take_token(now)) return false;
        count(record);
        if (wants_sample(record)) samples_.push_back(make_sample(record));
        return true;
    }

    DenialReport report() const;
    std::uint64_t total() const;  // with what was suppressed
    // The report, when it has grown since the last call.
    std::optional<DenialReport> news();

  private:
    bool take_token(Clock::time_point now);
    void count(const DenialRecord& record);
    bool wants_sample(const DenialRecord& record) const;

    using Key = std::pair<std::uint32_t, std::uint32_t>;  // architecture, call

    mutable std::mutex mutex_;
    std::map<Key, DenialCount> calls_;
    std::vector<DenialSample> samples_;
    std::uint64_t total_ = 0;
    std::uint64_t other_ = 0;
    std::uint64_t suppressed_ = 0;
    std::uint64_t told_ = 0;
    double tokens_ = kDenialBurst;
    Clock::time_point refilled_{};
};

}  // namespace security
