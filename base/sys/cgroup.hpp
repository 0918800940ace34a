// The system calls that only control groups need: device programs, eventfd, inotify, extended
// attributes. Used by garden/cgroup. One-to-one, no policy.
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <string_view>

namespace base::sys {

// BPF_PROG_LOAD of a BPF_PROG_TYPE_CGROUP_DEVICE program; `instructions` is struct bpf_insn[].
Result<Fd> load_device_program(std::string_view instructions);
Result<void> attach_device_program(FdRef cgroup, FdRef program);
Result<Fd> make_eventfd();                           // non-blocking
Result<Fd> make_inotify();                           // non-blocking
Result<int> watch_modify(FdRef inotify, CStr path);  // IN_MODIFY; the watch descriptor
void unwatch(FdRef inotify, int watch);
void drain(FdRef file);  // reads and forgets what is there now
bool has_attribute(CStr path, CStr name, std::string_view value);

}  // namespace base::sys
