// One public key: from a JWK to OpenSSL, and what it says about a signature.
#include "base/base64.hpp"
#include "base/fail.hpp"
#include "base/json.hpp"
#include "brain/receptor/key_set.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

namespace brain::receptor {

namespace {

constexpr std::size_t kNumberBytes = 32;  // of P-256 and of Ed25519

template <auto free>
struct FreeBy {
    template <class T>
    void operator()(T* object) const {
        free(object);
    }
};

using Number = std::unique_ptr<BIGNUM, FreeBy<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreeBy<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreeBy<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeBy<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeBy<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, FreeBy<ECDSA_SIG_free>>;

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Number number(std::string_view big_endian) {
    return Number(BN_bin2bn(bytes(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

struct Jwk {
    std::string kty, kid, use, alg, crv, n, e, x, y;
    std::vector<std::string> key_ops;
};

base::Result<void> from_json(const base::json::Node& node, Jwk& v) {
    base::json::Fields fields(node);
    fields.required("kty", v.kty).optional("kid", v.kid).optional("use", v.use);
    fields.optional("alg", v.alg).optional("crv", v.crv).optional("n", v.n).optional("e", v.e);
    fields.optional("x", v.x).optional("y", v.y).optional("key_ops", v.key_ops);
    return fields.finish(base::json::Unknown::ignore);
}

EVP_PKEY* from_params(const char* type, OSSL_PARAM_BLD* builder) {
    const Params params(OSSL_PARAM_BLD_to_param(builder));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (params && context && EVP_PKEY_fromdata_init(context.get()) == 1)
        (void)EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get());
    ERR_clear_error();  // the queue belongs to the thread, which does other things afterwards
    return key;
}

EVP_PKEY* rsa_key(const Jwk& jwk) {
    const auto n = base::decode_base64url(jwk.n);
    const auto e = base::decode_base64url(jwk.e);
    if (!n || !e || n->size() > kMostRsaBits / 8 + 1 || e->empty() || e->size() > 8) return nullptr;
    const auto modulus = number(*n);
    const auto exponent = number(*e);
    const Builder builder(OSSL_PARAM_BLD_new());
    if (!modulus || !exponent || !builder) return nullptr;
    const int bits = BN_num_bits(modulus.get());
    if (bits < kLeastRsaBits || bits > kMostRsaBits || BN_is_odd(exponent.get()) == 0 ||
        BN_is_one(exponent.get()) == 1)
        return nullptr;
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
    return from_params("RSA", builder.get());
}

EVP_PKEY* ec_key(const Jwk& jwk) {
    const auto x = base::decode_base64url(jwk.x);
    const auto y = base::decode_base64url(jwk.y);
    const Builder builder(OSSL_PARAM_BLD_new());
    if (!x || !y || x->size() != kNumberBytes || y->size() != kNumberBytes || !builder)
        return nullptr;
    const auto point = "\x04" + *x + *y;
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(
            builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
    return from_params("EC", builder.get());
}

EVP_PKEY* ed25519_key(const Jwk& jwk) {
    const auto x = base::decode_base64url(jwk.x);
    if (!x || x->size() != kNumberBytes) return nullptr;
    auto* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(*x), x->size());
    ERR_clear_error();
    return key;
}

// The algorithm follows from the kind of key, never from what a token says (RFC 8725 §3.1).
KeyPtr make_key(const Jwk& jwk) {
    if (!jwk.use.empty() && jwk.use != "sig") return nullptr;
    bool may_verify = jwk.key_ops.empty();
    for (const auto& operation : jwk.key_ops) may_verify |= operation == "verify";
    if (!may_verify) return nullptr;
    const auto named = [&](Algorithm algorithm) {
        return jwk.alg.empty() || parse_algorithm(jwk.alg) == algorithm;
    };
    EVP_PKEY* key = nullptr;
    auto algorithm = Algorithm::rs256;
    if (jwk.kty == "RSA" && named(Algorithm::rs256)) {
        key = rsa_key(jwk);
    } else if (jwk.kty == "EC" && jwk.crv == "P-256" && named(Algorithm::es256)) {
        algorithm = Algorithm::es256;
        key = ec_key(jwk);
    } else if (jwk.kty == "OKP" && jwk.crv == "Ed25519" && named(Algorithm::eddsa)) {
        algorithm = Algorithm::eddsa;
        key = ed25519_key(jwk);
    }
    return key == nullptr ? nullptr : std::make_shared<const Key>(jwk.kid, algorithm, key);
}

// r and s, 32 bytes each, in the DER form that OpenSSL reads.
std::string to_der(std::string_view raw) {
    const Signature signature(ECDSA_SIG_new());
    auto r = number(raw.substr(0, kNumberBytes));
    auto s = number(raw.substr(kNumberBytes));
    if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.release(), s.release()) != 1)
        return {};
    unsigned char* der = nullptr;
    const int length = i2d_ECDSA_SIG(signature.get(), &der);
    if (length <= 0) return {};
    std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
    OPENSSL_free(der);
    return out;
}

}  // namespace

std::optional<Algorithm> parse_algorithm(std::string_view name) {
    if (name == "RS256") return Algorithm::rs256;
    if (name == "ES256") return Algorithm::es256;
    if (name == "EdDSA") return Algorithm::eddsa;
    return std::nullopt;
}

Key::Key(std::string id, Algorithm algorithm, EVP_PKEY* key)
    : id_(std::move(id)), algorithm_(algorithm), key_(key) {}

void Key::Free::operator()(EVP_PKEY* key) const {
    EVP_PKEY_free(key);
}

bool Key::verifies(std::string_view message, std::string_view signature) const {
    std::string der;
    if (algorithm_ == Algorithm::es256) {
        if (signature.size() != 2 * kNumberBytes) return false;
        der = to_der(signature);
        signature = der;
    }
    const DigestContext context(EVP_MD_CTX_new());
    const auto* digest = algorithm_ == Algorithm::eddsa ? nullptr : EVP_sha256();
    const bool good =
            context &&
            EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
            EVP_DigestVerify(
                    context.get(), bytes(signature), signature.size(), bytes(message),
                    message.size()) == 1;
    ERR_clear_error();
    return good;
}

base::Result<std::vector<KeyPtr>> parse_key_set(std::string_view json) {
    const auto document =
            TRY(base::json::Document::parse(json, {.bytes = kMaxKeySetBytes, .depth = 16}));
    const auto list = TRY(document.root().find("keys"));
    if (!list) return base::fail(base::Errc::invalid, "no member 'keys'");
    const auto nodes = TRY(list->elements(kMaxKeys));
    std::vector<KeyPtr> keys;
    for (const auto& node : nodes) {
        Jwk jwk;
        TRY(from_json(node, jwk));
        if (auto key = make_key(jwk)) keys.push_back(std::move(key));
    }
    if (keys.empty())
        return base::fail(base::Errc::invalid, "no key for RS256, ES256 or EdDSA signatures");
    return keys;
}

}  // namespace brain::receptor
