#include "garden/api/error.hpp"

#include "base/json_describe.hpp"

namespace garden::api {

namespace {

constexpr std::string_view kUnknownHandle = "unknown handle: ";
constexpr std::string_view kUnknownProcess = "unknown process: ";
constexpr std::string_view kExec = "unable to start container process: exec: ";

template <class V>
void describe(V& v, Error& o) {
    v.always("Type", o.type);
    v.always("Message", o.message);
    v.always("Handle", o.handle);
    v.always("ProcessID", o.process_id);
    v.always("Binary", o.binary);
}

template <class V>
void describe(V& v, BulkInfo& o) {
    v.always("Info", o.info);
    v.always("Err", o.error);
}

template <class V>
void describe(V& v, BulkMetrics& o) {
    v.always("Metrics", o.metrics);
    v.always("Err", o.error);
}

// The name behind `words` when the text ends with both.
std::string_view named(std::string_view text, std::string_view words) {
    const auto at = text.rfind(words);
    return at == std::string_view::npos ? std::string_view{} : text.substr(at + words.size());
}

}  // namespace

BASE_JSON_DESCRIBED(Error)
BASE_JSON_DESCRIBED(BulkInfo)
BASE_JSON_DESCRIBED(BulkMetrics)

Refusal refusal_of(const base::Error& error, std::string_view handle, std::string_view process_id) {
    Refusal out{.status = base::http_status(error.kind), .error = {}};
    out.error.message = error.text;
    switch (error.kind) {
        case base::Errc::not_found: {
            if (const auto name = named(error.text, kUnknownHandle);
                !name.empty() || error.text.ends_with(kUnknownHandle)) {
                out.error.type = kContainerNotFound;
                out.error.handle = handle.empty() ? name : handle;
                out.error.message = std::string(kUnknownHandle) + out.error.handle;
            } else if (const auto id = named(error.text, kUnknownProcess); !id.empty()) {
                out.error.type = kProcessNotFound;
                out.error.process_id = process_id.empty() ? id : process_id;
                out.error.message = std::string(kUnknownProcess) + out.error.process_id;
            } else if (error.text.find(kExec) != std::string::npos) {
                out.error.type = kExecutableNotFound;
                out.status = 500;
            }
            break;
        }
        case base::Errc::unavailable:
            out.error.type = kServiceUnavailable;
            break;
        case base::Errc::invalid:
        case base::Errc::already_exists:
        case base::Errc::conflict:
        case base::Errc::denied:
        case base::Errc::exhausted:
        case base::Errc::timeout:
        case base::Errc::cancelled:
        case base::Errc::unsupported:
        case base::Errc::corrupt:
        case base::Errc::internal:
            break;
    }
    return out;
}

base::Error to_error(const Error& error, int status) {
    base::Error out{
            .kind = base::Errc::internal,
            .sys = 0,
            .text = error.message,
            .where = base::Where::here()};
    if (error.type == kContainerNotFound) {
        out.kind = base::Errc::not_found;
        out.text = std::string(kUnknownHandle) + error.handle;
    } else if (error.type == kProcessNotFound) {
        out.kind = base::Errc::not_found;
        out.text = std::string(kUnknownProcess) + error.process_id;
    } else if (error.type == kExecutableNotFound) {
        out.kind = base::Errc::not_found;
    } else if (error.type == kServiceUnavailable) {
        out.kind = base::Errc::unavailable;
    } else {
        // The one table of the house, backwards; 409 says "already exists" only by its text.
        for (const auto kind :
             {base::Errc::invalid, base::Errc::not_found, base::Errc::conflict, base::Errc::denied,
              base::Errc::exhausted, base::Errc::unavailable, base::Errc::timeout,
              base::Errc::cancelled, base::Errc::unsupported}) {
            if (base::http_status(kind) == status) out.kind = kind;
        }
        if (out.kind == base::Errc::conflict &&
            error.message.find("already in use") != std::string::npos) {
            out.kind = base::Errc::already_exists;
        }
    }
    return out;
}

}  // namespace garden::api
