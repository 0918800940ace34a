#include "executor/identity/identity.hpp"

#include "authority.hpp"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>
#include <openssl/pem.h>

using namespace executor;
using namespace std::chrono_literals;

namespace {

const WallTime kNow = std::chrono::system_clock::now();

Subject subject() {
    return {.guid = "0b7c1d7e-instance",
            .organizational_units = {"organization:o", "space:s", "app:a, with = signs\\"},
            .address = "10.254.0.6",
            .internal_routes = {"db.apps.internal", "0.db.apps.internal"}};
}

std::string text_of(const ASN1_STRING* text) {
    const void* data = ASN1_STRING_get0_data(text);
    return {static_cast<const char*>(data), static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> subject_fields(X509* certificate, int field) {
    std::vector<std::string> out;
    auto* name = X509_get_subject_name(certificate);
    for (int at = -1; (at = X509_NAME_get_index_by_NID(name, field, at)) >= 0;)
        out.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))));
    return out;
}

// "DNS:x" and "IP:<bytes in hexadecimal>", in the order written.
std::vector<std::string> alternative_names(X509* certificate) {
    std::vector<std::string> out;
    void* found = X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr);
    const NamesPtr names(static_cast<GENERAL_NAMES*>(found));
    for (int at = 0; names && at < sk_GENERAL_NAME_num(names.get()); ++at) {
        int type = 0;
        const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), at), &type);
        auto text = text_of(static_cast<const ASN1_STRING*>(value));
        if (type == GEN_DNS) out.push_back("DNS:" + text);
        if (type != GEN_IPADD) continue;
        std::string address("IP");
        for (const char byte : text)
            address += ":" + std::to_string(static_cast<unsigned char>(byte));
        out.push_back(address);
    }
    return out;
}

std::vector<X509Ptr> certificates_in(const Certificate& made) {
    return read_certificates(made.certificate, 16).value();
}

// Whether OpenSSL accepts the leaf below `authority` for `purpose` at `time`.
bool verifies(X509* leaf, X509* authority, int purpose, WallTime time) {
    const std::unique_ptr<X509_STORE, FreeBy<X509_STORE_free>> store(X509_STORE_new());
    X509_STORE_add_cert(store.get(), authority);
    const std::unique_ptr<X509_STORE_CTX, FreeBy<X509_STORE_CTX_free>> context(
            X509_STORE_CTX_new());
    X509_STORE_CTX_init(context.get(), store.get(), leaf, nullptr);
    X509_STORE_CTX_set_purpose(context.get(), purpose);
    X509_STORE_CTX_set_time(context.get(), 0, std::chrono::system_clock::to_time_t(time));
    X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_X509_STRICT);
    return X509_verify_cert(context.get()) == 1;
}

base::Error refused(const Subject& wrong) {
    static const test::Authority authority;
    const auto made = authority.identity().issue(wrong, kNow);
    REQUIRE_FALSE(made);
    return made.error();
}

}  // namespace

TEST_CASE("both certificates say who the instance is") {
    const test::Authority authority;
    const auto made = authority.identity().issue(subject(), kNow).value();
    for (const auto* one : {&made.instance, &made.internal_routes}) {
        const auto chain = certificates_in(*one);
        REQUIRE(chain.size() == 2);
        CHECK(X509_cmp(chain[1].get(), authority.certificate.get()) == 0);
        auto* leaf = chain[0].get();
        CHECK(subject_fields(leaf, NID_commonName) == std::vector{subject().guid});
        CHECK(subject_fields(leaf, NID_organizationalUnitName) == subject().organizational_units);
        CHECK(X509_NAME_entry_count(X509_get_subject_name(leaf)) == 4);
        const auto key = read_key(one->key).value();
        CHECK(X509_check_private_key(leaf, key.get()) == 1);
    }
    const auto instance = certificates_in(made.instance);
    CHECK(alternative_names(instance[0].get()) ==
          std::vector<std::string>{"DNS:0b7c1d7e-instance", "IP:10:254:0:6"});
    const auto routes = certificates_in(made.internal_routes);
    CHECK(alternative_names(routes[0].get()) ==
          std::vector<std::string>{
                  "DNS:0b7c1d7e-instance", "DNS:db.apps.internal", "DNS:0.db.apps.internal"});
    CHECK(made.instance.key != made.internal_routes.key);
}

