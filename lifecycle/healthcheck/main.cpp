// healthcheck: is the app of this container answering? The exit code says it (edges 4.4).
#include "lifecycle/flags/flags.hpp"
#include "lifecycle/healthcheck/check.hpp"
#include "lifecycle/healthcheck/options.hpp"

#include <cstdio>
#include <span>

int main(int argc, char** argv) {
    const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
    const auto options = lifecycle::parse_check_options(words.empty() ? words : words.subspan(1));
    if (!options) {
        std::fprintf(
                stderr, "healthcheck: %s\n%s", options.error().text.c_str(),
                lifecycle::check_usage().c_str());
        return lifecycle::kUsage;
    }
    if (!*options) {
        std::fputs(lifecycle::check_usage().c_str(), stdout);
        return 0;
    }
    const auto found = lifecycle::watch(**options);
    if (found.health != lifecycle::Health::healthy)
        std::fprintf(stderr, "%s\n", found.text.c_str());
    return static_cast<int>(found.health);
}
