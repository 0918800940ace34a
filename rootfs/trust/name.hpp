// Names of images as a policy and a signature write them: "host[:port]/repository[:tag][@digest]",
// and how two of them compare. Pure. Used by rootfs/trust/policy and judge.
#pragma once

#include "base/result.hpp"
#include "rootfs/image/digest.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rootfs::trust {

struct Name {
    std::string repository;  // "host[:port]/repository"; Docker's own registry is "docker.io"
    std::string tag;         // "" = none
    std::string digest;      // "" = none
};

base::Result<Name> parse_name(std::string_view text, std::string_view what);
// The scope of a rule: a host, or a host and the beginning of a repository.
base::Result<std::string> parse_scope(std::string_view text, std::string_view what);
// "host/team" covers itself and "host/team/app", never "host/teams".
bool covers(std::string_view scope, std::string_view repository);

enum class Match : std::uint8_t { exact, repository, remapped };

// Which name a signature may speak of, for an image asked for by another or the same.
struct IdentityRule {
    Match match = Match::repository;
    std::string from;  // remapped: this scope of the image's name …
    std::string to;    // … stands for this one in signatures
};

bool matches(const IdentityRule& rule, const Name& asked, const Name& is_signed);

}  // namespace rootfs::trust
