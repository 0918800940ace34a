// builder: stages an image (edges 4.2). It reads the manifest and the configuration from the
// registry, never a layer, and writes down how the image is run.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "lifecycle/builder/request.hpp"
#include "lifecycle/builder/result.hpp"
#include "rootfs/fetch/registries.hpp"

#include <fcntl.h>

#include <cstdio>
#include <span>
#include <string>

namespace {

// Exit codes: others read them.
constexpr int kBadFlags = 1;
constexpr int kStagingFailed = 2;

constexpr std::uint32_t kAttempts = 4;  // of each request

base::Result<lifecycle::StagedImage> read_image(const lifecycle::BuildRequest& request) {
    rootfs::ImagesConfig config;
    config.insecure_registries = request.insecure_registries;
    config.attempts = kAttempts;
    const auto registries = TRY(rootfs::Registries::open(config));
    const auto target = TRY(registries->target(request.image.reference));
    const rootfs::Cancelled cancelled = false;
    const auto pull = TRY(registries->resolve(target, request.credentials, cancelled));
    return lifecycle::read_staged_image(request.image.shown, pull.resolved.config);
}

base::Result<void> write_result(const std::string& path, const std::string& text) {
    const auto slash = path.rfind('/');  // there is one: the path is absolute
    const auto directory = slash == 0 ? "/" : path.substr(0, slash);
    TRY(base::sys::ensure_directory(directory, 0755));
    const auto parent = TRY(base::sys::open_host(directory, O_RDONLY | O_DIRECTORY));
    return base::sys::write_atomic_at(
            parent, path.substr(slash + 1), text, 0644, base::sys::Durable::no);
}

base::Result<void> stage(const lifecycle::BuildRequest& request) {
    const auto image = TRY(read_image(request).context("read image " + request.image.shown));
    return write_result(request.result_file, lifecycle::staging_result(image));
}

}  // namespace

int main(int argc, char** argv) {
    const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
    const auto request = lifecycle::parse_build_request(words.empty() ? words : words.subspan(1));
    if (!request) {
        std::fprintf(
                stderr, "builder: %s\n%s", request.error().text.c_str(),
                lifecycle::build_usage().c_str());
        return kBadFlags;
    }
    if (!*request) {
        std::fputs(lifecycle::build_usage().c_str(), stdout);
        return 0;
    }
    const auto done = stage(**request);
    if (done) return 0;
    std::fprintf(stderr, "builder: staging failed: %s\n", done.error().text.c_str());
    return kStagingFailed;
}
