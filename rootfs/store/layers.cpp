// The layer store: "trees/<id>" holds whole layers only, "records/<id>" what is known of them, "making/" what is on its way.
#include "rootfs/store/layers.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/image/digest.hpp"
#include "rootfs/image/json.hpp"
#include "rootfs/store/tree.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <mutex>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr std::size_t kRecordBytes = 4096;
constexpr std::uint32_t kIdLimit = 65'536;   // ID-06

Result<Fd> place(FdRef parent, const char* name) {
    auto made = sys::make_directory_at(parent, name, 0700);
    if (!made && made.error().kind != Errc::already_exists) return std::move(made).error();
    return sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// "sha256:ab…" -> "sha256-ab…": a colon would end a lower directory in overlay's option string.
std::string file_name(std::string_view diff_id) {
    std::string name(diff_id);
    for (char& c : name) c = c == ':' ? '-' : c;
    return name;
}

std::string diff_id_of(std::string name) {
    const auto dash = name.find('-');
    if (dash != std::string::npos) name[dash] = ':';
    return name;
}

class LayersOnDisk final : public LayerStore {
  public:
    LayersOnDisk(std::string directory, Fd trees, Fd records, Fd making, UnpackLimits limits)
        : directory_(std::move(directory)),
          trees_(std::move(trees)),
          records_(std::move(records)),
          making_(std::move(making)),
          limits_(limits) {}

    Result<LayerInfo> unpack(
            const UnpackRequest& request, const std::function<void(std::uint64_t)>&, const std::atomic<bool>&) override {
        if (!request.diff_id.empty()) {
            auto known = find(request.diff_id);
            if (known || known.error().kind != Errc::not_found) return known;
        }
        return base::fail(Errc::unsupported, "layer archives cannot be unpacked yet");
    }

    Result<LayerInfo> import_directory(FdRef source, const std::string& key) override {
        TRY(parse_digest(key));
        const std::lock_guard lock(mutex_);
        auto known = find(key);
        if (known || known.error().kind != Errc::not_found) return known;
        const auto name = file_name(key);
        TRY(remove_tree(making_, name));   // of an import that failed half-way
        const auto target = TRY(place(making_, name.c_str()));
        auto counts = copy_tree(
                source, target, {.bytes = limits_.layer_bytes, .entries = limits_.entries, .id_limit = kIdLimit});
        if (!counts) {
            (void)remove_tree(making_, name);
            return std::move(counts).error();
        }
        LayerInfo info{.diff_id = key,
                       .bytes = counts->bytes,
                       .entries = counts->entries,
                       .skipped_devices = counts->skipped_devices,
                       .dropped_xattrs = counts->dropped_xattrs};
        TRY(publish(target, name, info));
        return info;
    }

    Result<LayerInfo> find(std::string_view diff_id) override {
        const auto text = sys::read_file_at(records_, file_name(diff_id), kRecordBytes);
        if (!text) {
            if (text.error().kind == Errc::not_found) return base::fail(Errc::not_found, "no layer {}", diff_id);
            return text.error();
        }
        const auto json = TRY(parse_json(*text, "layer record"));
        LayerInfo info{.diff_id = std::string(diff_id)};
        info.bytes = TRY(size_member(json, "bytes", "layer record"));
        info.entries = TRY(size_member(json, "entries", "layer record"));
        info.skipped_devices = TRY(size_member(json, "skipped_devices", "layer record"));
        info.dropped_xattrs = TRY(size_member(json, "dropped_xattrs", "layer record"));
        return info;
    }

    std::string directory_of(std::string_view diff_id) const override {
        return directory_ + "/trees/" + file_name(diff_id);
    }

    Result<std::vector<std::string>> list() override {
        std::vector<std::string> ids;
        for (auto& name : TRY(names_in(records_))) ids.push_back(diff_id_of(std::move(name)));
        return ids;
    }

    Result<std::uint64_t> remove(std::string_view diff_id) override {
        const std::lock_guard lock(mutex_);
        auto known = find(diff_id);
        if (!known) {
            if (known.error().kind == Errc::not_found) return std::uint64_t{0};
            return std::move(known).error();
        }
        // The record goes first: a tree without one is not a layer, and is removed by the next recover().
        const auto name = file_name(diff_id);
        TRY(sys::remove_at(records_, name));
        TRY(remove_tree(trees_, name));
        return known->bytes;
    }

    Result<void> recover() override {
        const std::lock_guard lock(mutex_);
        for (const auto& name : TRY(names_in(making_))) TRY(remove_tree(making_, name));
        for (const auto& name : TRY(names_in(trees_))) {
            if (!TRY(sys::exists_at(records_, name))) TRY(remove_tree(trees_, name));
        }
        return base::ok;
    }

  private:
    // Whole or not at all, also after a power cut: data, then the tree under its name, then the record that makes it count.
    Result<void> publish(FdRef tree, const std::string& name, const LayerInfo& info) {
        if (::syncfs(tree.get()) != 0) return base::fail_errno("write the layer {} to disk", info.diff_id);
        TRY(remove_tree(trees_, name));
        TRY(sys::rename_at(making_, name, trees_, name));
        if (::fsync(trees_.get()) != 0) return base::fail_errno("write the name of layer {} to disk", info.diff_id);
        const Json record{{"bytes", info.bytes},
                          {"entries", info.entries},
                          {"skipped_devices", info.skipped_devices},
                          {"dropped_xattrs", info.dropped_xattrs}};
        return sys::write_atomic_at(records_, name, record.dump(), 0600, sys::Durable::yes);
    }

    static Result<std::vector<std::string>> names_in(FdRef directory) {
        const auto listing = TRY(sys::open_at(directory, ".", O_RDONLY | O_DIRECTORY));
        return sys::list_directory(listing);
    }

    std::string directory_;
    Fd trees_;
    Fd records_;
    Fd making_;
    UnpackLimits limits_;
    std::mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<LayerStore>> LayerStore::open(std::string directory, std::string, UnpackLimits limits) {
    TRY(sys::ensure_directory(directory, 0700));
    const auto root = TRY(sys::open_host(directory, O_RDONLY | O_DIRECTORY));
    auto trees = TRY(place(root, "trees"));
    auto records = TRY(place(root, "records"));
    auto making = TRY(place(root, "making"));
    return std::unique_ptr<LayerStore>(std::make_unique<LayersOnDisk>(
            std::move(directory), std::move(trees), std::move(records), std::move(making), limits));
}

}  // namespace rootfs
