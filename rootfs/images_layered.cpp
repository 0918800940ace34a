// "preloaded+layer:": a local image and one more layer on it, fetched from an address and unpacked
// below a directory (garden-api §5.1).
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/fetch/http_client.hpp"
#include "rootfs/images_on_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <utility>

namespace rootfs {

namespace {

namespace sys = base::sys;

constexpr std::uint64_t kMaxLayerBytes = std::uint64_t{8} << 30;  // as it comes over the wire

// Queries carry signatures, authorities carry passwords.
std::string without_secrets(const std::string& url) {
    const auto begin = url.find("://");
    if (begin == std::string::npos) return "an address";
    const auto end = url.find_first_of("/?#", begin + 3);
    const auto at = url.rfind('@', end);
    auto out = url.substr(0, url.find_first_of("?#"));
    if (at != std::string::npos && at > begin) out.erase(begin + 3, at - begin - 2);
    return out;
}

struct Fetched {
    base::Fd file;
    std::uint64_t size = 0;
};

class Fetch {
  public:
    Fetch(const ImagesConfig& config, const Reference& reference, Report& report)
        : config_(config),
          reference_(reference),
          report_(report),
          client_({.connect = config.connect_timeout, .stall = config.stall_timeout},
                  config.ca_file) {}

    base::Result<Fetched> run(base::FdRef scratch, const Cancelled& cancelled) {
        Fetched out{.file = TRY(scratch_file(scratch))};
        for (std::uint32_t attempt = 1;; ++attempt) {
            auto done = once(out, cancelled);
            if (done) return out;
            const auto kind = done.error().kind;
            const bool again = kind == base::Errc::unavailable || kind == base::Errc::timeout;
            if (!again || attempt >= config_.attempts || !wait_for(kPause * attempt, cancelled))
                return std::move(done).error();
        }
    }

  private:
    static constexpr std::chrono::milliseconds kPause{300};

    base::Result<void> once(Fetched& out, const Cancelled& cancelled) {
        if (::ftruncate(out.file.get(), 0) != 0 || ::lseek(out.file.get(), 0, SEEK_SET) < 0)
            return base::fail_errno("begin a download");
        out.size = 0;
        Hasher hasher(reference_.digest);
        const HttpSink sink{
                .start = [](const HttpResponse&) -> base::Result<void> { return base::ok; },
                .write = [&](std::string_view piece) -> base::Result<void> {
                    TRY(sys::write_all(out.file, piece));
                    hasher.update(piece);
                    out.size += piece.size();
                    report_.tell(
                            {.step = Progress::Step::downloading,
                             .layer = reference_.digest.get(),
                             .current = out.size});
                    return base::ok;
                }};
        const auto answer = client_.send(
                {.url = reference_.layer_url,
                 .body_limit = kMaxLayerBytes,
                 .private_network = true},  // what asked us for containers named it
                cancelled, &sink);
        const auto shown = without_secrets(reference_.layer_url);
        // The client's own words may quote the whole address.
        if (!answer) return base::fail(answer.error().kind, "layer {}: the download failed", shown);
        if (answer->status != 200)
            return base::fail(
                    answer->status >= 500 ? base::Errc::unavailable : base::Errc::not_found,
                    "layer {}: status {}", shown, answer->status);
        const auto found = hasher.finish();
        if (found != reference_.digest)  // IMG-02: nothing has looked inside yet
            return base::fail(
                    base::Errc::corrupt, "layer {}: its digest is {}, not {}", shown, found.get(),
                    reference_.digest.get());
        if (::lseek(out.file.get(), 0, SEEK_SET) < 0) return base::fail_errno("rewind a layer");
        return base::ok;
    }

