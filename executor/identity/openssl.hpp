// OpenSSL's objects with owners, and its complaints as text. Private to executor/identity and its
// tests.
#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace executor {

template <auto free>
struct FreeBy {
    template <class T>
    void operator()(T* object) const {
        free(object);
    }
};

using X509Ptr = std::unique_ptr<X509, FreeBy<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeBy<GENERAL_NAMES_free>>;

// The reasons in OpenSSL's queue of this thread, which is then empty.
std::string openssl_reason();
base::Error openssl_error(std::string_view action);

// Every certificate in a PEM text, in its order; `limit` at most.
base::Result<std::vector<X509Ptr>> read_certificates(std::string_view pem, std::size_t limit);
// Never asks for a password: there is nobody to answer.
base::Result<KeyPtr> read_key(std::string_view pem);

base::Result<std::string> to_pem(X509* certificate);
base::Result<std::string> to_pem(EVP_PKEY* key);

}  // namespace executor
