// Images on the local disk, OCI layouts and archives of docker: what is resolved has the digests it
// claims, whole layers or none.
//
// An input is a list of files, "\n--\n" between them. In a text, "#2" stands for the digest and
// "~2" for the size of file 2, so that a change need not guess a hash; only later files can be
// named.
#include "base/sys/file.hpp"
#include "rootfs/fetch/layout.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace rootfs;

namespace {

constexpr std::size_t kMostFiles = 10;  // one digit names each

std::string with_names(std::string_view text, const std::vector<std::string>& files) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool mark = text[i] == '#' || text[i] == '~';
        const auto number = i + 1 < text.size() ? static_cast<std::size_t>(text[i + 1] - '0') : 10;
        if (!mark || number >= files.size() || files[number].empty()) {
            out += text[i];
            continue;
        }
        out += text[i] == '#' ? sha256(files[number]).get() : std::to_string(files[number].size());
        ++i;
    }
    return out;
}

class MemoryFiles final : public Files {
  public:
    // The first two are the layout's own, or docker's list and configuration.
    MemoryFiles(const std::vector<std::string>& files, bool docker) {
        for (std::size_t i = 0; i < files.size(); ++i) {
            const std::string number = std::to_string(i);
            texts_[docker ? "file" + number
                          : "blobs/sha256/" + std::string(hex_of(sha256(files[i])))] = files[i];
        }
        if (!files.empty()) texts_[docker ? "manifest.json" : "oci-layout"] = files[0];
        if (files.size() > 1) texts_[docker ? "config.json" : "index.json"] = files[1];
    }

    base::Result<Part> open(const std::string& name) const override {
        const auto found = texts_.find(name);
        if (found == texts_.end()) return base::Error{.kind = base::Errc::not_found};
        base::Fd file(::memfd_create("part", MFD_CLOEXEC));
        TRY(base::sys::write_all(file, found->second));
        return Part{.file = std::move(file), .offset = 0, .size = found->second.size()};
    }

  private:
    std::map<std::string, std::string> texts_;
};

void check_layers(ImageSource& source, const Resolved& image, bool docker) {
    static const base::Fd scratch = base::sys::open_host("/tmp", O_PATH | O_DIRECTORY).value();
    const Cancelled cancelled{false};
    for (const auto& descriptor : image.manifest.layers) {
        const auto file = source.layer(descriptor, scratch, {}, cancelled);
        if (!file) continue;
        const auto text = base::sys::read_all(*file, 1 << 20).value();
        fuzz::require(text.size() == descriptor.size, "a layer is as large as its manifest says");
        if (docker || !descriptor.digest.get().starts_with("sha256:")) continue;
        fuzz::require(sha256(text) == descriptor.digest, "a layer has its digest");
    }
}

}  // namespace

// First byte: layout or archive of docker, by tag or not.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto choice = input.byte();
    const bool docker = (choice & 1) != 0;
    std::vector<std::string_view> texts;
    while (!input.empty() && texts.size() < kMostFiles) texts.push_back(input.until("\n--\n"));
    std::vector<std::string> files(texts.size());
    for (std::size_t i = texts.size(); i-- > 0;) files[i] = with_names(texts[i], files);

    auto memory = std::make_unique<MemoryFiles>(files, docker);
    const std::string tag = (choice & 2) != 0 ? "a:1" : "";
    std::unique_ptr<ImageSource> source;
    if (docker)
        source = std::make_unique<DockerArchiveSource>(std::move(memory), tag);
    else
        source = std::make_unique<LayoutSource>(std::move(memory), tag);
    const Cancelled cancelled{false};
    const auto image = source->resolve(cancelled);
    if (!image) return 0;
    fuzz::require(
            !image->manifest.layers.empty() && image->manifest.layers.size() <= kMaxLayers,
            "an image has 1 to 127 layers");
    fuzz::require(image->config.size() <= kMaxConfig, "configurations are bounded");
    fuzz::require(parse_digest(image->digest.get()).has_value(), "an image has a digest");
    if (!docker && image->manifest.config.digest.get().starts_with("sha256:")) {
        fuzz::require(
                sha256(image->config) == image->manifest.config.digest,
                "a configuration has its digest");
    }
    check_layers(*source, *image, docker);
    return 0;
}
