#include "rootfs/trust/openpgp.hpp"

#include "base/fail.hpp"
#include "base/program.hpp"
#include "rootfs/trust/cosign.hpp"

#include <algorithm>
#include <cctype>

namespace rootfs::trust {

namespace {

using base::Errc;

constexpr const char* kProgram = "/usr/bin/gpgv";
constexpr std::chrono::seconds kDeadline{20};
constexpr std::string_view kStatus = "[GNUPG:] ";

bool is_fingerprint(std::string_view text) {
    // 40 digits of version 4 keys, 64 of version 5 and 6.
    return (text.size() == 40 || text.size() == 64) &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return std::isxdigit(static_cast<unsigned char>(c)) != 0;
           });
}

}  // namespace

base::Result<std::string> read_gpgv_status(std::string_view text) {
    std::string fingerprint;
    int good = 0;
    int valid = 0;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!line.starts_with(kStatus)) continue;
        line.remove_prefix(kStatus.size());
        const auto word = line.substr(0, line.find(' '));
        // A signature that an expired or revoked key made is valid to gpgv, and not good to us.
        for (const std::string_view bad :
             {"BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NO_PUBKEY", "NODATA"}) {
            if (word == bad) return base::fail(Errc::denied, "a signature is not good: {}", word);
        }
        if (word == "GOODSIG") ++good;
        if (word != "VALIDSIG") continue;
        ++valid;
        const auto rest = line.substr(std::min(word.size() + 1, line.size()));
        fingerprint = rest.substr(0, rest.find(' '));
    }
    if (good != 1 || valid != 1 || !is_fingerprint(fingerprint))
        return base::fail(Errc::denied, "not exactly one good signature ({} are)", good);
    return fingerprint;
}

base::Result<SignedMessage> verify_openpgp(std::string_view message, const std::string& keyring) {
    const auto end = TRY(base::run_program(
            {.path = kProgram,
             .arguments =
                     {"--homedir", "/nonexistent", "--keyring", keyring, "--status-fd", "2",
                      "--output", "-", "-"},
             .environment = {"LC_ALL=C"},
             .input = std::string(message),
             .output_limit = kMaxSignatureBytes,
             .deadline = kDeadline}));
    auto fingerprint = TRY(read_gpgv_status(end.complaint));
    if (end.code != 0)
        return base::fail(Errc::denied, "a signature is not good: gpgv ended with {}", end.code);
    return SignedMessage{.payload = end.output, .fingerprint = std::move(fingerprint)};
}

}  // namespace rootfs::trust
