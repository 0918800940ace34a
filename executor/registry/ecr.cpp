#include "executor/registry/ecr.hpp"

#include "base/fail.hpp"
#include "base/http/client.hpp"
#include "base/json.hpp"
#include "executor/registry/sign.hpp"

#include <algorithm>

#include <openssl/evp.h>

namespace executor {

namespace {

using base::Errc;
using base::fail;

constexpr std::size_t kMaxAnswer = 64 * 1024;
constexpr std::size_t kAccountDigits = 12;
constexpr std::string_view kTarget = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";

bool is_region(std::string_view text) {
    return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0) return std::nullopt;
    std::string out(text.size() / 4 * 3, '\0');
    const int size = ::EVP_DecodeBlock(
            reinterpret_cast<unsigned char*>(out.data()),
            reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size < 0) return std::nullopt;
    // The decoder counts what only fills up the last block.
    const auto filling =
            static_cast<std::size_t>(std::ranges::count(text.substr(text.size() - 2), '='));
    out.resize(static_cast<std::size_t>(size) - filling);
    return out;
}

struct Answer {
    struct Data {
        std::string token;
    };

    std::vector<Data> data;
};

base::Result<void> from_json(const base::json::Node& node, Answer::Data& v) {
    base::json::Fields fields(node);
    fields.required("authorizationToken", v.token);
    return fields.finish(base::json::Unknown::ignore);
}

base::Result<void> from_json(const base::json::Node& node, Answer& v) {
    base::json::Fields fields(node);
    fields.required("authorizationData", v.data);
    return fields.finish(base::json::Unknown::ignore);
}

struct Refusal {
    std::string type;
};

base::Result<void> from_json(const base::json::Node& node, Refusal& v) {
    base::json::Fields fields(node);
    fields.optional("__type", v.type);
    return fields.finish(base::json::Unknown::ignore);
}

// "com.amazon…#UnrecognizedClientException": its name alone. The message may quote what was sent.
std::string reason_of(const base::http::ClientResponse& response) {
    auto read = base::json::decode<Refusal>(response.body);
    if (!read) return {};
    const auto name = read->type.substr(read->type.rfind('#') + 1);
    const bool plain = std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    });
    return plain && !name.empty() ? ": " + name.substr(0, 64) : std::string();
}

base::Result<Login> login_of(const std::string& body) {
    const auto answer = TRY(base::json::decode<Answer>(body));
    if (answer.data.empty()) return fail(Errc::unavailable, "the answer has no token");
    const auto text = from_base64(answer.data.front().token);
    const auto colon = text ? text->find(':') : std::string::npos;
    if (colon == std::string::npos)
        return fail(Errc::unavailable, "the token is not USER:PASSWORD in base64");
    return Login{.username = text->substr(0, colon), .password = text->substr(colon + 1)};
}

}  // namespace

std::optional<EcrHost> ecr_host(std::string_view rootfs) {
    if (!take_prefix(rootfs, "docker://")) return std::nullopt;
    auto host = rootfs.substr(0, rootfs.find('/'));
    const auto account = host.substr(0, std::min(host.find('.'), host.size()));
    if (account.size() != kAccountDigits ||
        !std::ranges::all_of(account, [](char c) { return c >= '0' && c <= '9'; }))
        return std::nullopt;
    host.remove_prefix(account.size());
    if (!take_prefix(host, ".dkr.ecr")) return std::nullopt;
    const bool fips = take_prefix(host, "-fips");
    if (!take_prefix(host, ".")) return std::nullopt;
    const auto region = host.substr(0, std::min(host.find('.'), host.size()));
    const auto domain = host.substr(region.size());
    if (!is_region(region) || (domain != ".amazonaws.com" && domain != ".amazonaws.com.cn"))
        return std::nullopt;
    return EcrHost{
            .region = std::string(region),
            .api = base::format("https://{}.{}{}", fips ? "ecr-fips" : "api.ecr", region, domain)};
}

base::Result<Login> EcrLogins::exchange(std::string_view rootfs, const Login& given) {
    const auto host = ecr_host(rootfs);
    if (!host || given.username.empty()) return given;
    auto endpoint = TRY(
            base::http::Endpoint::parse(config_.endpoint.empty() ? host->api : config_.endpoint));
    endpoint.tls.ca = config_.ca_file;
    AwsRequest request{
            .headers =
                    {{"content-type", "application/x-amz-json-1.1"},
                     {"host", endpoint.host},
                     {"x-amz-date", aws_time(clock_.wall())},
                     {"x-amz-target", std::string(kTarget)}},
            .body = "{}"};
    const auto authorization = aws_authorization(
            request, {.id = given.username,
                      .secret = given.password,
                      .region = host->region,
                      .service = "ecr"});
    base::http::Client client(
            {.endpoint = endpoint, .connect_timeout = config_.timeout, .idle_connections = 0});
    base::http::ClientRequest ask{.method = "POST", .target = "/", .body = request.body};
    for (const auto& [name, value] : request.headers) ask.headers.set(name, value);
    ask.headers.set("authorization", authorization);
    ask.timeout = config_.timeout;
    const auto what = base::format("login at the registry of {}", endpoint.text());
    const auto response = TRY(client.call(std::move(ask), kMaxAnswer).context(what));
    if (!response.good())
        return fail(
                response.status >= 500 ? Errc::unavailable : Errc::denied, "{}: status {}{}", what,
                response.status, reason_of(response));
    return login_of(response.body).context(what);
}

}  // namespace executor
