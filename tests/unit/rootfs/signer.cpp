#include "tests/unit/rootfs/signer.hpp"

#include "base/fail.hpp"
#include "rootfs/trust/cosign.hpp"

#include <catch2/catch.hpp>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace signer {

namespace {

EVP_PKEY* make(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::p256:
            return EVP_EC_gen("P-256");
        case Algorithm::p521:
            return EVP_EC_gen("P-521");
        case Algorithm::rsa:
            return EVP_RSA_gen(2048);
        case Algorithm::ed25519:
            return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    }
    return nullptr;
}

}  // namespace

Key::Key(Algorithm algorithm) : key_(make(algorithm), &EVP_PKEY_free) {
    REQUIRE(key_ != nullptr);
}

std::string Key::pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
    REQUIRE(PEM_write_bio_PUBKEY(out.get(), key_.get()) == 1);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(out.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

std::string Key::sign(const std::string& message) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
            EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    const bool pure = EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519;
    REQUIRE(EVP_DigestSignInit(
                    context.get(), nullptr, pure ? nullptr : EVP_sha256(), nullptr, key_.get()) ==
            1);
    std::string out(1024, '\0');
    std::size_t size = out.size();
    REQUIRE(EVP_DigestSign(
                    context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                    reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1);
    out.resize(size);
    return out;
}

std::string base64(const std::string& bytes) {
    std::string out(bytes.size() * 2 + 8, '\0');
    const int size = EVP_EncodeBlock(
            reinterpret_cast<unsigned char*>(out.data()),
            reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::string statement(const std::string& reference, const std::string& digest) {
    return R"({"critical":{"identity":{"docker-reference":")" + reference +
           R"("},"image":{"docker-manifest-digest":")" + digest +
           R"("},"type":"cosign container image signature"},"optional":null})";
}

void Shelf::add(
        const rootfs::Digest& image, const std::string& payload, const std::string& signature) {
    const auto digest = rootfs::sha256(payload).get();
    blobs[digest] = payload;
    auto& layers = layers_[image.get()];
    if (!layers.empty()) layers += ",";
    layers += R"({"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":)" +
              std::to_string(payload.size()) + R"(,"digest":")" + digest +
              R"(","annotations":{"dev.cosignproject.cosign/signature":")" + base64(signature) +
              R"("}})";
    manifests[rootfs::trust::signature_tag(image)] =
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
            R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,)"
            R"("digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},)"
            R"("layers":[)" +
            layers + "]}";
}

base::Result<std::optional<std::string>> Shelf::manifest(const std::string& tag) {
    ++asked;
    if (down) return base::fail(base::Errc::unavailable, "the registry does not answer");
    const auto found = manifests.find(tag);
    if (found == manifests.end()) return std::optional<std::string>{};
    return std::optional(found->second);
}

base::Result<std::string> Shelf::blob(const rootfs::Digest& digest, std::uint64_t) {
    const auto found = blobs.find(digest.get());
    if (found == blobs.end()) return base::fail(base::Errc::not_found, "no blob {}", digest.get());
    return found->second;
}

base::Result<std::optional<std::string>> Shelf::lookaside(
        const std::string& base, const std::string& path) {
    ++asked;
    const auto found = detached.find(base + "/" + path);
    if (found == detached.end()) return std::optional<std::string>{};
    return std::optional(found->second);
}

}  // namespace signer
