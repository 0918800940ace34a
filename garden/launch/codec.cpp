#include "garden/launch/codec.hpp"

#include "garden/launch/wire.hpp"

namespace garden::launch {

namespace {

template <class T, class Plain>
concept Is = std::same_as<std::remove_const_t<T>, Plain>;

}  // namespace

// Found by argument-dependent look-up from Reader, therefore not in the nameless namespace.
static bool is_known(MountKind kind) {
    return kind <= MountKind::mqueue;
}

static bool is_known(Stdio stdio) {
    return stdio <= Stdio::descriptors;
}

// One list of fields per structure, for both directions: they cannot disagree.
template <class A, Is<IdMapping> T>
void visit(A& a, T& m) {
    a(m.inside), a(m.outside), a(m.count);
}

template <class A, Is<CapabilitySets> T>
void visit(A& a, T& c) {
    a(c.bounding), a(c.permitted), a(c.effective), a(c.inheritable), a(c.ambient);
}

template <class A, Is<Rlimit> T>
void visit(A& a, T& r) {
    a(r.resource), a(r.soft), a(r.hard);
}

template <class A, Is<Confinement> T>
void visit(A& a, T& c) {
    a(c.capabilities), a(c.no_new_privileges), a(c.seccomp), a(c.seccomp_log), a(c.rlimits),
            a(c.oom_score_adj);
}

template <class A, Is<Mount> T>
void visit(A& a, T& m) {
    a(m.kind), a(m.target), a(m.fd), a(m.attributes), a(m.options), a(m.target_is_file);
}

template <class A, Is<DeviceNode> T>
void visit(A& a, T& d) {
    a(d.path), a(d.major), a(d.minor), a(d.mode), a(d.fd);
}

template <class A, Is<Link> T>
void visit(A& a, T& l) {
    a(l.path), a(l.target);
}

template <class A, Is<Sysctl> T>
void visit(A& a, T& s) {
    a(s.name), a(s.value), a(s.required);
}

template <class A, Is<NamespacePlan> T>
void visit(A& a, T& p) {
    a(p.user), a(p.network), a(p.time), a(p.uids), a(p.gids), a(p.owner_uid), a(p.owner_gid);
}

template <class A, Is<ViewPlan> T>
void visit(A& a, T& p) {
    a(p.root), a(p.root_attributes), a(p.mounts), a(p.devices), a(p.links);
    a(p.masked), a(p.read_only), a(p.sysctls), a(p.ceilings);
}

template <class A, Is<PeaPlan> T>
void visit(A& a, T& p) {
    a(p.view), a(p.own_cgroup_namespace);
}

template <class A, Is<ContainerPlan> T>
void visit(A& a, T& p) {
    a(p.handle), a(p.hostname), a(p.cgroups), a(p.root), a(p.root_attributes), a(p.mounts),
            a(p.devices), a(p.links);
    a(p.masked), a(p.read_only), a(p.sysctls), a(p.ceilings), a(p.init), a(p.keyring),
            a(p.lock_mounts), a(p.apparmor);
}

// Without the part of a pea, which has a kind of plan of its own: a shim of an older gardend reads
// every other process.
template <class A, Is<ProcessPlan> T>
void visit(A& a, T& p) {
    a(p.id), a(p.argv), a(p.candidates), a(p.env), a(p.cwd), a(p.create_cwd), a(p.uid), a(p.gid),
            a(p.groups);
    a(p.confinement), a(p.umask), a(p.stdio), a(p.exec), a(p.stdin_fd), a(p.stdout_fd),
            a(p.stderr_fd), a(p.cgroups);
    a(p.columns), a(p.rows), a(p.internal);
}

namespace {

enum class PlanKind : std::uint8_t { namespaces = 1, container = 2, process = 3, pea = 4 };

bool is_known(PlanKind kind) {
    return kind >= PlanKind::namespaces && kind <= PlanKind::pea;
}

template <class T>
std::string encode_as(PlanKind kind, const T& plan) {
    Writer writer;
    writer(kPlanVersion);
    writer(kind);
    writer(plan);
    return std::move(writer).take();
}

// A reader behind the head of a plan, and which kind it is.
struct Opened {
    Reader reader;
    PlanKind kind = PlanKind::namespaces;
};

base::Result<Opened> open_plan(std::string_view bytes, std::string_view what) {
    if (bytes.size() > kMaxPlanBytes) {
        return base::sys::plain_error(
                base::Errc::invalid, std::string(what) + ": " + std::to_string(bytes.size()) +
                                             " bytes are more than " +
                                             std::to_string(kMaxPlanBytes));
    }
    Opened opened{.reader = Reader(bytes, kMaxPlanList)};
    std::uint8_t version = 0;
    opened.reader(version);
    if (version != kPlanVersion) {
        return base::sys::plain_error(
                base::Errc::unsupported, std::string(what) + ": version " +
                                                 std::to_string(version) + " is not " +
                                                 std::to_string(kPlanVersion));
    }
    opened.reader(opened.kind);
    return opened;
}

template <class T>
base::Result<T> decode_as(PlanKind expected, std::string_view bytes, std::string_view what) {
    auto [reader, kind] = TRY(open_plan(bytes, what));
    if (kind != expected) reader.fail("another kind of plan");
    T plan;
    reader(plan);
    TRY(reader.finish(what));
    return plan;
}

base::Error invalid(std::string_view field, std::string_view problem) {
    return base::sys::plain_error(
            base::Errc::invalid, std::string(field).append(": ").append(problem));
}

// Checks what the kernel calls of the child take for granted: C strings without a NUL inside,
// indices that exist.
class Checker {
  public:
    explicit Checker(std::size_t fds) : fds_(fds) {}

