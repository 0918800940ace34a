#include "brain/api/keys.hpp"

#include "base/json_describe.hpp"
#include "brain/api/describe_keys.hpp"
#include "brain/api/enum_json.hpp"

namespace brain::api {

namespace {

constexpr auto kPreferred = std::to_array<std::string_view>({"UNKNOWN", "INSTANCE", "HOST"});

}  // namespace

std::string_view to_string(PreferredAddress value) {
    return kPreferred[static_cast<std::size_t>(value)];
}

void to_json(base::json::Writer& w, const PreferredAddress& v) {
    w.value(to_string(v));
}

base::Result<void> from_json(const base::json::Node& node, PreferredAddress& v) {
    return read_word(node, kPreferred, v);
}

BASE_JSON_DESCRIBED(ModificationTag)
BASE_JSON_DESCRIBED(LrpKey)
BASE_JSON_DESCRIBED(InstanceKey)
BASE_JSON_DESCRIBED(NetInfo)

}  // namespace brain::api