TEST_CASE("OpenSSL verifies the chain for servers and clients and matches the names") {
    const test::Authority authority;
    const test::Authority stranger;
    const auto made = authority.identity().issue(subject(), kNow).value();
    for (const auto* one : {&made.instance, &made.internal_routes}) {
        const auto chain = certificates_in(*one);
        auto* leaf = chain[0].get();
        for (const int purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT}) {
            CHECK(verifies(leaf, authority.certificate.get(), purpose, kNow + 1min));
            CHECK_FALSE(verifies(leaf, stranger.certificate.get(), purpose, kNow + 1min));
            CHECK_FALSE(verifies(leaf, authority.certificate.get(), purpose, kNow + 25h));
            CHECK_FALSE(verifies(leaf, authority.certificate.get(), purpose, kNow - 1h));
        }
        CHECK(X509_check_host(leaf, subject().guid.c_str(), 0, 0, nullptr) == 1);
        // It may not sign others.
        CHECK(X509_check_ca(leaf) == 0);
    }
    const auto instance = certificates_in(made.instance);
    CHECK(X509_check_ip_asc(instance[0].get(), "10.254.0.6", 0) == 1);
    CHECK(X509_check_ip_asc(instance[0].get(), "10.254.0.7", 0) != 1);
    const auto routes = certificates_in(made.internal_routes);
    CHECK(X509_check_host(routes[0].get(), "db.apps.internal", 0, 0, nullptr) == 1);
    CHECK(X509_check_ip_asc(routes[0].get(), "10.254.0.6", 0) != 1);
}

TEST_CASE("usages and serial numbers are those of the field") {
    const test::Authority authority;
    const auto identity = authority.identity();
    std::set<std::string> serials;
    for (int i = 0; i < 8; ++i) {
        const auto made = identity.issue(subject(), kNow).value();
        serials.insert(made.instance.serial);
        serials.insert(made.internal_routes.serial);
        auto chain = certificates_in(made.instance);
        auto* leaf = chain[0].get();
        CHECK(X509_get_key_usage(leaf) ==
              (KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT));
        CHECK(X509_get_extended_key_usage(leaf) == (XKU_SSL_SERVER | XKU_SSL_CLIENT));
        CHECK(X509_get0_authority_key_id(leaf) != nullptr);
        BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), nullptr);
        CHECK_FALSE(BN_is_negative(number));
        char* digits = BN_bn2hex(number);
        const std::string shown(digits);
        OPENSSL_free(digits);
        BN_free(number);
        std::string expected = made.instance.serial;
        expected.erase(0, std::min(expected.find_first_not_of('0'), expected.size()));
        std::transform(expected.begin(), expected.end(), expected.begin(), ::toupper);
        CHECK(shown.substr(shown.find_first_not_of('0')) == expected);
    }
    CHECK(serials.size() == 16);
}

