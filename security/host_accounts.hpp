// Which id ranges of the host belong to its own accounts and their subordinate ids (ID-02, ID-03,
// ID-12). Used by id_ranges.cpp.
#pragma once

#include "base/result.hpp"
#include "security/id_ranges.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace security {

// Slot number (id / 65,536) -> who is there, for a message: "account daemon (uid 1)".
using TakenSlots = std::map<std::uint32_t, std::string>;

// `text` as passwd or group; `kind` is "uid" or "gid". Lines without a number are skipped.
void add_accounts(std::string_view text, std::string_view kind, TakenSlots& taken);
// `text` as subuid or subgid; entries of `reservation` are ours.
void add_subordinates(
        std::string_view text,
        std::string_view kind,
        const std::string& reservation,
        TakenSlots& taken);

// The four files of a configuration, read again only when one of them has changed. Missing files
// are empty.
class HostAccounts {
  public:
    explicit HostAccounts(const IdRangesConfig& config) : config_(config) {}

    base::Result<const TakenSlots*> taken();  // valid until the next call

  private:
    const IdRangesConfig& config_;
    std::string stamp_ = "never";
    TakenSlots taken_;
};

}  // namespace security
