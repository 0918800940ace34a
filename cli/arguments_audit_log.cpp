// `cloche audit log …`.
#include "cli/arguments_registry.hpp"

namespace cli {

void add_audit_log(CLI::App& audit, Slots& slots) {
    auto* log = audit.add_subcommand("log", "Read and verify the daemon's event log");
    log->require_subcommand(1);
    auto* verify = log->add_subcommand(
            "verify",
            "Check the chain and the signatures, without the daemon; exit code 1 when "
            "something is wrong");
    verify->add_option(
            "--file", slots.audit_verify.file,
            "Directory of the log, or one of its files; /var/lib/cloche/audit when left out");
    verify->add_option(
            "--key", slots.audit_verify.key,
            "Your copy of the public key (PEM); the one beside the log when left out");
    verify->callback([&slots] { slots.out.command = slots.audit_verify; });
    auto* show = log->add_subcommand("show", "Print events, the last 100 when nothing is said");
    show->add_option("--since", slots.audit_show.since, "Only those behind this number");
    show->add_flag("--follow", slots.audit_show.follow, "Go on with what comes");
    show->callback([&slots] { slots.out.command = slots.audit_show; });
}

}  // namespace cli
