// What a signature says: the "simple signing" document, of cosign and of detached OpenPGP
// signatures. Only read after the signature over its bytes was verified (IMG-41). Strict (IMG-43);
// fuzzed in tests/fuzz. Used by rootfs/trust/judge.
#pragma once

#include "base/result.hpp"
#include "rootfs/image/digest.hpp"

#include <string>
#include <string_view>

namespace rootfs::trust {

inline constexpr std::string_view kCosignType = "cosign container image signature";
inline constexpr std::string_view kAtomicType = "atomic container signature";

struct Statement {
    Digest digest;          // of the manifest or index that was signed
    std::string reference;  // the name it was signed under: "host/repository", perhaps with a tag
};

// `type`: one of the two above; another one is refused.
base::Result<Statement> parse_statement(std::string_view text, std::string_view type);

}  // namespace rootfs::trust
