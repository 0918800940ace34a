// Ways out of a container that have worked elsewhere (security-model section 11), each tried
// harmlessly. Used by escape-attempts, which escapes_test.cpp runs inside of containers.
#pragma once

#include <cerrno>
#include <span>
#include <string>

namespace escapes {

// `run` says how it ended: the name of an errno, "done" when nothing stopped it, or words of its
// own. Each runs in a process of its own and is killed after a few seconds.
struct Attempt {
    const char* name;  // as the test's table has it; no spaces
    std::string (*run)();
};

std::span<const Attempt> attempts_by_calls();
std::span<const Attempt> attempts_by_files();
std::span<const Attempt> attempts_by_covers();  // last: where one succeeds, a mask is gone
std::span<const Attempt> attempts_by_resources();

// Opens every inotify instance it can get, says "holding" on its output, and keeps them until it is
// killed.
[[noreturn]] void hold_inotify();

// "done", or the name of errno for a negative result.
std::string outcome(long result);
std::string errno_name(int number);

}  // namespace escapes
