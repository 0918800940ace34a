#include "executor/identity/leaf.hpp"

#include "base/uuid.hpp"

#include <algorithm>
#include <utility>

#include <openssl/bn.h>
#include <openssl/rsa.h>

namespace executor {

namespace {

using NumberPtr = std::unique_ptr<BIGNUM, FreeBy<BN_free>>;
using StringPtr = std::unique_ptr<ASN1_STRING, FreeBy<ASN1_STRING_free>>;
using AddressPtr = std::unique_ptr<ASN1_OCTET_STRING, FreeBy<ASN1_OCTET_STRING_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreeBy<X509_EXTENSION_free>>;
using NamePtr = std::unique_ptr<GENERAL_NAME, FreeBy<GENERAL_NAME_free>>;

KeyPtr make_key(KeyType type) {
    switch (type) {
        case KeyType::ecdsa_p256:
            return KeyPtr(EVP_EC_gen("P-256"));
        case KeyType::rsa3072:
            return KeyPtr(EVP_RSA_gen(3072));
    }
    return nullptr;
}

// A random number of 122 bits, as UUIDs have: never the same twice, and not to be guessed before
// the certificate is signed.
base::Result<std::string> set_serial(X509* certificate) {
    auto digits = base::random_uuid();
    digits.erase(std::remove(digits.begin(), digits.end(), '-'), digits.end());
    BIGNUM* raw = nullptr;
    const bool read = BN_hex2bn(&raw, digits.c_str()) > 0;
    const NumberPtr number(raw);
    if (!read || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr)
        return openssl_error("set the serial number");
    return digits;
}

base::Result<void> add_to_name(X509_NAME* name, int field, const std::string& text) {
    const void* bytes = text.data();
    // The type is given, and not left to OpenSSL, since that would refuse what is longer than 64
    // characters: guids of tasks may be.
    if (X509_NAME_add_entry_by_NID(
                name, field, V_ASN1_UTF8STRING, static_cast<const unsigned char*>(bytes),
                static_cast<int>(text.size()), -1, 0) != 1)
        return openssl_error("name the subject");
    return base::ok;
}

base::Result<void> set_subject(X509* certificate, const Leaf& leaf) {
    auto* name = X509_get_subject_name(certificate);
    for (const auto& unit : leaf.organizational_units)
        TRY(add_to_name(name, NID_organizationalUnitName, unit));
    if (!leaf.common_name.empty()) TRY(add_to_name(name, NID_commonName, leaf.common_name));
    return base::ok;
}

// Takes `value`.
base::Result<void> add_name(GENERAL_NAMES* names, int type, ASN1_STRING* value) {
    NamePtr name(GENERAL_NAME_new());
    if (!name) {
        ASN1_STRING_free(value);
        return openssl_error("name the subject");
    }
    GENERAL_NAME_set0_value(name.get(), type, value);
    if (sk_GENERAL_NAME_push(names, name.get()) <= 0) return openssl_error("name the subject");
    (void)name.release();  // the list has it
    return base::ok;
}

// The names one by one as values, never as OpenSSL's configuration text: in that, a comma or a line
// end in a guid would begin another name.
base::Result<void> add_alternative_names(X509* certificate, const Leaf& leaf) {
    if (leaf.dns_names.empty() && leaf.address.empty()) return base::ok;
    const NamesPtr names(GENERAL_NAMES_new());
    if (!names) return openssl_error("name the subject");
    for (const auto& text : leaf.dns_names) {
        StringPtr value(ASN1_STRING_type_new(V_ASN1_IA5STRING));
        if (!value || ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1)
            return openssl_error("name the subject");
        TRY(add_name(names.get(), GEN_DNS, value.release()));
    }
    if (!leaf.address.empty()) {
        AddressPtr value(a2i_IPADDRESS(leaf.address.c_str()));
        if (!value) return openssl_error("name the subject");
        TRY(add_name(names.get(), GEN_IPADD, value.release()));
    }
    if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) !=
        1)
        return openssl_error("name the subject");
    return base::ok;
}

base::Result<void> add_extension(
        X509* certificate, X509V3_CTX* context, int field, const char* text) {
    const ExtensionPtr made(X509V3_EXT_conf_nid(nullptr, context, field, text));
    if (!made || X509_add_ext(certificate, made.get(), -1) != 1)
        return openssl_error("add an extension");
    return base::ok;
}

base::Result<void> add_extensions(X509* certificate, X509* authority) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, authority, certificate, nullptr, nullptr, 0);
    TRY(add_extension(certificate, &context, NID_basic_constraints, "critical,CA:FALSE"));
    TRY(add_extension(
            certificate, &context, NID_key_usage,
            "critical,digitalSignature,keyEncipherment,keyAgreement"));
    TRY(add_extension(certificate, &context, NID_ext_key_usage, "clientAuth,serverAuth"));
    TRY(add_extension(certificate, &context, NID_subject_key_identifier, "hash"));
    // An authority without an identifier of its key is found by its name.
    if (X509_get0_subject_key_id(authority) != nullptr)
        TRY(add_extension(certificate, &context, NID_authority_key_identifier, "keyid"));
    return base::ok;
}

base::Result<void> set_times(X509* certificate, const Leaf& leaf) {
    const auto begin = std::chrono::system_clock::to_time_t(leaf.not_before);
    const auto end = std::chrono::system_clock::to_time_t(leaf.not_after);
    if (ASN1_TIME_set(X509_getm_notBefore(certificate), begin) == nullptr ||
        ASN1_TIME_set(X509_getm_notAfter(certificate), end) == nullptr)
        return openssl_error("set the time of validity");
    return base::ok;
}

// Edwards curves bring their own digest, and OpenSSL refuses another.
const EVP_MD* digest_for(const EVP_PKEY* key) {
    const int type = EVP_PKEY_get_base_id(key);
    return type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448 ? nullptr : EVP_sha256();
}

}  // namespace

base::Result<Certificate> make_certificate(
        const Leaf& leaf,
        KeyType type,
        X509* authority,
        EVP_PKEY* authority_key,
        const std::string& authority_pem) {
    const auto key = make_key(type);
    if (!key) return openssl_error("make a key");
    const X509Ptr made(X509_new());
    if (!made || X509_set_version(made.get(), X509_VERSION_3) != 1 ||
        X509_set_issuer_name(made.get(), X509_get_subject_name(authority)) != 1 ||
        X509_set_pubkey(made.get(), key.get()) != 1)
        return openssl_error("make a certificate");
    Certificate out{.not_before = leaf.not_before, .not_after = leaf.not_after};
    out.serial = TRY(set_serial(made.get()));
    TRY(set_subject(made.get(), leaf));
    TRY(set_times(made.get(), leaf));
    TRY(add_extensions(made.get(), authority));
    TRY(add_alternative_names(made.get(), leaf));
    if (X509_sign(made.get(), authority_key, digest_for(authority_key)) <= 0)
        return openssl_error("sign a certificate");
    out.certificate = TRY(to_pem(made.get()));
    out.certificate += authority_pem;
    out.key = TRY(to_pem(key.get()));
    return out;
}

}  // namespace executor
