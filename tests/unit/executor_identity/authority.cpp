#include "authority.hpp"

#include "base/sys/file.hpp"

#include <fcntl.h>

#include <filesystem>
#include <system_error>

#include <catch2/catch.hpp>
#include <stdlib.h>

namespace test {

namespace {

executor::KeyPtr make_key(const std::string& kind) {
    if (kind == "rsa") return executor::KeyPtr(EVP_RSA_gen(2048));
    if (kind == "ed25519") return executor::KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    return executor::KeyPtr(EVP_EC_gen(kind.c_str()));
}

void add(X509* certificate, int field, const char* text) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, &context, field, text);
    REQUIRE(made != nullptr);
    X509_add_ext(certificate, made, -1);
    X509_EXTENSION_free(made);
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
    std::string pattern = "/tmp/identity-test-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;  // a leftover in the temporary directory is no finding
    std::filesystem::remove_all(path, ignored);
}

std::string TemporaryDirectory::file(const std::string& name, const std::string& text) const {
    const auto directory = base::sys::open_host(path, O_RDONLY | O_DIRECTORY).value();
    base::sys::write_atomic_at(directory, name, text, 0600, base::sys::Durable::no).value();
    return path + "/" + name;
}

Authority::Authority(const AuthorityShape& shape) {
    key = make_key(shape.key);
    certificate.reset(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 7);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), shape.seconds);
    auto* name = X509_get_subject_name(certificate.get());
    const void* text = shape.name.c_str();
    X509_NAME_add_entry_by_txt(
            name, "CN", MBSTRING_UTF8, static_cast<const unsigned char*>(text), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_set_pubkey(certificate.get(), key.get());
    add(certificate.get(), NID_basic_constraints,
        shape.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (shape.is_authority) add(certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    if (shape.key_identifier) add(certificate.get(), NID_subject_key_identifier, "hash");
    REQUIRE(X509_sign(
                    certificate.get(), key.get(), shape.key == "ed25519" ? nullptr : EVP_sha256()) >
            0);
    certificate_file = directory.file("ca.crt", executor::to_pem(certificate.get()).value());
    key_file = directory.file("ca.key", executor::to_pem(key.get()).value());
}

executor::IdentitySettings Authority::settings() const {
    return {.ca_certificate_file = certificate_file, .ca_key_file = key_file};
}

executor::Identity Authority::identity(
        executor::KeyType type, std::chrono::seconds validity) const {
    auto wanted = settings();
    wanted.key_type = type;
    wanted.validity = validity;
    return executor::Identity::open(wanted).value();
}

}  // namespace test
