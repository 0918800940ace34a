// SHA-256 of lines and Ed25519 signatures of checkpoints, by OpenSSL.
#include "base/fail.hpp"
#include "security/event_log_line.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

namespace security {

namespace {

using base::Errc;

constexpr std::size_t kMaxPem = 16 * 1024;
constexpr std::size_t kSignature = 64;
constexpr std::size_t kPublic = 32;

using Bio = std::unique_ptr<BIO, int (*)(BIO*)>;
using Context = std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)>;

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(2 * size);
    for (std::size_t i = 0; i < size; ++i) {
        out.push_back(kDigits[bytes[i] >> 4]);
        out.push_back(kDigits[bytes[i] & 15]);
    }
    return out;
}

std::string bytes_of(std::string_view digits) {
    std::string out;
    const auto value = [](char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; };
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
        out.push_back(static_cast<char>(value(digits[i]) * 16 + value(digits[i + 1])));
    return out;
}

const unsigned char* raw(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

base::Result<std::string> text_of(const Bio& bio, bool written) {
    char* data = nullptr;
    const auto size = written ? BIO_get_mem_data(bio.get(), &data) : 0L;
    if (size <= 0) return base::fail(Errc::internal, "write the key as PEM");
    return std::string(data, static_cast<std::size_t>(size));
}

Bio memory() {
    return {::BIO_new(::BIO_s_mem()), &::BIO_free};
}

}  // namespace

std::string line_hash(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    if (::EVP_Digest(text.data(), text.size(), bytes.data(), &size, ::EVP_sha256(), nullptr) != 1)
        base::panic("SHA-256 failed");
    return hexadecimal(bytes.data(), size);
}

struct EventKey::Handle {
    explicit Handle(EVP_PKEY* taken) : key(taken) {}

    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    ~Handle() { ::EVP_PKEY_free(key); }

    EVP_PKEY* key;
};

EventKey::EventKey(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {
    std::array<unsigned char, kPublic> bytes{};
    std::size_t size = bytes.size();
    if (::EVP_PKEY_get_raw_public_key(handle_->key, bytes.data(), &size) != 1)
        base::panic("an Ed25519 key has no public part");
    id_ = line_hash({reinterpret_cast<const char*>(bytes.data()), size}).substr(0, 16);
}

EventKey::EventKey(EventKey&&) noexcept = default;
EventKey& EventKey::operator=(EventKey&&) noexcept = default;
EventKey::~EventKey() = default;

base::Result<EventKey> EventKey::generate() {
    auto handle = std::make_unique<Handle>(::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    if (handle->key == nullptr) return base::fail(Errc::internal, "make an Ed25519 key");
    return EventKey(std::move(handle));
}

base::Result<EventKey> EventKey::parse(std::string_view pem) {
    if (pem.size() > kMaxPem) return base::fail(Errc::invalid, "key: over {} bytes", kMaxPem);
    const auto read = [&](auto* function) {
        const Bio bio(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &::BIO_free);
        // Never ask a terminal for a pass phrase.
        constexpr auto kNoPhrase = [](char*, int, int, void*) { return -1; };
        return bio ? function(bio.get(), nullptr, kNoPhrase, nullptr) : nullptr;
    };
    const bool is_private = pem.find("PRIVATE KEY") != std::string_view::npos;
    auto handle = std::make_unique<Handle>(
            is_private ? read(&::PEM_read_bio_PrivateKey) : read(&::PEM_read_bio_PUBKEY));
    if (handle->key == nullptr || ::EVP_PKEY_get_id(handle->key) != EVP_PKEY_ED25519)
        return base::fail(Errc::invalid, "key: not an Ed25519 key in PEM");
    return EventKey(std::move(handle));
}

base::Result<std::string> EventKey::private_pem() const {
    const auto bio = memory();
    const bool written =
            ::PEM_write_bio_PrivateKey(
                    bio.get(), handle_->key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
    return text_of(bio, written);
}

base::Result<std::string> EventKey::public_pem() const {
    const auto bio = memory();
    return text_of(bio, ::PEM_write_bio_PUBKEY(bio.get(), handle_->key) == 1);
}

base::Result<std::string> EventKey::sign(std::string_view text) const {
    const Context context(::EVP_MD_CTX_new(), &::EVP_MD_CTX_free);
    std::array<unsigned char, kSignature> bytes{};
    std::size_t size = bytes.size();
    if (::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, handle_->key) != 1 ||
        ::EVP_DigestSign(context.get(), bytes.data(), &size, raw(text), text.size()) != 1)
        return base::fail(Errc::internal, "sign a checkpoint");
    return hexadecimal(bytes.data(), size);
}

bool EventKey::verify(std::string_view text, std::string_view signature) const {
    if (signature.size() != 2 * kSignature ||
        signature.find_first_not_of("0123456789abcdef") != std::string_view::npos)
        return false;
    const auto bytes = bytes_of(signature);
    const Context context(::EVP_MD_CTX_new(), &::EVP_MD_CTX_free);
    return ::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, handle_->key) == 1 &&
           ::EVP_DigestVerify(context.get(), raw(bytes), bytes.size(), raw(text), text.size()) == 1;
}

}  // namespace security