TEST_CASE("keys are of the curve unless RSA is asked for") {
    const test::Authority authority;
    const auto curve = authority.identity().issue(subject(), kNow).value();
    const auto curve_key = read_key(curve.instance.key).value();
    CHECK(EVP_PKEY_get_base_id(curve_key.get()) == EVP_PKEY_EC);
    CHECK(EVP_PKEY_get_bits(curve_key.get()) == 256);
    CHECK(curve.instance.key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    const auto rsa = authority.identity(KeyType::rsa3072).issue_for_routes(subject(), kNow).value();
    const auto rsa_key = read_key(rsa.key).value();
    CHECK(EVP_PKEY_get_base_id(rsa_key.get()) == EVP_PKEY_RSA);
    CHECK(EVP_PKEY_get_bits(rsa_key.get()) == 3072);
    CHECK(rsa.key.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    const auto chain = certificates_in(rsa);
    CHECK(verifies(chain[0].get(), authority.certificate.get(), X509_PURPOSE_SSL_SERVER, kNow));
    CHECK(parse_key_type("rsa3072").value() == KeyType::rsa3072);
    CHECK(parse_key_type("ecdsa_p256").value() == KeyType::ecdsa_p256);
    CHECK(parse_key_type("rsa").error().text == "key type 'rsa' is neither ecdsa_p256 nor rsa3072");
}

TEST_CASE("authorities of every kind of key can sign") {
    for (const char* kind : {"rsa", "ed25519", "P-384"}) {
        const test::Authority authority({.key = kind});
        const auto made = authority.identity().issue(subject(), kNow).value();
        const auto chain = certificates_in(made.instance);
        CHECK(verifies(chain[0].get(), authority.certificate.get(), X509_PURPOSE_SSL_CLIENT, kNow));
    }
    const test::Authority bare({.key_identifier = false});
    const auto made = bare.identity().issue(subject(), kNow).value();
    const auto chain = certificates_in(made.instance);
    CHECK(X509_get0_authority_key_id(chain[0].get()) == nullptr);
    CHECK(X509_verify(chain[0].get(), bare.key.get()) == 1);
}

TEST_CASE("validity is what was asked for and never beyond the authority") {
    const test::Authority authority({.seconds = 3600});
    const auto now = std::chrono::floor<std::chrono::seconds>(kNow);
    const auto brief = authority.identity(KeyType::ecdsa_p256, 600s);
    const auto made = brief.issue(subject(), kNow).value().instance;
    CHECK(made.not_before == now);
    CHECK(made.not_after == now + 600s);
    CHECK(rotation_time(made) == now + 525s);
    CHECK(brief.validity() == 600s);
    const auto cut = authority.identity().issue(subject(), kNow).value().instance;
    CHECK(cut.not_after <= std::chrono::system_clock::now() + 3600s);
    CHECK(cut.not_after > now + 3590s);
    const auto late = authority.identity().issue(subject(), kNow + 2h);
    REQUIRE_FALSE(late);
    CHECK(late.error().kind == base::Errc::unavailable);
    CHECK(late.error().text.find(authority.certificate_file) != std::string::npos);
}

TEST_CASE("revoked credentials verify and name nobody") {
    const test::Authority authority;
    const auto made = authority.identity().revoke(kNow).value();
    CHECK(made.instance.serial != made.internal_routes.serial);
    for (const auto* one : {&made.instance, &made.internal_routes}) {
        const auto chain = certificates_in(*one);
        auto* leaf = chain[0].get();
        CHECK(X509_NAME_entry_count(X509_get_subject_name(leaf)) == 0);
        CHECK(alternative_names(leaf).empty());
        CHECK(X509_verify(leaf, authority.key.get()) == 1);
        CHECK(X509_check_ip_asc(leaf, "10.254.0.6", 0) != 1);
        const auto key = read_key(one->key).value();
        CHECK(X509_check_private_key(leaf, key.get()) == 1);
    }
}

TEST_CASE("a subject may be long and foreign but not confusing") {
    const test::Authority authority;
    auto wide = subject();
    wide.guid = std::string(200, 'g');
    wide.organizational_units = {std::string(200, 'u'), "raum:Größe"};
    wide.address = "fd00::6";
    wide.internal_routes.clear();
    const auto made = authority.identity().issue(wide, kNow).value();
    const auto chain = certificates_in(made.instance);
    CHECK(subject_fields(chain[0].get(), NID_commonName) == std::vector{wide.guid});
    CHECK(subject_fields(chain[0].get(), NID_organizationalUnitName) == wide.organizational_units);
    CHECK(X509_check_ip_asc(chain[0].get(), "fd00::6", 0) == 1);
    const auto second = certificates_in(made.internal_routes);
    CHECK(alternative_names(second[0].get()) == std::vector{"DNS:" + wide.guid});

    CHECK(refused({}).text == "guid: 0 bytes, must be 1 to 253");
    auto wrong = subject();
    wrong.guid = std::string("good\0.evil", 10);
    CHECK(refused(wrong).kind == base::Errc::invalid);
    wrong = subject();
    wrong.guid = "a,IP:10.0.0.1";
    CHECK(refused(wrong).text ==
          "guid: 'a,IP:10.0.0.1' has other characters than letters, digits, - _ .");
    wrong = subject();
    wrong.internal_routes.push_back("*.apps.internal");
    CHECK(refused(wrong).text.starts_with("internal_routes: '*.apps.internal'"));
    wrong = subject();
    wrong.internal_routes.assign(257, "a.b");
    CHECK(refused(wrong).text == "internal_routes: 257, the limit is 256");
    wrong = subject();
    wrong.organizational_units.push_back("two\nlines");
    CHECK(refused(wrong).text == "organizational_unit: a control character");
    wrong = subject();
    wrong.address = "localhost";
    CHECK(refused(wrong).text == "address: 'localhost' is not an IP address");
}

TEST_CASE("bad authority files give errors that name the file") {
    const test::Authority good;
    const test::Authority other;
    const test::Authority leaf({.is_authority = false});
    const auto error_of = [](const IdentitySettings& settings) {
        const auto opened = Identity::open(settings);
        REQUIRE_FALSE(opened);
        return opened.error().text;
    };
    const auto names = [](const std::string& text, const std::string& file) {
        INFO(text);
        return text.find("'" + file + "'") != std::string::npos;
    };
    auto settings = good.settings();
    settings.ca_certificate_file = good.directory.path + "/none";
    CHECK(names(error_of(settings), settings.ca_certificate_file));
    for (const char* text :
         {"", "words", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
        settings = good.settings();
        settings.ca_certificate_file = good.directory.file("bad.crt", text);
        CHECK(names(error_of(settings), settings.ca_certificate_file));
        settings = good.settings();
        settings.ca_key_file = good.directory.file("bad.key", text);
        CHECK(names(error_of(settings), settings.ca_key_file));
    }
    settings = good.settings();
    settings.ca_key_file = other.key_file;
    CHECK(names(error_of(settings), good.certificate_file));
    CHECK(names(error_of(settings), other.key_file));
    CHECK(names(error_of(leaf.settings()), leaf.certificate_file));
    settings = good.settings();
    settings.validity = 0s;
    CHECK(error_of(settings) == "validity of instance certificates: 0 s, must be 1 to 315360000");
}

TEST_CASE("a key with a password is refused and nobody is asked") {
    const test::Authority good;
    const BioPtr bio(BIO_new(BIO_s_mem()));
    char password[] = "secret";
    REQUIRE(PEM_write_bio_PKCS8PrivateKey(
                    bio.get(), good.key.get(), EVP_aes_256_cbc(), password, 6, nullptr, nullptr) ==
            1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    auto settings = good.settings();
    settings.ca_key_file =
            good.directory.file("locked.key", std::string(data, static_cast<std::size_t>(size)));
    const auto opened = Identity::open(settings);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().text.find(settings.ca_key_file) != std::string::npos);
}

TEST_CASE("certificates above the authority travel with the leaf") {
    const test::Authority root;
    const test::Authority middle;
    auto settings = middle.settings();
    settings.ca_certificate_file = middle.directory.file(
            "chain.crt",
            to_pem(middle.certificate.get()).value() + to_pem(root.certificate.get()).value());
    const auto made = Identity::open(settings).value().issue(subject(), kNow).value();
    const auto chain = certificates_in(made.instance);
    REQUIRE(chain.size() == 3);
    CHECK(X509_cmp(chain[1].get(), middle.certificate.get()) == 0);
    CHECK(X509_cmp(chain[2].get(), root.certificate.get()) == 0);
}

TEST_CASE("rotation comes half an hour before the end or after seven eighths") {
    const WallTime issued{1'700'000'000s};
    CHECK(rotation_time(24h, issued) == issued + 23h + 30min);
    CHECK(rotation_time(4h + 1s, issued) == issued + 3h + 30min + 1s);
    CHECK(rotation_time(4h, issued) == issued + 3h + 30min);
    CHECK(rotation_time(1h, issued) == issued + 52min + 30s);
    CHECK(rotation_time(80s, issued) == issued + 70s);
    CHECK(rotation_time(1s, issued) == issued + 1s);
}
