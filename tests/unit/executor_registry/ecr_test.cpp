// The exchange with a server on loopback that speaks as AWS does and checks the signature.
#include "executor/registry/ecr.hpp"

#include "base/http/server.hpp"
#include "executor/registry/sign.hpp"

#include <mutex>

#include <catch2/catch.hpp>

namespace {

using base::http::Request;
using base::http::Response;
using executor::EcrLogins;
using executor::Login;

constexpr auto kImage = "docker://123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app#1";
const Login kAccount{.username = "AKIDTEST", .password = "the secret key of it"};
// "AWS:token-of-some-hours"
constexpr auto kToken = "QVdTOnRva2VuLW9mLXNvbWUtaG91cnM=";

class Aws {
  public:
    Response response = Response::json(
            std::string(R"({"authorizationData":[{"authorizationToken":")") + kToken +
            R"(","expiresAt":1.5E9,"proxyEndpoint":"https://x"}]})");
    int calls = 0;
    bool well_signed = false;

    Aws() {
        base::http::ServerConfig config;
        config.endpoints = {base::http::Endpoint::parse("tcp://127.0.0.1:0").value()};
        server_ = base::http::Server::start(std::move(config), [this](Request& r) {
                      return answer(r);
                  }).value();
    }

    std::string url() const {
        return "http://127.0.0.1:" + std::to_string(server_->endpoints().front().port);
    }

  private:
    Response answer(Request& request) {
        const std::lock_guard lock(mutex_);
        ++calls;
        const auto header = [&](const char* name) {
            return std::string(request.headers.get(name));
        };
        const executor::AwsRequest signed_request{
                .headers =
                        {{"content-type", header("Content-Type")},
                         {"host", header("Host")},
                         {"x-amz-date", header("X-Amz-Date")},
                         {"x-amz-target", header("X-Amz-Target")}},
                .body = request.read_body().value()};
        well_signed =
                request.method == "POST" && request.path == "/" &&
                header("X-Amz-Target") ==
                        "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken" &&
                header("Content-Type") == "application/x-amz-json-1.1" &&
                header("Authorization") == executor::aws_authorization(
                                                   signed_request, {.id = kAccount.username,
                                                                    .secret = kAccount.password,
                                                                    .region = "eu-west-1",
                                                                    .service = "ecr"});
        return response;
    }

    std::mutex mutex_;
    std::unique_ptr<base::http::Server> server_;
};

}  // namespace

TEST_CASE("keys of an account become the token of its registry") {
    Aws aws;
    const base::SystemClock clock;
    EcrLogins logins({.endpoint = aws.url(), .ca_file = {}}, clock);
    const auto login = logins.exchange(kImage, kAccount);
    REQUIRE(login);
    CHECK(*login == Login{.username = "AWS", .password = "token-of-some-hours"});
    CHECK(aws.well_signed);
}

TEST_CASE("what is not of that registry, or has no login, is asked of nobody") {
    Aws aws;
    const base::SystemClock clock;
    EcrLogins logins({.endpoint = aws.url(), .ca_file = {}}, clock);
    for (const auto* image :
         {"docker:///busybox", "docker://registry.example/app#1", "/srv/rootfs",
          "docker://12345678901.dkr.ecr.eu-west-1.amazonaws.com/x",
          "docker://123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example/x",
          "docker://123456789012.dkr.ecr.evil.example/.amazonaws.com/x",
          "docker://123456789012.dkr.ecr.a@b.amazonaws.com/x"})
        CHECK(logins.exchange(image, kAccount).value() == kAccount);
    CHECK(logins.exchange(kImage, {}).value() == Login{});
    CHECK(aws.calls == 0);
}

TEST_CASE("each kind of AWS host has its own place to ask") {
    const auto api = [](const char* host) {
        return executor::ecr_host(std::string("docker://") + host + "/app").value().api;
    };
    CHECK(api("123456789012.dkr.ecr.us-east-1.amazonaws.com") ==
          "https://api.ecr.us-east-1.amazonaws.com");
    CHECK(api("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn") ==
          "https://api.ecr.cn-north-1.amazonaws.com.cn");
    CHECK(api("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com") ==
          "https://ecr-fips.us-gov-west-1.amazonaws.com");
}

TEST_CASE("a refusal is told by its name and without what was sent") {
    Aws aws;
    const base::SystemClock clock;
    EcrLogins logins({.endpoint = aws.url(), .ca_file = {}}, clock);
    const auto told = [&](int status, const std::string& body) {
        aws.response = {.status = status, .headers = {}, .body = body};
        const auto login = logins.exchange(kImage, kAccount);
        REQUIRE_FALSE(login);
        CHECK(login.error().text.find(kAccount.password) == std::string::npos);
        return login.error();
    };
    const auto refused = told(
            400,
            R"({"__type":"com.amazon.coral#UnrecognizedClientException","message":"the secret key of it"})");
    CHECK(refused.kind == base::Errc::denied);
    CHECK(refused.text.find("status 400: UnrecognizedClientException") != std::string::npos);
    CHECK(told(503, "<html>").kind == base::Errc::unavailable);
    for (const auto* body :
         {"", "{}", R"({"authorizationData":[]})", R"({"authorizationData":[{}]})",
          R"({"authorizationData":[{"authorizationToken":"!"}]})",
          R"({"authorizationData":[{"authorizationToken":"QVdT"}]})"})
        (void)told(200, body);
}
