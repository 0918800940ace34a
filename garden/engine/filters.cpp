#include "garden/engine/filters.hpp"

namespace garden {

namespace {

// Clients decide how many different profiles there are; what is not kept is compiled again.
constexpr std::size_t kKeptProfiles = 64;

}  // namespace

base::Result<security::Filter> Filters::get(
        security::Class container_class, const std::string& profile, std::uint64_t capabilities) {
    if (profile.empty()) return security::class_filter(container_class);
    const auto key = std::make_pair(container_class, profile);
    {
        const std::lock_guard lock(mutex_);
        const auto it = compiled_.find(key);
        if (it != compiled_.end()) return it->second;
    }
    auto filter = TRY(security::compile_profile(
            profile, {.capabilities = capabilities,
                      .kernel_major = 0,
                      .kernel_minor = 0,
                      .ignore_unknown = false,
                      .log = true}));  // SC-08, also where the profile does not ask for it
    const std::lock_guard lock(mutex_);
    if (compiled_.size() >= kKeptProfiles) compiled_.erase(compiled_.begin());
    compiled_.insert_or_assign(key, filter);
    return filter;
}

}  // namespace garden
