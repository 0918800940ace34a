// Where cosign keeps signatures: a manifest under a tag made of the image's digest, one layer per
// signature (IMG-42, format 1). Pure; foreign bytes, fuzzed in tests/fuzz. Used by
// rootfs/trust/judge.
#pragma once

#include "base/result.hpp"
#include "rootfs/image/digest.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs::trust {

inline constexpr std::size_t kMaxSignatures = 64;                            // IMG-43
inline constexpr std::uint64_t kMaxSignatureBytes = std::uint64_t{4} << 20;  // IMG-43

struct CosignSignature {
    Digest payload;  // the blob with the statement
    std::uint64_t size = 0;
    std::string signature;  // over the bytes of the blob
};

// "sha256-<hex>.sig"
std::string signature_tag(const Digest& image);
// Layers of other types are passed over; one of the right type without a signature is an error.
base::Result<std::vector<CosignSignature>> parse_signature_manifest(std::string_view text);

}  // namespace rootfs::trust
