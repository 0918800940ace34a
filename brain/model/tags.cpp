// What a desired LRP says about each of its instances.
#include "brain/model/lrp_rules.hpp"

namespace brain::model {

api::MetricTags resolve_tags(const api::DesiredLrp& desired, const api::ActualLrp& actual) {
    api::MetricTags out;
    for (const auto& [name, value] : desired.definition.metric_tags) {
        switch (value.dynamic) {
            case api::DynamicTag::none:
                out[name] = value.fixed;
                break;
            case api::DynamicTag::index:
                out[name] = std::to_string(actual.key.index);
                break;
            case api::DynamicTag::instance_guid:
                out[name] = actual.instance.instance_guid;
                break;
        }
    }
    return out;
}

std::vector<api::InternalRoute> internal_routes_of(const api::DesiredLrp& desired) {
    const auto found = desired.routes.find("internal-routes");
    if (found == desired.routes.end()) return {};
    // What is no list of hostnames was let in by a router's own rules: it names nothing here.
    auto routes = base::json::decode<std::vector<api::InternalRoute>>(found->second);
    return std::move(routes).value_or(std::vector<api::InternalRoute>());
}

}  // namespace brain::model
