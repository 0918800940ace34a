#include "cli/arguments_registry.hpp"

namespace cli {

// `cloche audit …`.

namespace {

constexpr const char* kAuditFooter =
        "\nExit codes: 0 no finding at --level or worse, 1 findings, 2 usage, 3 unknown container, "
        "4 no report from the daemon.\n"
        "What could not be looked at is a finding at every level.";

void add_audit_flags(CLI::App& verb, AuditOptions& options) {
    verb.add_option("--format", options.format, "text, json, sarif (2.1.0), junit or html")
            ->check(CLI::IsMember({"text", "json", "sarif", "junit", "html"}));
    verb.add_option(
            "-o,--output", options.output, "Write to this file in place of standard output");
    verb.add_option(
                "--level", options.level,
                "The least severity that is a finding: error, warning or note")
            ->check(CLI::IsMember({"error", "warning", "note"}));
    verb.add_option(
                "--rule", options.rules, "Only this rule (SC-08) or section (SC); may be repeated")
            ->allow_extra_args(false);
    verb.add_flag("--failed", options.failed, "Leave out what passed and what does not apply");
    verb.footer(kAuditFooter);
}

}  // namespace

void add_audit(CLI::App& app, Slots& slots) {
    auto* audit = app.add_subcommand(
            "audit", "Compare containers and the machine with the security rules, with evidence");
    audit->require_subcommand(1);
    add_audit_log(*audit, slots);
    const auto verb = [&](const char* name, const char* text, AuditOptions::Target target) {
        auto* added = audit->add_subcommand(name, text);
        add_audit_flags(*added, slots.audit);
        added->callback([&slots, target] {
            auto& options = slots.audit;
            options.target = target;
            if (slots.out.global.json && options.format != "text" && options.format != "json")
                throw CLI::ValidationError("--json", "does not go with --format " + options.format);
            slots.out.command = options;
        });
        return added;
    };
    using Target = AuditOptions::Target;
    verb("container", "Audit the named containers", Target::containers)
            ->add_option("HANDLE", slots.audit.handles, "Containers")
            ->required();
    verb("all", "Audit every container, every pair of them, and the machine", Target::all);
    verb("host", "Audit the machine and the daemon, no container", Target::host);
}

}  // namespace cli
