// The kernel's audit records by multicast, without being the audit daemon: open, and receive one
// record. Used by garden/engine. One-to-one, no policy.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace base::sys {

struct AuditSocket {
    Fd fd;
    std::string doubt;  // why it may be silent; "" = it is where the kernel sends records
};

// A socket of AUDIT_NLGRP_READLOG. The kernel sends records in the first network namespace only, so
// the socket is made in the one that `first_namespace` names, as a rule "/proc/1/ns/net". Who may
// not open that gets one in the caller's. Errc::denied without CAP_AUDIT_READ.
Result<AuditSocket> open_audit_socket(
        const std::string& first_namespace, std::size_t receive_bytes);

struct AuditMessage {
    std::uint16_t type = 0;  // AUDIT_SECCOMP, …
    std::size_t offset = 0;  // of the payload in the buffer
    std::size_t length = 0;
};

// What is there now, or nothing. Errc::exhausted: the kernel dropped records, as the buffer was
// full (ENOBUFS). A message that does not fit is cut to the buffer.
Result<std::optional<AuditMessage>> receive_audit(FdRef socket, std::span<char> buffer);

}  // namespace base::sys
