// rootfs-unpack COMPRESSION ID-LIMIT LAYER-BYTES RATIO RATIO-FREE-BYTES ENTRIES: unpacks one layer,
// sandboxed (IMG-20). Descriptors 3-5: results (protocol.hpp), blob, target directory. Started by
// rootfs/store only.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "rootfs/unpack/extract.hpp"
#include "rootfs/unpack/protocol.hpp"
#include "rootfs/unpack/sandbox.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

namespace rootfs {

namespace {

using base::Errc;
using base::FdRef;
using base::Result;

struct Options {
    Compression compression = Compression::none;
    std::uint32_t id_limit = 0;
    UnpackLimits limits;
};

Result<Options> parse_options(const std::vector<std::string_view>& words) {
    if (words.size() != 6)
        return base::fail(Errc::invalid, "rootfs-unpack: {} arguments instead of 6", words.size());
    Options options;
    if (words[0] == "gzip") {
        options.compression = Compression::gzip;
    } else if (words[0] == "zstd") {
        options.compression = Compression::zstd;
    } else if (words[0] != "none") {
        return base::fail(Errc::invalid, "rootfs-unpack: compression '{}' is unknown", words[0]);
    }
    options.id_limit = TRY(base::parse_number<std::uint32_t>(words[1], "id limit"));
    options.limits.layer_bytes = TRY(base::parse_number<std::uint64_t>(words[2], "layer bytes"));
    options.limits.ratio = TRY(base::parse_number<std::uint64_t>(words[3], "ratio"));
    options.limits.ratio_free_bytes =
            TRY(base::parse_number<std::uint64_t>(words[4], "ratio-free bytes"));
    options.limits.entries = TRY(base::parse_number<std::uint64_t>(words[5], "entries"));
    if (options.limits.ratio == 0) return base::fail(Errc::invalid, "rootfs-unpack: ratio 0");
    return options;
}

Result<void> send(FrameType type, std::string_view payload) {
    return base::sys::write_all(FdRef{kResultFd}, encode_frame(type, payload));
}

Result<void> unpack(TarStream& stream, FdRef root, const Options& options) {
    TreeWriter writer(root, options.limits, options.id_limit);
    TRY(extract(stream, writer));
    TRY(writer.finish(
            [](const std::string& directory) { return send(FrameType::opaque, directory); }));
    const auto& counts = writer.counts();
    return send(
            FrameType::done, print_unpacked(
                                     {.digest = stream.digest(),
                                      .bytes = counts.bytes,
                                      .entries = counts.entries,
                                      .skipped_devices = counts.skipped_devices,
                                      .dropped_xattrs = counts.dropped_xattrs}));
}

int report(const Result<void>& result) {
    if (result) return 0;
    const auto& error = result.error();
    (void)send(
            FrameType::failed,
            base::format(
                    "{} {}", static_cast<int>(error.kind), error.text));  // else the pipe just ends
    return 1;
}

Result<void> run(const std::vector<std::string_view>& words) {
    ::umask(0);
    // A file beyond RLIMIT_FSIZE or a store that went away is an error to tell, not a death.
    (void)::signal(SIGXFSZ, SIG_IGN);
    (void)::signal(SIGPIPE, SIG_IGN);
    (void)::close_range(kTargetFd + 1, ~0U, 0);  // the descriptor of this program itself
    const Options options = TRY(parse_options(words));
    prepare_extraction();
    TarStream stream(options.compression, options.limits, [](std::uint64_t done) {
        (void)send(
                FrameType::progress,
                std::to_string(done));  // a reader that is gone ends us by the next frame
    });
    stream.open(FdRef{kBlobFd});
    const SandboxLimits cage{.file_bytes = options.limits.layer_bytes};
    const int code = TRY(run_in_sandbox(FdRef{kTargetFd}, cage, [&](FdRef root) {
        return report(unpack(stream, root, options));
    }));
    if (code > 128) {
        return base::fail(
                code - 128 == SIGSYS ? Errc::denied : Errc::internal,
                "the unpacker was ended by signal {}{}", code - 128,
                code - 128 == SIGSYS    ? " (system-call filter)"
                : code - 128 == SIGXCPU ? " (CPU limit)"
                                        : "");
    }
    return base::ok;
}

}  // namespace

}  // namespace rootfs

int main(int argc, char** argv) {
    return rootfs::report(rootfs::run({argv + 1, argv + argc}));
}
