#include "tests/e2e/leavings.hpp"

#include "base/sys/file.hpp"
#include "tests/e2e/daemon.hpp"

#include <net/if.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace test {

namespace fs = std::filesystem;

namespace {

constexpr milliseconds kKernelTime{5'000};

std::vector<fs::path> parents_of(const std::string& tag) {
    std::vector<fs::path> found;
    std::ifstream mounts("/proc/self/mountinfo");
    std::string line;
    while (std::getline(mounts, line)) {
        if (line.find(" - cgroup") == std::string::npos) continue;
        std::istringstream words(line);
        std::string word;
        for (int i = 0; i < 5; ++i) words >> word;
        std::error_code ignored;
        // Ours is below our own group, which is at most a few levels down.
        auto walk = fs::recursive_directory_iterator(
                word, fs::directory_options::skip_permission_denied, ignored);
        for (; !ignored && walk != fs::recursive_directory_iterator(); walk.increment(ignored)) {
            if (walk.depth() > 4) walk.disable_recursion_pending();
            if (walk->path().filename() == "garden-" + tag && walk->is_directory(ignored))
                found.push_back(walk->path());
        }
    }
    return found;
}

std::vector<std::string> groups_of(const std::string& tag) {
    std::vector<std::string> found;
    for (const auto& parent : parents_of(tag)) {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(parent, ignored)) {
            if (entry.is_directory(ignored)) found.push_back("cgroup " + entry.path().string());
        }
    }
    return found;
}

// Chains and elements of containers name interfaces or leases; what belongs to gardend itself does
// not.
std::vector<std::string> rules_of(Nursery& nursery, const std::string& directory) {
    const auto file = directory + "/ruleset";
    (void)::unlink(file.c_str());
    const auto pid = nursery.spawn({"/usr/sbin/nft", "list", "ruleset"}, file);
    int status = 0;
    std::vector<std::string> found;
    // Who could not look has not seen that nothing is left.
    if (pid <= 0 || ::waitpid(pid, &status, 0) != pid || status != 0)
        found.push_back("nft list ruleset failed, wait status " + std::to_string(status));
    std::ifstream text(file);
    std::string line;
    while (std::getline(text, line)) {
        if (line.find("10.254.") != std::string::npos && line.find(" : ") != std::string::npos)
            found.push_back("nft " + line);
    }
    return found;
}

}  // namespace

std::vector<std::string> mounts_below(const std::string& directory) {
    std::vector<std::string> found;
    std::ifstream mounts("/proc/self/mountinfo");
    std::string line;
    while (std::getline(mounts, line)) {
        if (line.find(directory) != std::string::npos) found.push_back("mount " + line);
    }
    return found;
}

std::vector<std::string> interfaces(Nursery& nursery) {
    std::vector<std::string> found;
    nursery.run([&] {
        struct if_nameindex* all = ::if_nameindex();
        for (auto* one = all; one != nullptr && one->if_index != 0; ++one) {
            if (std::string(one->if_name) != "lo")
                found.push_back(std::string("interface ") + one->if_name);
        }
        ::if_freenameindex(all);
    });
    return found;
}

std::vector<std::string> leavings_of(
        Nursery& nursery, const std::string& tag, const std::string& directory) {
    std::vector<std::string> lines;
    const auto deadline = std::chrono::steady_clock::now() + patience(kKernelTime);
    do {
        lines.clear();
        for (const auto& process : descendants()) {
            lines.push_back(
                    "process " + std::to_string(process.pid) + " " + process.name + " " +
                    process.state);
        }
        for (auto& line : interfaces(nursery)) lines.push_back(std::move(line));
        for (auto& line : mounts_below(directory)) lines.push_back(std::move(line));
        for (auto& line : groups_of(tag)) lines.push_back(std::move(line));
        if (lines.empty()) break;
        std::this_thread::sleep_for(milliseconds(50));
    } while (std::chrono::steady_clock::now() < deadline);
    for (auto& line : rules_of(nursery, directory)) lines.push_back(std::move(line));
    for (const auto& parent : parents_of(tag)) (void)::rmdir(parent.c_str());
    return lines;
}

}  // namespace test
