#include "executor/registry/sign.hpp"

#include "executor/fetch/digests.hpp"

#include <array>
#include <ctime>
#include <string_view>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace executor {

namespace {

std::string sha256_hex(std::string_view text) {
    Digests digests({"sha256"});
    digests.add(text);
    return to_hex(digests.finish().at("sha256"));
}

std::string hmac(std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned int size = 0;
    (void)::HMAC(
            EVP_sha256(), key.data(), static_cast<int>(key.size()),
            reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &size);
    return {reinterpret_cast<const char*>(out.data()), size};
}

}  // namespace

std::string aws_time(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    (void)::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
    return {text.data(), size};
}

std::string aws_authorization(const AwsRequest& request, const AwsKeys& keys) {
    const auto& time = request.headers.at("x-amz-date");
    const auto day = time.substr(0, 8);
    const auto scope = day + "/" + keys.region + "/" + keys.service + "/aws4_request";
    // No query: nothing that we ask has one.
    auto canonical = request.method + "\n" + request.path + "\n\n";
    std::string names;
    for (const auto& [name, value] : request.headers) {
        canonical += name + ":" + value + "\n";
        names += (names.empty() ? "" : ";") + name;
    }
    canonical += "\n" + names + "\n" + sha256_hex(request.body);
    const auto text = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + sha256_hex(canonical);
    std::string key = "AWS4" + keys.secret;
    for (const auto& part : {day, keys.region, keys.service, std::string("aws4_request")})
        key = hmac(key, part);
    return "AWS4-HMAC-SHA256 Credential=" + keys.id + "/" + scope + ", SignedHeaders=" + names +
           ", Signature=" + to_hex(hmac(key, text));
}

}  // namespace executor
