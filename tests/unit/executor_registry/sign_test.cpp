// The published examples of the signature ("get-vanilla", "post-vanilla" of the test suite that AWS
// hands out).
#include "executor/registry/sign.hpp"

#include <catch2/catch.hpp>

namespace {

const executor::AwsKeys kKeys{
        .id = "AKIDEXAMPLE",
        .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        .region = "us-east-1",
        .service = "service"};

std::string signature(const std::string& method) {
    const executor::AwsRequest request{
            .method = method,
            .headers = {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
            .body = {}};
    return executor::aws_authorization(request, kKeys);
}

}  // namespace

TEST_CASE("requests are signed as AWS's own examples are") {
    const std::string begin =
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=";
    CHECK(signature("GET") ==
          begin + "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    CHECK(signature("POST") ==
          begin + "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

TEST_CASE("the time of a request is written in UTC") {
    using std::chrono::system_clock;
    CHECK(executor::aws_time(system_clock::from_time_t(1'440'938'160)) == "20150830T123600Z");
}
