// One certificate below an authority: who it names, and its making. Private to executor/identity.
#pragma once

#include "base/result.hpp"
#include "executor/identity/identity.hpp"
#include "executor/identity/openssl.hpp"

#include <string>
#include <vector>

namespace executor {

struct Leaf {
    std::string common_name;  // "" = nobody
    std::vector<std::string> organizational_units;
    std::vector<std::string> dns_names;
    std::string address;  // "" = none
    WallTime not_before;
    WallTime not_after;
};

// Errc::invalid names the field, the value and the limit.
base::Result<void> check_subject(const Subject& subject);

// A new key and a certificate for it, signed; `authority_pem` is put behind the leaf.
base::Result<Certificate> make_certificate(
        const Leaf& leaf,
        KeyType type,
        X509* authority,
        EVP_PKEY* authority_key,
        const std::string& authority_pem);

}  // namespace executor
