// A signed OpenPGP message, verified by gpgv (the verifier of GnuPG, without trust database, agent
// or home directory). Used by rootfs/trust/judge for simple signing.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace rootfs::trust {

struct SignedMessage {
    std::string payload;
    std::string fingerprint;  // of the key that signed, hexadecimal
};

// `keyring`: an absolute path to keys as `gpg --export` writes them. Exactly one good signature by
// one of them, neither expired nor revoked; everything else is Errc::denied. Blocks while gpgv
// runs.
base::Result<SignedMessage> verify_openpgp(std::string_view message, const std::string& keyring);

// What gpgv said on its status lines: the fingerprint, or why not. Public for tests.
base::Result<std::string> read_gpgv_status(std::string_view text);

}  // namespace rootfs::trust
