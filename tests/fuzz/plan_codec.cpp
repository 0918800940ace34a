// Plans and messages as garden-shim receives them: what decodes is exactly what encoding makes,
// nothing else decodes, and no index points outside of the descriptors that came along.
#include "garden/launch/codec.hpp"
#include "garden/launch/protocol.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string_view>

using namespace garden::launch;

namespace {

template <class Plan>
bool same_bytes(std::string_view bytes, const base::Result<Plan>& plan) {
    if (!plan) return false;
    fuzz::require(encode(*plan) == bytes, "a plan encodes to what it was decoded from");
    fuzz::require(bytes.size() <= kMaxPlanBytes, "plans are bounded");
    return true;
}

template <class Message>
void same_message(std::string_view bytes) {
    const auto message = from_bytes<Message>(bytes, "message");
    if (message) fuzz::require(to_bytes(*message) == bytes, "a message encodes to what it was");
}

void in_range(FdIndex index, std::size_t fds) {
    const bool known = index == kNoFd || (index >= 0 && static_cast<std::size_t>(index) < fds);
    fuzz::require(known, "an index is a descriptor that was sent");
}

void check(const ContainerPlan& plan, std::size_t fds) {
    in_range(plan.root, fds);
    for (const auto fd : plan.cgroups) in_range(fd, fds);
    for (const auto& mount : plan.mounts) {
        in_range(mount.fd, fds);
        fuzz::require(mount.target.find('\0') == std::string::npos, "targets are C strings");
    }
    for (const auto& device : plan.devices) in_range(device.fd, fds);
}

void check(const ProcessPlan& plan, std::size_t fds) {
    for (const auto fd : {plan.exec, plan.stdin_fd, plan.stdout_fd, plan.stderr_fd})
        in_range(fd, fds);
    for (const auto fd : plan.cgroups) in_range(fd, fds);
    fuzz::require(!plan.argv.empty(), "a process has a name");
    fuzz::require(plan.confinement.seccomp.size() % 8 == 0, "a filter is whole");
}

}  // namespace

// First byte: which structure; second: how many descriptors came along.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto kind = input.byte();
    const std::size_t fds = input.byte();
    const auto bytes = input.rest();
    switch (kind % 6) {
        case 0:
            (void)same_bytes(bytes, decode_namespace_plan(bytes));
            break;
        case 1:
            if (auto plan = decode_container_plan(bytes, fds); same_bytes(bytes, plan))
                check(*plan, fds);
            break;
        case 2:
            if (auto plan = decode_process_plan(bytes, fds); same_bytes(bytes, plan))
                check(*plan, fds);
            break;
        case 3:
            same_message<Arguments>(bytes);
            break;
        case 4:
            same_message<Outcome>(bytes);
            break;
        case 5:
            same_message<Exit>(bytes);
            break;
        default:
            break;
    }
    return 0;
}
