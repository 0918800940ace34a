// The operator's policy: which images may be used, by whom they must be signed (IMG-40). A JSON
// file read once; a broken one is an error at start, never a weaker policy. Used by
// rootfs/trust/judge, rootfs/images and the settings of gardend. docs/images.md has the format.
#pragma once

#include "base/result.hpp"
#include "rootfs/trust/name.hpp"
#include "rootfs/trust/public_key.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs::trust {

inline constexpr std::size_t kMaxPolicy = std::size_t{1} << 20;
inline constexpr std::size_t kMaxScopes = 1000;
inline constexpr std::size_t kMaxRequirements = 16;  // of one rule
inline constexpr std::size_t kMaxKeys = 16;          // of one requirement

enum class Kind : std::uint8_t { reject, accept_anything, cosign_key, simple_signing };

std::string_view to_string(Kind kind);  // the word of the file

struct Requirement {
    Kind kind = Kind::reject;
    std::vector<PublicKey> keys;  // cosign-key: any one of them
    IdentityRule identity;
    std::string keyring;    // simple-signing: file with OpenPGP keys, absolute
    std::string lookaside;  // simple-signing: directory or https:// URL where the signatures lie
};

struct Rule {
    std::string name;                       // "default", "local" or the scope
    std::vector<Requirement> requirements;  // all must hold

    bool rejects() const;           // without looking at anything
    bool needs_signatures() const;  // something must be fetched to decide
};

class Policy {
  public:
    using ReadFile = std::function<base::Result<std::string>(const std::string& path)>;

    // Pure but for `read`, which gets the key files that the text names.
    static base::Result<Policy> parse(std::string_view text, const ReadFile& read);
    static base::Result<Policy> load(const std::string& path);

    // The rule of the longest scope that covers "host/repository".
    const Rule& rule_for(std::string_view repository) const;

    // Of everything that comes from this host: layouts, archives, files, directories.
    const Rule& local() const { return local_; }

    // Changes whenever the file or one of its keys does: decisions are bound to it (IMG-44).
    const std::string& digest() const { return digest_; }

  private:
    std::map<std::string, Rule, std::less<>> scopes_;
    Rule default_;
    Rule local_;
    std::string digest_;
};

}  // namespace rootfs::trust
