#include "rootfs/image/digest.hpp"

#include "base/fail.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace rootfs {

namespace {

bool is_lower_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
}

std::string_view as_text(const unsigned char* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

base::Result<Digest> parse_digest(std::string_view text) {
    const auto colon = text.find(':');
    const auto algorithm = text.substr(0, colon);
    const auto hex = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    std::size_t length = 0;
    if (algorithm == "sha256") length = 64;
    if (algorithm == "sha512") length = 128;
    if (length == 0 || hex.size() != length || !is_lower_hex(hex)) {
        return base::fail(
                base::Errc::invalid,
                "digest '{}' is not sha256:<64 hex digits> or sha512:<128 hex digits>",
                text.substr(0, 160));
    }
    return Digest(std::string(text));
}

std::string_view algorithm_of(const Digest& digest) {
    return std::string_view(digest.get()).substr(0, digest.get().find(':'));
}

std::string_view hex_of(const Digest& digest) {
    return std::string_view(digest.get()).substr(digest.get().find(':') + 1);
}

struct Hasher::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    const EVP_MD* algorithm = nullptr;
    std::string_view name;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    ~State() { EVP_MD_CTX_free(context); }

    void start() {
        if (context == nullptr || EVP_DigestInit_ex(context, algorithm, nullptr) != 1) {
            base::panic("libcrypto has no SHA-2");
        }
    }
};

Hasher::Hasher(const Digest& digest) : state_(std::make_unique<State>()) {
    const bool wide = algorithm_of(digest) == "sha512";
    state_->algorithm = wide ? EVP_sha512() : EVP_sha256();
    state_->name = wide ? "sha512:" : "sha256:";
    state_->start();
}

Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::string_view data) {
    if (EVP_DigestUpdate(state_->context, data.data(), data.size()) != 1)
        base::panic("hash update failed");
}

Digest Hasher::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    if (EVP_DigestFinal_ex(state_->context, bytes.data(), &size) != 1)
        base::panic("hash end failed");
    std::string text(state_->name);
    text += to_hex(as_text(bytes.data(), size));
    state_->start();
    return Digest(std::move(text));
}

Digest sha256(std::string_view data) {
    Hasher hasher;
    hasher.update(data);
    return hasher.finish();
}

std::string to_hex(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto value = static_cast<unsigned char>(c);
        out += kDigits[value >> 4U];
        out += kDigits[value & 15U];
    }
    return out;
}

std::string keyed_hash(std::string_view key, std::string_view data) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    const auto* input = reinterpret_cast<const unsigned char*>(data.data());
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), input, data.size(),
             bytes.data(), &size) == nullptr) {
        base::panic("libcrypto has no HMAC");
    }
    return to_hex(as_text(bytes.data(), size));
}

}  // namespace rootfs
