// Whether an image satisfies the policy, and by what (IMG-41, IMG-44). The order is the rule: the
// digest is known, its signatures are fetched, verified over their bytes, only then read, the
// digest compared, then the name. Used by rootfs/images before a layer is fetched.
#pragma once

#include "base/result.hpp"
#include "rootfs/images.hpp"
#include "rootfs/trust/name.hpp"
#include "rootfs/trust/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rootfs::trust {

// Where the signatures of one repository lie. What it gives is foreign; sizes are bounded by it.
class SignatureSource {
  public:
    SignatureSource() = default;
    SignatureSource(const SignatureSource&) = delete;
    SignatureSource& operator=(const SignatureSource&) = delete;
    virtual ~SignatureSource() = default;

    // The manifest under a tag of the image's repository; nothing when there is none.
    virtual base::Result<std::optional<std::string>> manifest(const std::string& tag) = 0;
    // A small blob, checked against digest and size (IMG-02).
    virtual base::Result<std::string> blob(const Digest& digest, std::uint64_t size) = 0;
    // A detached signature at `path` below the policy's directory or URL; nothing when there is
    // none. At most kMaxSignatureBytes.
    virtual base::Result<std::optional<std::string>> lookaside(
            const std::string& base, const std::string& path) = 0;
};

struct Subject {
    Name name;        // as asked for
    Digest top;       // of the manifest or index that the name stands for
    Digest selected;  // of the manifest chosen from the index; the same without an index
};

// A refusal is a value with a reason; an error is a registry that could not be asked.
base::Result<TrustDecision> judge(
        const Policy& policy, const Subject& subject, SignatureSource& signatures);

// For what the policy decides without signatures: local files, and rules that reject or accept all.
TrustDecision decide(const Policy& policy, const Rule& rule, std::string name, std::string digest);

}  // namespace rootfs::trust
