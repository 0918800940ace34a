// The trace id of what this thread does at the moment: given with a request (X-Vcap-Request-Id),
// carried over worker pools and loops, shown in every log line, handed on to the backend. Used by
// base/http, base/log and the pools.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace base::trace {

inline constexpr std::size_t kMaxBytes = 128;

// What a stranger gave goes into logs and headers as it is: only short ids of letters, digits and
// "-_.:" are taken.
bool is_valid(std::string_view id);

// "" outside of any request that brought one.
const std::string& current();

class Scope {
  public:
    explicit Scope(std::string id);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

  private:
    std::string before_;
};

// The job, to be run elsewhere under the trace id of now.
std::function<void()> carried(std::function<void()> job);

}  // namespace base::trace
