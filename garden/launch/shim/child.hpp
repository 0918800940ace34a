// What happens between clone and exec: which step failed, and how the parent hears of it. Used by
// garden-shim only. The shim is single-threaded, so a child may allocate; it still ends by exec or
// _exit, never by returning.
#pragma once

#include "base/fd.hpp"
#include "garden/launch/plan.hpp"

#include <errno.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace garden::launch {

enum class Step : std::uint32_t {
    receive_plan,
    attach_cgroup,
    cgroup_namespace,
    become_root,
    keyring,
    hostname,
    propagation,
    null_device,
    attach_root,
    mount_target,
    mount,
    mount_attributes,
    device,
    link,
    pivot_root,
    sysctl,
    mask,
    verify_mask,
    read_only,
    root_attributes,
    detach_old_root,
    lock_mounts,
    join_namespaces,
    mount_namespace,
    session,
    terminal,
    working_directory,
    stdio,
    rlimit,
    bounding_set,
    groups,
    ids,
    capabilities,
    apparmor,
    no_new_privileges,
    seccomp,
    close_descriptors,
    execute,
};

std::string_view to_string(Step step);

// A failed step on its way to the parent; a fixed size, so that one datagram is one report.
struct Report {
    Step step = Step::receive_plan;
    std::int32_t error = 0;
    char detail[248] = {};
};

// The child's end of the channel to the shim.
class Child {
  public:
    explicit Child(int channel) : channel_(channel) {}

    int channel() const { return channel_; }

    // Tells the parent and ends. `detail` names what the step worked on.
    [[noreturn]] void die(Step step, std::string_view detail = {}, int error = errno) const;

  private:
    int channel_;
};

struct Ids {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    const std::vector<std::uint32_t>* groups = nullptr;
};

// Root of the user namespace just entered: without supplementary groups, with all of its
// capabilities (PL-04).
void become_root(const Child& child, bool user_namespace);
void join_keyring(const Child& child);  // PL-05
void attach_cgroups(
        const Child& child, const std::vector<base::Fd>& all, const std::vector<FdIndex>& wanted);
// The profile that the coming exec enters; "" is none. In the view of the container, before the
// filter.
void enter_profile(const Child& child, const std::string& profile);
// rlimits, bounding set, filter, ids, capabilities, no_new_privs, in the order of SC-07.
void confine(const Child& child, const Confinement& confinement, const Ids& ids);
void reset_signals();                      // PL-07
void close_inherited(const Child& child);  // PL-01: everything above 2 on exec

// The whole life of the first process until it is garden-init. `program` and the channel are its
// only descriptors.
[[noreturn]] void container_child(const Child& child, bool user_namespace, int program);
// Builds the file system view in the mount namespace that the caller has just made (mounts.cpp):
// the steps of container_child, and of a pea's process_child.
void build_view(const Child& child, const ViewPlan& plan, const std::vector<base::Fd>& fds);

// FS-12: what a child sends when its view is built and must be locked; the shim answers with the
// namespace to enter (locked_view.cpp).
inline constexpr std::string_view kViewBuilt = "m";
void lock_view(const Child& child);

struct ProcessArguments {
    const ProcessPlan& plan;
    const std::vector<base::Fd>& fds;      // of the message
    const std::vector<base::Fd>& cgroups;  // of the container
    int init = -1;                         // pidfd of garden-init
    bool user_namespace = false;
    bool time_namespace = false;
    bool lock_mounts = false;     // as the container's (peas)
    std::string apparmor;         // the container's
    int stdio[3] = {-1, -1, -1};  // not used with a terminal
};

[[noreturn]] void process_child(const Child& child, const ProcessArguments& arguments);

}  // namespace garden::launch
