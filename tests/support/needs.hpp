// NEEDS(root, nft): skips a test with the reason when this machine lacks something. Used by kernel
// and e2e tests. CLOCHE_NO_SKIP=1 turns every skip into a failure (one CI job does).
#pragma once

#include <string>

#include <catch2/catch.hpp>

namespace test {

// "" when the need is met, else why not. Known: root, userns, cgroup1, cgroup2,
// cgroup2_controllers, nft, loop, btrfs, xfs_quota, etcd.
std::string missing(const std::string& need);
// Prints "SKIP: reason" (ctest's SKIP_REGULAR_EXPRESSION sees it) and says whether to skip.
bool skip_unless(const char* needs);

}  // namespace test

#define NEEDS(...)                                     \
    do {                                               \
        if (::test::skip_unless(#__VA_ARGS__)) return; \
    } while (false)
