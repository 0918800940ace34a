#include "executor/identity/openssl.hpp"

#include "base/fail.hpp"

#include <algorithm>
#include <climits>

#include <openssl/err.h>
#include <openssl/pem.h>

namespace executor {

namespace {

BioPtr reader(std::string_view text) {
    // Of our own small files: a few kilobytes.
    return BioPtr(BIO_new_mem_buf(
            text.data(), static_cast<int>(std::min<std::size_t>(text.size(), INT_MAX))));
}

std::string text_in(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

// PEM_write_bio_PrivateKey with the parameters of its traditional sister.
int write_pkcs8(
        BIO* bio,
        const EVP_PKEY* key,
        const EVP_CIPHER* cipher,
        const unsigned char* password,
        int size,
        pem_password_cb* callback,
        void* data) {
    return PEM_write_bio_PrivateKey(bio, key, cipher, password, size, callback, data);
}

int no_password(char*, int, int, void*) {
    return -1;
}

}  // namespace

std::string openssl_reason() {
    std::string out;
    while (const auto code = ERR_get_error()) {
        const char* reason = ERR_reason_error_string(code);
        out += out.empty() ? "" : ", ";
        out += reason != nullptr ? reason : "unknown reason";
    }
    return out.empty() ? "unknown reason" : out;
}

base::Error openssl_error(std::string_view action) {
    return base::fail(base::Errc::internal, "{}: {}", action, openssl_reason());
}

base::Result<std::vector<X509Ptr>> read_certificates(std::string_view pem, std::size_t limit) {
    const auto bio = reader(pem);
    if (!bio) return openssl_error("read certificates");
    std::vector<X509Ptr> out;
    while (X509* found = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)) {
        out.emplace_back(found);
        if (out.size() > limit)
            return base::fail(
                    base::Errc::exhausted, "more than {} certificates, which is the limit", limit);
    }
    // The end of the text looks like an error; with no certificate before it, it is one.
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const auto reason = openssl_reason();
    if (out.empty() || !at_end)
        return base::fail(base::Errc::invalid, "not a certificate in PEM: {}", reason);
    return out;
}

base::Result<KeyPtr> read_key(std::string_view pem) {
    const auto bio = reader(pem);
    if (!bio) return openssl_error("read a key");
    KeyPtr out(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
    if (!out)
        return base::fail(
                base::Errc::invalid, "not a private key in PEM without a password: {}",
                openssl_reason());
    return out;
}

base::Result<std::string> to_pem(X509* certificate) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1)
        return openssl_error("write a certificate");
    return text_in(bio.get());
}

base::Result<std::string> to_pem(EVP_PKEY* key) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    // RSA keys in the form that software of the field has always found there.
    const bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
    const auto write = rsa ? PEM_write_bio_PrivateKey_traditional : write_pkcs8;
    if (!bio || write(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return openssl_error("write a key");
    return text_in(bio.get());
}

}  // namespace executor
