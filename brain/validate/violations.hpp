// Violations: every rule that a record breaks, in the order of the spec, as one message
// ("Invalid field: domain, Invalid field: rootfs") and with the reasons. Used by brain/validate and
// by those who answer for it.
#pragma once

#include "base/error.hpp"

#include <string>
#include <vector>

namespace brain::validate {

inline constexpr std::size_t kMaxViolations = 64;  // told of one record; the rest is left out

struct Violation {
    std::string field;
    std::string detail;  // "annotation: 10241 bytes, the limit is 10240"; "" when others tell it
};

class Violations {
  public:
    void add(std::string field, std::string detail = {});

    bool empty() const { return list_.empty(); }

    bool full() const { return list_.size() >= kMaxViolations; }

    std::size_t size() const { return list_.size(); }

    const std::vector<Violation>& list() const { return list_; }

    // What was said while `inner` was filled stands behind `field`.
    void add_within(std::string field, const Violations& inner);

    std::string message() const;               // "" when there is none
    std::vector<std::string> details() const;  // those that have one
    base::Error error() const;                 // Errc::invalid with the message

  private:
    std::vector<Violation> list_;
};

}  // namespace brain::validate