    void text(const char* field, const std::string& value) {
        if (value.find('\0') != std::string::npos) note(field, "has a NUL");
    }

    void name(const char* field, const std::string& value) {
        if (value.empty()) note(field, "is empty");
        text(field, value);
    }

    void index(const char* field, FdIndex value, bool optional) {
        if (value == kNoFd && optional) return;
        if (value < 0 || static_cast<std::size_t>(value) >= fds_)
            note(field, "is a descriptor that was not sent");
    }

    void confinement(const Confinement& c) {
        constexpr std::size_t kFilterEntry = 8;                    // struct sock_filter
        constexpr std::size_t kFilterLimit = 4096 * kFilterEntry;  // BPF_MAXINSNS
        if (c.seccomp.size() % kFilterEntry != 0)
            note("seccomp", "is not a whole number of instructions");
        if (c.seccomp.size() > kFilterLimit) note("seccomp", "has more than 4096 instructions");
    }

    void note(const char* field, const char* problem) {
        if (field_ == nullptr) field_ = field, problem_ = problem;
    }

    base::Result<void> finish() const {
        if (field_ == nullptr) return base::ok;
        return invalid(field_, problem_);
    }

  private:
    std::size_t fds_;
    const char* field_ = nullptr;
    const char* problem_ = nullptr;
};

void check(Checker& c, const ViewPlan& plan) {
    c.index("root", plan.root, false);
    for (const auto& mount : plan.mounts) {
        c.name("mounts.target", mount.target);
        c.index("mounts.fd", mount.fd, mount.kind != MountKind::attach);
        for (const auto& option : mount.options) c.name("mounts.options", option);
    }
    for (const auto& device : plan.devices) {
        c.name("devices.path", device.path);
        c.index("devices.fd", device.fd, true);
    }
    for (const auto& link : plan.links)
        c.name("links.path", link.path), c.name("links.target", link.target);
    for (const auto& path : plan.masked) c.name("masked", path);
    for (const auto& path : plan.read_only) c.name("read_only", path);
    for (const auto* list : {&plan.sysctls, &plan.ceilings}) {
        for (const auto& sysctl : *list)
            c.name("sysctls.name", sysctl.name), c.text("sysctls.value", sysctl.value);
    }
}

base::Result<void> check(const ContainerPlan& plan, std::size_t fds) {
    Checker c(fds);
    c.text("handle", plan.handle);
    c.text("hostname", plan.hostname);
    c.text("apparmor", plan.apparmor);
    for (const auto fd : plan.cgroups) c.index("cgroups", fd, false);
    check(c, plan);
    c.confinement(plan.init);
    return c.finish();
}

base::Result<void> check(const ProcessPlan& plan, std::size_t fds) {
    Checker c(fds);
    c.name("id", plan.id);
    if (plan.id.size() > kMaxProcessId) c.note("id", "is longer than 255 bytes");
    for (const char byte : plan.id) {
        if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f)
            c.note("id", "has a control character");
    }
    if (plan.argv.empty()) c.note("argv", "is empty");
    for (const auto& argument : plan.argv) c.text("argv", argument);
    for (const auto& candidate : plan.candidates) c.name("candidates", candidate);
    for (const auto& entry : plan.env) c.text("env", entry);
    c.name("cwd", plan.cwd);
    c.index("exec", plan.exec, true);
    c.index("stdin_fd", plan.stdin_fd, true);
    c.index("stdout_fd", plan.stdout_fd, true);
    c.index("stderr_fd", plan.stderr_fd, true);
    for (const auto fd : plan.cgroups) c.index("cgroups", fd, false);
    c.confinement(plan.confinement);
    if (plan.pea) {
        check(c, plan.pea->view);
        // Those of the container are set once, by its first process.
        if (!plan.pea->view.sysctls.empty() || !plan.pea->view.ceilings.empty())
            c.note("pea.sysctls", "are not a process's to set");
    }
    return c.finish();
}

}  // namespace

std::string encode(const NamespacePlan& plan) {
    return encode_as(PlanKind::namespaces, plan);
}

std::string encode(const ContainerPlan& plan) {
    return encode_as(PlanKind::container, plan);
}

std::string encode(const ProcessPlan& plan) {
    auto bytes = encode_as(plan.pea ? PlanKind::pea : PlanKind::process, plan);
    if (plan.pea) {
        Writer writer;
        writer(*plan.pea);
        bytes += std::move(writer).take();
    }
    return bytes;
}

base::Result<NamespacePlan> decode_namespace_plan(std::string_view bytes) {
    auto plan = TRY(decode_as<NamespacePlan>(PlanKind::namespaces, bytes, "namespace plan"));
    // The kernel takes 340 extents; a container has one or two.
    if (plan.uids.size() > 340 || plan.gids.size() > 340)
        return invalid("id mappings", "are more than 340");
    if (plan.user && (plan.uids.empty() || plan.gids.empty()))
        return invalid("id mappings", "are missing");
    return plan;
}

base::Result<ContainerPlan> decode_container_plan(std::string_view bytes, std::size_t fd_count) {
    auto plan = TRY(decode_as<ContainerPlan>(PlanKind::container, bytes, "container plan"));
    TRY(check(plan, fd_count));
    return plan;
}

base::Result<ProcessPlan> decode_process_plan(std::string_view bytes, std::size_t fd_count) {
    constexpr std::string_view kWhat = "process plan";
    auto [reader, kind] = TRY(open_plan(bytes, kWhat));
    if (kind != PlanKind::process && kind != PlanKind::pea) reader.fail("another kind of plan");
    ProcessPlan plan;
    reader(plan);
    if (kind == PlanKind::pea) reader(plan.pea.emplace());
    TRY(reader.finish(kWhat));
    TRY(check(plan, fd_count));
    return plan;
}

}  // namespace garden::launch
