#include "executor/identity/identity.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "executor/identity/leaf.hpp"
#include "executor/identity/openssl.hpp"

#include <time.h>

#include <algorithm>
#include <utility>

#include <openssl/crypto.h>

namespace executor {

namespace {

constexpr std::size_t kMaxPemFile = std::size_t{256} << 10;
constexpr std::chrono::hours kMaxValidity{24 * 3650};

base::Result<WallTime> time_of(const ASN1_TIME* time) {
    ::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return openssl_error("read a time of validity");
    return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

base::Result<WallTime> end_of(X509* certificate) {
    return time_of(X509_get0_notAfter(certificate));
}

base::Result<std::vector<X509Ptr>> load_certificates(const std::string& file) {
    const auto pem = TRY(base::sys::read_host_file(file, kMaxPemFile));
    auto out = TRY(read_certificates(pem, kMaxAuthorityCertificates));
    if (X509_check_ca(out.front().get()) == 0)
        return base::fail(
                base::Errc::invalid, "the certificate is not one of an authority (CA:TRUE)");
    return out;
}

base::Result<KeyPtr> load_key(const std::string& file) {
    auto pem = TRY(base::sys::read_host_file(file, kMaxPemFile));
    auto key = read_key(pem);
    OPENSSL_cleanse(pem.data(), pem.size());
    return key;
}

}  // namespace

base::Result<KeyType> parse_key_type(std::string_view word) {
    for (const auto type : {KeyType::ecdsa_p256, KeyType::rsa3072}) {
        if (to_string(type) == word) return type;
    }
    return base::fail(
            base::Errc::invalid, "key type '{}' is neither ecdsa_p256 nor rsa3072",
            word.substr(0, 64));
}

std::string_view to_string(KeyType type) {
    switch (type) {
        case KeyType::ecdsa_p256:
            return "ecdsa_p256";
        case KeyType::rsa3072:
            return "rsa3072";
    }
    return "";
}

struct Identity::Authority {
    IdentitySettings settings;
    X509Ptr certificate;
    KeyPtr key;
    std::string pem;  // of the certificate and those above it
    WallTime end;

    base::Result<WallTime> end_from(WallTime now) const;
    base::Result<Certificate> issue(Leaf leaf, WallTime now) const;
};

// A leaf that outlived its authority would fail before its time; rotation must know the real end.
base::Result<WallTime> Identity::Authority::end_from(WallTime now) const {
    if (end <= now)
        return base::fail(
                base::Errc::unavailable, "the authority '{}' has expired at {}",
                settings.ca_certificate_file, base::to_rfc3339(end));
    return std::min(now + settings.validity, end);
}

base::Result<Certificate> Identity::Authority::issue(Leaf leaf, WallTime now) const {
    // Certificates know whole seconds.
    leaf.not_before = std::chrono::floor<std::chrono::seconds>(now);
    leaf.not_after = TRY(end_from(leaf.not_before));
    return make_certificate(leaf, settings.key_type, certificate.get(), key.get(), pem);
}

base::Result<Identity> Identity::open(const IdentitySettings& settings) {
    if (settings.validity <= std::chrono::seconds(0) || settings.validity > kMaxValidity)
        return base::fail(
                base::Errc::invalid, "validity of instance certificates: {} s, must be 1 to {}",
                settings.validity.count(), std::chrono::seconds(kMaxValidity).count());
    auto authority = std::make_unique<Authority>();
    authority->settings = settings;
    const auto& file = settings.ca_certificate_file;
    const auto named = base::format("authority of instance certificates '{}'", file);
    auto chain = TRY(load_certificates(file).context(named));
    for (const auto& one : chain) authority->pem += TRY(to_pem(one.get()));
    const auto& key_file = settings.ca_key_file;
    authority->key = TRY(load_key(key_file).context(
            base::format("key of the authority of instance certificates '{}'", key_file)));
    authority->end = TRY(end_of(chain.front().get()).context(named));
    authority->certificate = std::move(chain.front());
    if (X509_check_private_key(authority->certificate.get(), authority->key.get()) != 1)
        return base::fail(
                base::Errc::invalid, "key '{}' does not belong to the authority '{}': {}", key_file,
                file, openssl_reason());
    return Identity(std::move(authority));
}

Identity::Identity(std::unique_ptr<const Authority> authority) : authority_(std::move(authority)) {}

Identity::Identity(Identity&&) noexcept = default;
Identity& Identity::operator=(Identity&&) noexcept = default;
Identity::~Identity() = default;

base::Result<Credentials> Identity::issue(const Subject& subject, WallTime now) const {
    TRY(check_subject(subject));
    Leaf leaf{
            .common_name = subject.guid,
            .organizational_units = subject.organizational_units,
            .dns_names = {subject.guid},
            .address = subject.address};
    Credentials out;
    out.instance = TRY(authority_->issue(std::move(leaf), now));
    out.internal_routes = TRY(issue_for_routes(subject, now));
    return out;
}

base::Result<Certificate> Identity::issue_for_routes(const Subject& subject, WallTime now) const {
    TRY(check_subject(subject));
    Leaf leaf{
            .common_name = subject.guid,
            .organizational_units = subject.organizational_units,
            .dns_names = {subject.guid}};
    leaf.dns_names.insert(
            leaf.dns_names.end(), subject.internal_routes.begin(), subject.internal_routes.end());
    return authority_->issue(std::move(leaf), now);
}

base::Result<Credentials> Identity::revoke(WallTime now) const {
    Credentials out;
    out.instance = TRY(authority_->issue(Leaf{}, now));
    out.internal_routes = TRY(authority_->issue(Leaf{}, now));
    return out;
}

base::Result<WallTime> Identity::rotation_of(
        std::string_view certificate, std::string_view key) const {
    const auto chain = TRY(read_certificates(certificate, kMaxAuthorityCertificates + 1));
    const auto pair = TRY(read_key(key));
    auto* leaf = chain.front().get();
    if (X509_verify(leaf, authority_->key.get()) != 1)
        return openssl_error("certificate of this authority");
    if (X509_check_private_key(leaf, pair.get()) != 1)
        return openssl_error("key of this certificate");
    Certificate found;
    found.not_before = TRY(time_of(X509_get0_notBefore(leaf)));
    found.not_after = TRY(end_of(leaf));
    return rotation_time(found);
}

std::chrono::seconds Identity::validity() const {
    return authority_->settings.validity;
}

}  // namespace executor
