// What a stopped gardend must not leave, looked at from outside: not by asking it. Used by Daemon.
#pragma once

#include "tests/e2e/nursery.hpp"

#include <string>
#include <vector>

namespace test {

// Waits for what the kernel finishes in its own time, then names what is left. Removes the empty
// cgroup parents of the tag.
std::vector<std::string> leavings_of(
        Nursery& nursery, const std::string& tag, const std::string& directory);

std::vector<std::string> mounts_below(const std::string& directory);
std::vector<std::string> interfaces(Nursery& nursery);  // of the test's namespace, without lo

}  // namespace test