    const ImagesConfig& config_;
    const Reference& reference_;
    Report& report_;
    HttpClient client_;
};

// A directory of the new layer covers the base's of the same name, so it has to look like it.
base::Result<Ancestor> like_in_base(
        const LayerStore& layers,
        const Image& image,
        const std::string& path,
        const std::string& name) {
    for (auto layer = image.layers.rbegin(); layer != image.layers.rend(); ++layer) {
        const auto root = TRY(sys::open_host(layers.directory_of(*layer), O_RDONLY | O_DIRECTORY));
        const auto found = sys::open_in(
                root, path.c_str(), O_PATH | O_NOFOLLOW, sys::Resolve::beneath_no_links);
        if (!found && found.error().sys == ENOENT) continue;
        if (!found) return found.error();
        const auto status = TRY(sys::stat_fd(*found));
        if (S_ISCHR(status.st_mode)) break;  // a whiteout
        if (!S_ISDIR(status.st_mode))
            return base::fail(
                    base::Errc::invalid, "layer_path: /{} is no directory in the image", path);
        return Ancestor{
                .name = name,
                .uid = status.st_uid,
                .gid = status.st_gid,
                .mode = status.st_mode & 07777U};
    }
    return Ancestor{.name = name};
}

base::Result<std::vector<Ancestor>> ancestors_of(
        const LayerStore& layers, const Image& image, std::string_view path) {
    std::vector<Ancestor> out;
    std::string walked;
    while (!path.empty()) {
        const auto slash = std::min(path.find('/'), path.size());
        const std::string name(path.substr(0, slash));
        path.remove_prefix(std::min(slash + 1, path.size()));
        if (name.empty()) continue;
        walked += (walked.empty() ? "" : "/") + name;
        out.push_back(TRY(like_in_base(layers, image, walked, name)));
    }
    return out;
}

std::string print(const std::vector<Ancestor>& ancestors) {
    std::string out;
    for (const auto& one : ancestors)
        out += base::format("{}/{}:{}:{:o}\n", one.name, one.uid, one.gid, one.mode);
    return out;
}

}  // namespace

base::Result<Image> ImagesOnDisk::from_layered(const Caller& caller, const Reference& reference) {
    if (parts_.policy)
        return base::fail(
                base::Errc::denied,
                "image policy: nothing signs a layer that comes from an address (preloaded+layer)");
    const ImageRequest below{.uri = reference.path};
    const Caller of_base{
            .request = below, .progress = caller.progress, .cancelled = caller.cancelled};
    auto base = TRY(find_or_pull(of_base));
    auto ancestors = TRY(ancestors_of(*parts_.layers, base, reference.layer_path));
    // The content alone says what it is, wherever it came from.
    const auto key = sha256("layer " + reference.digest.get() + "\n" + print(ancestors)).get();
    const auto digest = sha256(base.digest + "\n" + key).get();
    const auto name = base::format(
            "preloaded+layer:{}?layer_path={}&layer_digest={}", reference.path,
            reference.layer_path, reference.digest.get());
    if (const auto known = parts_.records->reference(name); known && known->digest == digest)
        if (auto image = usable(digest)) return std::move(*image);
    return flights_.join(
            name + " " + digest,
            [this, base = std::move(base), ancestors = std::move(ancestors), reference, key, digest,
             name](Report& report, std::atomic<bool>& cancel) -> base::Result<Image> {
                PinSet pins(pins_);
                Image image{
                        .digest = digest,
                        .layers = base.layers,
                        .config = base.config,
                        .size = base.size};
                for (const auto& layer : base.layers) {
                    pins.add(layer);
                    (void)TRY(parts_.layers->find(layer));  // between finding it and now
                }
                pins.add(key);
                image.layers.push_back(key);
                auto info = parts_.layers->find(key);
                if (!info) info = fetch_on_top(reference, ancestors, key, report, cancel);
                image.size += TRY(std::move(info)).bytes;
                return record(std::move(image), {.name = name, .asked = name, .stamp = digest});
            },
            caller.progress, caller.cancelled);
}

base::Result<LayerInfo> ImagesOnDisk::fetch_on_top(
        const Reference& reference,
        const std::vector<Ancestor>& ancestors,
        const std::string& key,
        Report& report,
        std::atomic<bool>& cancel) {
    Fetch fetch(parts_.config, reference, report);
    const auto fetched = TRY(fetch.run(parts_.scratch, cancel));
    TRY(make_room(fetched.size, "pull"));
    const UnpackRequest request{
            .diff_id = "",
            .blob = fetched.file,
            .compression = Compression::gzip,
            .compressed_size = fetched.size,
            .below = ancestors,
            .key = key};
    return parts_.layers->unpack(
            request,
            [&](std::uint64_t bytes) {
                report.tell(
                        {.step = Progress::Step::unpacking,
                         .layer = reference.digest.get(),
                         .current = bytes,
                         .total = fetched.size});
            },
            cancel);
}

}  // namespace rootfs
