#include "rootfs/trust/public_key.hpp"

#include "base/fail.hpp"
#include "rootfs/image/digest.hpp"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace rootfs::trust {

namespace {

base::Result<void> check_strength(EVP_PKEY* key, std::string_view what) {
    const int kind = EVP_PKEY_get_base_id(key);
    if (kind == EVP_PKEY_ED25519) return base::ok;
    if (kind == EVP_PKEY_RSA) {
        const int bits = EVP_PKEY_get_bits(key);
        if (bits >= kLeastRsaBits && bits <= kMostRsaBits) return base::ok;
        return base::fail(
                base::Errc::invalid, "{}: an RSA key of {} bits, allowed are {} to {}", what, bits,
                kLeastRsaBits, kMostRsaBits);
    }
    if (kind == EVP_PKEY_EC) {
        char curve[64] = {};
        std::size_t length = 0;
        if (EVP_PKEY_get_utf8_string_param(
                    key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve, &length) == 1) {
            const std::string_view name(curve, length);
            if (name == "prime256v1" || name == "secp384r1") return base::ok;
        }
        return base::fail(
                base::Errc::unsupported, "{}: the curve {} is not supported (hint: use P-256)",
                what, curve);
    }
    const char* name = EVP_PKEY_get0_type_name(key);
    return base::fail(
            base::Errc::unsupported, "{}: {} keys are not supported (hint: use ECDSA P-256)", what,
            name == nullptr ? "such" : name);
}

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

void PublicKey::Free::operator()(EVP_PKEY* key) const {
    EVP_PKEY_free(key);
}

base::Result<PublicKey> PublicKey::parse(std::string_view pem, std::string_view what) {
    if (pem.size() > kMaxKeyBytes) {
        return base::fail(
                base::Errc::exhausted, "{}: {} bytes, the limit is {}", what, pem.size(),
                kMaxKeyBytes);
    }
    const std::unique_ptr<BIO, decltype(&BIO_free)> source(
            BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
    PublicKey out;
    if (source) out.key_.reset(PEM_read_bio_PUBKEY(source.get(), nullptr, nullptr, nullptr));
    ERR_clear_error();  // the queue belongs to the thread, which does other things afterwards
    if (!out.key_) {
        return base::fail(
                base::Errc::invalid, "{}: no public key in PEM (hint: cosign public-key)", what);
    }
    TRY(check_strength(out.key_.get(), what));
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(out.key_.get(), &der);
    if (length <= 0) return base::fail(base::Errc::invalid, "{}: the key has no DER form", what);
    out.id_ = sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(length)}).get();
    OPENSSL_free(der);
    return out;
}

bool PublicKey::verifies(std::string_view message, std::string_view signature) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
            EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    const bool pure = EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519;
    const bool good = context != nullptr &&
                      EVP_DigestVerifyInit(
                              context.get(), nullptr, pure ? nullptr : EVP_sha256(), nullptr,
                              key_.get()) == 1 &&
                      EVP_DigestVerify(
                              context.get(), bytes(signature), signature.size(), bytes(message),
                              message.size()) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace rootfs::trust
