// Audit records: their texts are partly chosen by processes in containers (SC-20). Whatever comes,
// nothing in it grows beyond its bound, and a record that is read is counted once.
#include "security/denials.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)security::audit_serial(text);
    if (const auto group = security::group_of(text, "garden")) {
        fuzz::require(!group->empty(), "a group has a name");
        fuzz::require(group->find('/') == std::string::npos, "a group is one name");
    }
    const auto record = security::parse_denial(text);
    if (!record) {
        fuzz::require(!record.error().text.empty(), "an error says something");
        return 0;
    }
    fuzz::require(record->command.size() <= security::kMaxDenialText, "a name has a bound");
    fuzz::require(record->executable.size() <= security::kMaxDenialText, "a path has a bound");
    fuzz::require(record->time_ns >= 0, "time is since 1970");
    security::DenialLog log;
    log.note(*record, security::DenialLog::Clock::now(), [](const auto& of) {
        return security::DenialSample{.call = {}, .command = of.command, .executable = {}};
    });
    const auto report = log.report();
    fuzz::require(report.total == 1 && report.calls.size() == 1, "one record is one denial");
    fuzz::require(!report.calls[0].call.empty(), "every call has a name");
    return 0;
}
