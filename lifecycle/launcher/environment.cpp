#include "lifecycle/launcher/environment.hpp"

#include "base/parse.hpp"
#include "base/sys/error.hpp"
#include "base/sys/file.hpp"

#include <algorithm>
#include <cstdint>

#include <nlohmann/json.hpp>

namespace lifecycle {

namespace {

// Members stay in the order written: "the first service" must not depend on names.
using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxServicesFile = std::size_t{4} << 20;

bool is_named(std::string_view word, std::string_view name) {
    return word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=';
}

// Nothing for what is no JSON or nested too deeply: writing it again is recursive.
std::optional<Json> parse(std::string_view text) {
    bool deep = false;
    const auto watch = [&deep](int depth, Json::parse_event_t, Json&) {
        deep = deep || depth > kMaxVariableDepth;
        return !deep;
    };
    auto out = Json::parse(text, watch, false);
    if (deep || out.is_discarded()) return std::nullopt;
    return out;
}

const Json* member(const Json& object, const char* name) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
}

void set_number(Json& object, const char* name, std::string_view text) {
    const auto number = base::parse_number<std::int64_t>(text, name);
    if (number) object[name] = *number;  // a task has no port and no index
}

// "postgres://…" from "postgresql://…"; nothing for another scheme.
std::optional<std::string> database_uri(std::string_view uri) {
    const auto colon = uri.find("://");
    // A variable ends at a NUL: half a URI is none.
    if (colon == std::string_view::npos || uri.find('\0') != std::string_view::npos)
        return std::nullopt;
    const auto scheme = uri.substr(0, colon);
    std::string out;
    if (scheme == "mysql" || scheme == "mysql2") out = "mysql2";
    if (scheme == "postgres" || scheme == "postgresql") out = "postgres";
    if (out.empty()) return std::nullopt;
    return out.append(uri.substr(colon));
}

// VCAP_SERVICES, or the file that stands for it when the variable would be too long.
base::Result<std::string> services_of(const Environment& environment) {
    const auto text = environment.get("VCAP_SERVICES");
    const std::string path(environment.get("VCAP_SERVICES_FILE_PATH"));
    if (!text.empty() || path.empty()) return std::string(text);
    return base::sys::read_host_file(path, kMaxServicesFile).context("VCAP_SERVICES_FILE_PATH");
}

}  // namespace

Environment::Environment(const char* const* list) {
    for (; list != nullptr && *list != nullptr; ++list) words_.emplace_back(*list);
}

std::optional<std::string_view> Environment::find(std::string_view name) const {
    for (const auto& word : words_) {
        if (is_named(word, name)) return std::string_view(word).substr(name.size() + 1);
    }
    return std::nullopt;
}

std::string_view Environment::get(std::string_view name) const {
    return find(name).value_or(std::string_view());
}

void Environment::set(std::string_view name, std::string_view value) {
    std::string word(name);
    word.append("=").append(value);
    const auto named = [name](const std::string& other) { return is_named(other, name); };
    const auto first = std::find_if(words_.begin(), words_.end(), named);
    if (first == words_.end()) {
        words_.push_back(std::move(word));
        return;
    }
    *first = std::move(word);
    words_.erase(std::remove_if(first + 1, words_.end(), named), words_.end());
}

std::optional<std::string> described_application(const Environment& environment) {
    auto application = parse(environment.get("VCAP_APPLICATION"));
    if (!application || !application->is_object()) return std::nullopt;
    Json& out = *application;
    out["host"] = "0.0.0.0";
    out["instance_id"] = std::string(environment.get("INSTANCE_GUID"));
    set_number(out, "port", environment.get("PORT"));
    set_number(out, "instance_index", environment.get("INSTANCE_INDEX"));
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

base::Result<std::optional<std::string>> database_url(std::string_view services) {
    if (services.empty()) return std::optional<std::string>();
    const auto document = parse(services);
    // The text is full of passwords: none of it is shown.
    if (!document)
        return base::sys::plain_error(base::Errc::invalid, "VCAP_SERVICES is not valid JSON");
    if (!document->is_object()) return std::optional<std::string>();
    for (const auto& [label, instances] : document->items()) {
        if (!instances.is_array()) continue;
        for (const auto& instance : instances) {
            const Json* credentials = member(instance, "credentials");
            const Json* uri = credentials == nullptr ? nullptr : member(*credentials, "uri");
            if (uri == nullptr || !uri->is_string()) continue;
            auto url = database_uri(uri->get_ref<const std::string&>());
            if (url) return url;
        }
    }
    return std::optional<std::string>();
}

base::Result<void> describe_app(Environment& environment) {
    const auto services = TRY(services_of(environment));
    const auto url = TRY(database_url(services));
    if (url) environment.set("DATABASE_URL", *url);
    const auto application = described_application(environment);
    if (application) environment.set("VCAP_APPLICATION", *application);
    return base::ok;
}

}  // namespace lifecycle
