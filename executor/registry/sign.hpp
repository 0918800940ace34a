// The signature that AWS wants of a request (version 4, HMAC-SHA-256). Pure; used by ecr.cpp.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace executor {

struct AwsRequest {
    std::string method = "POST";
    std::string path = "/";                      // escaped
    std::map<std::string, std::string> headers;  // lower-case names; all of them are signed
    std::string body;
};

struct AwsKeys {
    std::string id;
    std::string secret;
    std::string region;
    std::string service;
};

// "20150830T123600Z", to be sent as x-amz-date.
std::string aws_time(std::chrono::system_clock::time_point time);
// The value of Authorization. `request.headers` has host and x-amz-date.
std::string aws_authorization(const AwsRequest& request, const AwsKeys& keys);

}  // namespace executor
