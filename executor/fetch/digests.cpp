#include "executor/fetch/digests.hpp"

#include "base/error.hpp"

#include <array>

#include <openssl/evp.h>

namespace executor {

struct Digests::Context {
    struct Free {
        void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
    };

    std::string name;
    std::unique_ptr<EVP_MD_CTX, Free> state;
};

Digests::Digests(const std::vector<std::string_view>& algorithms) {
    for (const auto name : algorithms) {
        const EVP_MD* kind = nullptr;
        if (name == "md5") kind = ::EVP_md5();
        if (name == "sha1") kind = ::EVP_sha1();
        if (name == "sha256") kind = ::EVP_sha256();
        if (kind == nullptr) continue;
        Context context{.name = std::string(name), .state = {}};
        context.state.reset(::EVP_MD_CTX_new());
        if (!context.state || ::EVP_DigestInit_ex(context.state.get(), kind, nullptr) != 1)
            base::panic("a digest is not available");
        contexts_.push_back(std::move(context));
    }
}

Digests::~Digests() = default;

void Digests::add(std::string_view bytes) {
    for (const auto& context : contexts_)
        if (::EVP_DigestUpdate(context.state.get(), bytes.data(), bytes.size()) != 1)
            base::panic("a digest failed");
}

std::map<std::string, std::string> Digests::finish() {
    std::map<std::string, std::string> out;
    for (const auto& context : contexts_) {
        std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
        unsigned size = 0;
        if (::EVP_DigestFinal_ex(context.state.get(), raw.data(), &size) != 1)
            base::panic("a digest failed");
        out[context.name] = std::string(reinterpret_cast<const char*>(raw.data()), size);
    }
    return out;
}

std::string to_hex(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        out += kDigits[static_cast<unsigned char>(c) >> 4U];
        out += kDigits[static_cast<unsigned char>(c) & 15U];
    }
    return out;
}

std::string to_base64(std::string_view bytes) {
    std::string coded((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
    auto* to = reinterpret_cast<unsigned char*>(coded.data());
    coded.resize(
            static_cast<std::size_t>(::EVP_EncodeBlock(to, from, static_cast<int>(bytes.size()))));
    return coded;
}

}  // namespace executor
