#include "rep/plan/identity.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"

namespace rep::plan {

std::string_view tag(const executor::api::Container& container, std::string_view name) {
    const auto found = container.tags.find(std::string(name));
    return found == container.tags.end() ? std::string_view() : std::string_view(found->second);
}

Lifecycle lifecycle_of(const executor::api::Container& container) {
    const auto word = tag(container, kLifecycleTag);
    if (word == "lrp") return Lifecycle::lrp;
    if (word == "task") return Lifecycle::task;
    return Lifecycle::none;
}

base::Result<brain::api::LrpKey> lrp_key_of(const executor::api::Container& container) {
    brain::api::LrpKey key{
            .process_guid = std::string(tag(container, kProcessGuidTag)),
            .index = 0,
            .domain = std::string(tag(container, kDomainTag))};
    if (key.process_guid.empty())
        return base::fail(
                base::Errc::corrupt, "container {}: no tag {}", container.guid, kProcessGuidTag);
    key.index = TRY(
            base::parse_number<std::int32_t>(tag(container, kProcessIndexTag), kProcessIndexTag));
    return key;
}

std::vector<std::string> list_tag(
        const executor::api::Container& container, std::string_view name) {
    const auto text = tag(container, name);
    if (text.empty()) return {};
    return base::json::decode<std::vector<std::string>>(text).value_or(std::vector<std::string>());
}

}  // namespace rep::plan
