#include "tests/support/needs.hpp"

#include "base/sys/file.hpp"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sstream>

namespace test {

namespace {

bool file_has(const char* path, const std::string& word) {
    auto text = base::sys::read_host_file(path);
    return text && text->find(word) != std::string::npos;
}

}  // namespace

std::string missing(const std::string& need) {
    if (need == "root") return ::geteuid() == 0 ? "" : "not root";
    if (need == "userns")
        return ::access("/proc/self/ns/user", F_OK) == 0 ? "" : "no user namespaces";
    if (need == "cgroup1")
        return file_has("/proc/self/mountinfo", " - cgroup ") ? "" : "no cgroup v1 hierarchy";
    if (need == "cgroup2")
        return file_has("/proc/self/mountinfo", " - cgroup2 ") ? "" : "no cgroup v2 mount";
    if (need == "cgroup2_controllers") {
        return file_has("/sys/fs/cgroup/cgroup.controllers", "memory")
                       ? ""
                       : "no memory controller in cgroup v2";
    }
    if (need == "nft") return ::geteuid() == 0 ? "" : "nf_tables needs root";
    if (need == "loop") return ::access("/dev/loop-control", W_OK) == 0 ? "" : "no loop devices";
    if (need == "btrfs") return file_has("/proc/filesystems", "btrfs") ? "" : "no btrfs";
    if (need == "xfs_quota")
        return std::getenv("VM_GUEST") != nullptr ? "" : "no XFS quota in this kernel";
    if (need == "etcd")
        return ::access("/usr/bin/etcd", X_OK) == 0 ? ""
                                                    : "no etcd (hint: apt-get install etcd-server)";
    return "unknown need " + need;
}

bool skip_unless(const char* needs) {
    std::istringstream words(needs);
    std::string word;
    while (std::getline(words, word, ',')) {
        const auto first = word.find_first_not_of(' ');
        if (first == std::string::npos) continue;
        const std::string reason = missing(word.substr(first));
        if (reason.empty()) continue;
        std::cout << "SKIP: " << Catch::getResultCapture().getCurrentTestName() << ": " << reason
                  << std::endl;
        const char* strict = std::getenv("CLOCHE_NO_SKIP");
        if (strict != nullptr && std::string(strict) == "1")
            FAIL("skipped although CLOCHE_NO_SKIP=1: " << reason);
        return true;
    }
    return false;
}

}  // namespace test
