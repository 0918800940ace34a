#include "audit_fixture.hpp"

namespace fixture {

using garden::api::AuditCheck;
using garden::api::AuditKind;
using garden::api::AuditReport;
using garden::api::AuditResult;
using garden::api::AuditSeverity;
using garden::api::AuditSubject;

namespace {

AuditCheck pass(std::string rule, std::string check, std::string title, std::string observed) {
    return {.rule = std::move(rule),
            .check = std::move(check),
            .title = std::move(title),
            .result = AuditResult::pass,
            .severity = AuditSeverity::error,
            .observed = observed,
            .expected = std::move(observed),
            .source = "/proc/4711/status"};
}

AuditCheck skipped(std::string rule, std::string check, std::string title, std::string why) {
    return {.rule = std::move(rule),
            .check = std::move(check),
            .title = std::move(title),
            .result = AuditResult::not_applicable,
            .severity = AuditSeverity::warning,
            .observed = std::move(why)};
}

AuditSubject web() {
    return {.kind = AuditKind::container,
            .name = "web-1",
            .container_class = "unprivileged",
            .relaxations = {"bind_mount:/srv/www"},
            .settings_sha256 =
                    "sha256:3b1e7c0d5a2f4e8896c1d0b7a3f25e64c7d89012ab34cd56ef7890123456abcd",
            .duration_ms = 183,
            .checks = {
                    pass("CL-01", "class", "the class is the one of its creation", "unprivileged"),
                    {.rule = "CL-03",
                     .check = "bind_mount:/srv/www",
                     .title = "nothing of the host is visible inside",
                     .result = AuditResult::fail,
                     .severity = AuditSeverity::note,
                     .observed = "/srv/www of the host, read-only, nosuid, nodev",
                     .expected = "no bind mount",
                     .source = "/proc/4711/mountinfo line 23",
                     .remedy = "",
                     .relaxation = "bind_mount:/srv/www",
                     .cis = "5.5",
                     .cves = {}},
                    pass("ID-01", "range", "its ids are nobody else's", "589824 65536"),
                    pass("ID-08", "nesting", "no namespace of users can be made inside",
                         "inside: unshare -> EPERM"),
                    pass("CAP-01", "bounding", "at most the 14 capabilities of its class",
                         "00000000a80425fb"),
                    pass("CAP-04", "ambient", "the ambient set is empty", "0000000000000000"),
                    pass("CAP-05", "inheritable", "the inheritable set is empty",
                         "0000000000000000"),
                    pass("SC-01", "mode", "every process is filtered", "Seccomp: 2"),
                    {.rule = "SC-08",
                     .check = "log",
                     .title = "denied calls become records of the kernel",
                     .result = AuditResult::fail,
                     .severity = AuditSeverity::warning,
                     .observed = "SECCOMP_FILTER_FLAG_LOG is not set for pid 4711",
                     .expected = "SECCOMP_FILTER_FLAG_LOG",
                     .source = "depot: filter of the container",
                     .remedy = "set engine.seccomp_log = true and create the container anew",
                     .relaxation = "",
                     .cis = "5.21",
                     .cves = {"CVE-2022-0185", "CVE-2022-0492"}},
                    pass("8.3", "masked /proc/keys", "/proc/keys shows nothing of the host",
                         "inside: open /proc/keys -> empty"),
                    pass("8.3", "masked /proc/kcore", "/proc/kcore shows nothing of the host",
                         "inside: open /proc/kcore -> empty"),
                    pass("DEV-01", "nodes", "only the six base nodes exist",
                         "null zero full random urandom tty"),
                    {.rule = "DEV-04",
                     .check = "v2 program",
                     .title = "the device program of cgroup v2 is in force",
                     .result = AuditResult::error,
                     .severity = AuditSeverity::error,
                     .observed = "bpf(BPF_PROG_QUERY): operation not permitted",
                     .expected = "one program",
                     .source = "/sys/fs/cgroup/garden/web-1",
                     .remedy = "run gardend with CAP_BPF or CAP_SYS_ADMIN",
                     .relaxation = "",
                     .cis = "",
                     .cves = {}},
                    skipped("NNP-02", "no_new_privs", "no_new_privs is set",
                            "not asked for by this container"),
                    pass("NET-02", "spoofing", "foreign addresses do not leave",
                         "3 rules of netdev ingress"),
                    pass("DOS-01", "pids", "processes are limited", "1024")}};
}

AuditSubject builder() {
    return {.kind = AuditKind::container,
            .name = "builder",
            .container_class = "privileged",
            .relaxations = {"capability:all", "privileged", "writable_bind_mount:/var/lib/build"},
            .settings_sha256 =
                    "sha256:90fe12ab3c4d5e6f7081920a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e",
            .duration_ms = 97,
            .checks = {
                    {.rule = "CL-03",
                     .check = "privileged",
                     .title = "root inside is not root of the host",
                     .result = AuditResult::fail,
                     .severity = AuditSeverity::error,
                     .observed = "class privileged: no user namespace, uid_map 0 0 4294967295",
                     .expected = "a user namespace of its own",
                     .source = "/proc/5120/uid_map",
                     .remedy = "create it with --userns-privileged, which has all capabilities "
                               "within a user namespace of its own",
                     .relaxation = "privileged",
                     .cis = "5.4",
                     .cves = {"CVE-2019-5736"}},
                    {.rule = "CL-03",
                     .check = "writable_bind_mount:/var/lib/build",
                     .title = "nothing of the host can be changed from inside",
                     .result = AuditResult::fail,
                     .severity = AuditSeverity::warning,
                     .observed = "/var/lib/build of the host, writable",
                     .expected = "no writable bind mount",
                     .source = "/proc/5120/mountinfo line 31",
                     .remedy = "mount it read-only, or use a volume of the container",
                     .relaxation = "writable_bind_mount:/var/lib/build",
                     .cis = "5.5",
                     .cves = {}},
                    {.rule = "CAP-02",
                     .check = "bounding",
                     .title = "its capabilities are bounded by its class",
                     .result = AuditResult::fail,
                     .severity = AuditSeverity::error,
                     .observed = "000001ffffffffff",
                     .expected = "00000000a80425fb",
                     .source = "/proc/5120/status CapBnd",
                     .remedy = "leave out --privileged and name the capabilities that it needs",
                     .relaxation = "capability:all",
                     .cis = "5.3",
                     .cves = {"CVE-2022-24769"}},
                    pass("SC-01", "mode", "every process is filtered", "Seccomp: 2"),
                    skipped("SC-08", "log", "denied calls become records of the kernel",
                            "the filter of privileged containers is a list of denied calls"),
                    skipped("ID-01", "range", "its ids are nobody else's",
                            "no user namespace in this class"),
                    pass("8.3", "masked /proc/sysrq-trigger", "sysrq cannot be triggered",
                         "inside: open for writing -> EROFS"),
                    pass("NET-02", "spoofing", "foreign addresses do not leave",
                         "3 rules of netdev ingress"),
                    pass("DOS-01", "pids", "processes are limited", "1024")}};
}

AuditSubject pairs() {
    return {.kind = AuditKind::pair,
            .name = "all",
            .duration_ms = 2,
            .checks = {
                    pass("ID-01", "disjoint", "no two containers share an id of the host",
                         "1 pair compared"),
                    pass("FS-01", "upper", "no two containers share a writable directory",
                         "1 pair compared")}};
}

AuditSubject host() {
    return {.kind = AuditKind::host,
            .name = "cell-7",
            .duration_ms = 40,
            .checks = {
                    pass("API-01", "socket", "only its group reaches the daemon's socket",
                         "0660 root:cloche"),
                    pass("API-02", "abstract", "the daemon has no abstract socket", "none"),
                    {.rule = "NNP-05",
                     .check = "store",
                     .title = "no user of the host can enter the store of layers",
                     .result = AuditResult::fail,
                     .severity = AuditSeverity::error,
                     .observed = "/var/lib/cloche/store is 0755",
                     .expected = "0700",
                     .source = "/var/lib/cloche/store",
                     .remedy = "chmod 0700 /var/lib/cloche/store, and find out who changed it",
                     .relaxation = "",
                     .cis = "2.1",
                     .cves = {"CVE-2021-41091", "CVE-2024-25621"}},
                    pass("PF-01", "kernel", "the kernel has what the rules need", "6.18.0")}};
}

}  // namespace

AuditReport audit_report() {
    return {.version = garden::api::kAuditVersion,
            .time = "2030-01-02T03:04:05Z",
            .host = "cell-7",
            .kernel = "6.18.0 x86_64",
            .daemon_version = "0.1.0",
            .subjects = {web(), builder(), pairs(), host()}};
}

AuditReport hostile_report() {
    // Markup, an entity, an end of a style sheet, a terminal's sequence, C1, bidi, a line break, a
    // NUL, no UTF-8, a link and a placeholder of SARIF.
    const std::string attack =
            std::string("<script>alert(1)</script>&lt;\"'</style>\x1b[2J\u009b") +
            "31m\u202e\n]]>" + std::string(1, '\0') +
            "\xff\uffff [fix](https://example.org) {0} \U000e0041";
    AuditCheck check{
            .rule = attack,
            .check = attack,
            .title = attack,
            .result = AuditResult::fail,
            .severity = AuditSeverity::error,
            .observed = attack,
            .expected = attack,
            .source = attack,
            .remedy = attack,
            .relaxation = attack,
            .cis = attack,
            .cves = {attack}};
    AuditSubject subject{
            .kind = AuditKind::container,
            .name = attack,
            .container_class = attack,
            .relaxations = {attack},
            .settings_sha256 = attack,
            .duration_ms = 1,
            .checks = {check, check, check, check, check}};
    subject.checks[1].result = AuditResult::pass;
    subject.checks[2].result = AuditResult::error;
    subject.checks[3].result = AuditResult::not_applicable;
    subject.checks[4].severity = AuditSeverity::note;
    return {.version = garden::api::kAuditVersion,
            .time = attack,
            .host = attack,
            .kernel = attack,
            .daemon_version = attack,
            .subjects = {subject}};
}

}  // namespace fixture
