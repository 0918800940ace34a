#include "rootfs/store/layers.hpp"

#include "base/defer.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/image/digest.hpp"
#include "rootfs/store/layer_record.hpp"
#include "rootfs/store/seal.hpp"
#include "rootfs/store/tree.hpp"
#include "rootfs/store/unpacker.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <linux/fs.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr std::size_t kMaxRecord = 8'192;
constexpr std::chrono::milliseconds kTick(100);
constexpr const char* kSealFile = "seal";
constexpr const char* kDamagedFile = "damaged";
constexpr const char* kRetiredMark = "~";  // in no name of a layer

Result<Fd> place(FdRef root, base::CStr name) {
    if (::mkdirat(root.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
        return base::fail_errno("make directory {}", name.c_str());
    }
    return sys::open_at(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// The unpacker wants a directory of root's. Nobody else can reach a draft.
Result<std::vector<Fd>> make_ancestors(FdRef tree, const std::vector<Ancestor>& ancestors) {
    std::vector<Fd> chain;
    for (const auto& one : ancestors) {
        const FdRef parent = chain.empty() ? tree : FdRef(chain.back());
        TRY(sys::make_directory_at(parent, one.name, 0755));
        chain.push_back(TRY(sys::open_at(parent, one.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)));
        if (::fchmod(chain.back().get(), 0755) != 0) return base::fail_errno("chmod {}", one.name);
    }
    return chain;
}

// After what was unpacked, whose own root may have said something else. Owner before mode: the
// kernel clears bits with a change of owner.
Result<void> finish_ancestors(
        const std::vector<Fd>& chain, const std::vector<Ancestor>& ancestors) {
    for (std::size_t i = 0; i < chain.size(); ++i)
        if (::fchown(chain[i].get(), ancestors[i].uid, ancestors[i].gid) != 0 ||
            ::fchmod(chain[i].get(), ancestors[i].mode) != 0)
            return base::fail_errno("set owner and mode of {}", ancestors[i].name);
    return base::ok;
}

Result<std::string> random_name() {
    std::uint64_t value = 0;
    if (::getrandom(&value, sizeof value, 0) != sizeof value)
        return base::fail_errno("read random bytes");
    return base::format("{:016x}", value);
}

// On disk:  layers/<diff id>/tree + record   whole layers only: they get there by one rename
//           tmp/<random>/tree + record       being made, or on the way out; emptied by recover()
//           retired/<diff id>~<random>       damaged and replaced; containers may have it mounted
class LayersOnDisk : public LayerStore {
  public:
    LayersOnDisk(
            std::string directory,
            std::string program,
            UnpackLimits limits,
            Fd layers,
            Fd temporary,
            Fd retired)
        : directory_(std::move(directory)),
          program_(std::move(program)),
          limits_(limits),
          layers_(std::move(layers)),
          temporary_(std::move(temporary)),
          retired_(std::move(retired)) {}

    Result<void> load_damaged();

    Result<LayerInfo> unpack(
            const UnpackRequest& request,
            const std::function<void(std::uint64_t)>& progress,
            const std::atomic<bool>& cancelled) override;
    Result<LayerInfo> import_directory(FdRef source, const std::string& key) override;
    Result<LayerInfo> find(std::string_view diff_id) override;
    std::string directory_of(std::string_view diff_id) const override;
    Result<std::vector<std::string>> list() override;
    Result<std::uint64_t> remove(std::string_view diff_id) override;
    Result<void> recover() override;
    Result<LayerCheck> verify(
            std::string_view diff_id, const std::atomic<bool>& cancelled) override;
    Result<void> mark_damaged(std::string_view diff_id) override;
    bool is_damaged(std::string_view diff_id) const override;
    Result<std::vector<std::string>> retired() override;
    Result<void> remove_retired(std::string_view diff_id) override;

  private:
    struct Draft {
        std::string name;
        Fd directory;
        Fd tree;
    };

    // One thread at a time makes a layer; whoever comes meanwhile waits and then finds it.
    Result<LayerInfo> once(
            const std::string& diff_id,
            const std::atomic<bool>& cancelled,
            const std::function<Result<LayerInfo>()>& make);
    Result<LayerInfo> unpack_now(
            const UnpackRequest& request,
            const std::function<void(std::uint64_t)>& progress,
            const std::atomic<bool>& cancelled);
    Result<LayerInfo> import_now(FdRef source, const std::string& key);
    Result<Draft> draft();
    // From here on the layer exists, also after a power cut. Fills info.seal.
    Result<void> publish(const Draft& draft, LayerInfo& info);
    Result<LayerInfo> read_record(std::string_view diff_id);  // of a damaged one, too
    Result<void> retire(const std::string& diff_id);

    std::string directory_;
    std::string program_;
    UnpackLimits limits_;
    Fd layers_;
    Fd temporary_;
    std::mutex mutex_;
    std::condition_variable finished_;
    std::set<std::string> making_;
    Fd retired_;
    mutable std::mutex damaged_mutex_;
    std::set<std::string, std::less<>> damaged_;
};

Result<LayerInfo> LayersOnDisk::once(
        const std::string& diff_id,
        const std::atomic<bool>& cancelled,
        const std::function<Result<LayerInfo>()>& make) {
    std::unique_lock lock(mutex_);
    for (;;) {
        auto found = find(diff_id);
        if (found || found.error().kind != Errc::not_found) return found;
        if (making_.insert(diff_id).second) break;
        if (cancelled.load(std::memory_order_relaxed))
            return base::fail(Errc::cancelled, "layer {}: cancelled", diff_id);
        (void)finished_.wait_for(lock, kTick);  // the flag has no signal of its own
    }
    lock.unlock();
    auto made = make();
    lock.lock();
    making_.erase(diff_id);
    finished_.notify_all();
    return made;
}

Result<LayerInfo> LayersOnDisk::unpack(
        const UnpackRequest& request,
        const std::function<void(std::uint64_t)>& progress,
        const std::atomic<bool>& cancelled) {
    const auto make = [&] { return unpack_now(request, progress, cancelled); };
    const auto& name = request.key.empty() ? request.diff_id : request.key;
    if (name.empty()) return make().context("unpack a layer");
    TRY(layer_directory_name(name));
    return once(name, cancelled, make).context("unpack layer " + name);
}

Result<LayerInfo> LayersOnDisk::unpack_now(
        const UnpackRequest& request,
        const std::function<void(std::uint64_t)>& progress,
        const std::atomic<bool>& cancelled) {
    const Draft draft = TRY(this->draft());
    base::Defer clean(
            [&] { (void)remove_tree(temporary_, draft.name); });  // what stays is recover()'s
    const auto chain = TRY(make_ancestors(draft.tree, request.below));
    const FdRef target = chain.empty() ? FdRef(draft.tree) : FdRef(chain.back());
    const Unpacked unpacked =
            TRY(run_unpacker(program_, request, limits_, target, progress, cancelled));
    TRY(finish_ancestors(chain, request.below));
    if (!request.diff_id.empty() && unpacked.digest != request.diff_id) {  // IMG-29
        return base::fail(Errc::corrupt, "the content has the diff id {}", unpacked.digest);
    }
    LayerInfo info{
            .diff_id = request.key.empty() ? unpacked.digest : request.key,
            .bytes = unpacked.bytes,
            .entries = unpacked.entries,
            .skipped_devices = unpacked.skipped_devices,
            .dropped_xattrs = unpacked.dropped_xattrs};
    TRY(publish(draft, info));
    return info;
}

Result<LayerInfo> LayersOnDisk::import_directory(FdRef source, const std::string& key) {
    TRY(layer_directory_name(key));
    const std::atomic<bool> never{false};
    return once(key, never, [&] { return import_now(source, key); })
            .context("import a directory as layer " + key);
}

Result<LayerInfo> LayersOnDisk::import_now(FdRef source, const std::string& key) {
    const Draft draft = TRY(this->draft());
    base::Defer clean([&] { (void)remove_tree(temporary_, draft.name); });
    constexpr std::uint32_t kIdLimit = 65'536;  // ID-06
    const CopyLimits limits{
            .bytes = limits_.layer_bytes, .entries = limits_.entries, .id_limit = kIdLimit};
    const CopyCounts counts = TRY(copy_tree(source, draft.tree, limits));
    LayerInfo info{
            .diff_id = key,
            .bytes = counts.bytes,
            .entries = counts.entries,
            .skipped_devices = counts.skipped_devices,
            .dropped_xattrs = counts.dropped_xattrs};
    TRY(publish(draft, info));
    return info;
}

Result<LayersOnDisk::Draft> LayersOnDisk::draft() {
    Draft draft;
    draft.name = TRY(random_name());
    TRY(sys::make_directory_at(temporary_, draft.name, 0700));
    draft.directory =
            TRY(sys::open_at(temporary_, draft.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(sys::make_directory_at(draft.directory, "tree", 0755));
    draft.tree = TRY(sys::open_at(draft.directory, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (::fchmod(draft.tree.get(), 0755) != 0)
        return base::fail_errno("chmod a layer");  // whatever our umask is
    return draft;
}

Result<void> LayersOnDisk::publish(const Draft& draft, LayerInfo& info) {
    const std::string name = TRY(layer_directory_name(info.diff_id));
    // The tree is read for its seal while the disk writes it: neither waits for the other.
    std::optional<Result<std::string>> seal;
    std::thread sealing([&] { seal = seal_tree(draft.tree); });
    // One sync of the file system instead of one per file, before the rename that makes the layer
    // exist.
    const bool written = ::syncfs(draft.tree.get()) == 0;
    const int error = errno;
    sealing.join();
    errno = error;
    if (!written) return base::fail_errno("write the layer to disk");
    const std::string text = TRY(std::move(*seal).context("seal the layer"));
    info.seal = sha256(text).get();
    TRY(sys::write_atomic_at(draft.directory, kSealFile, text, 0600, sys::Durable::yes));
    TRY(sys::write_atomic_at(
            draft.directory, "record", print_layer_record(info), 0600, sys::Durable::yes));
    if (is_damaged(info.diff_id)) TRY(retire(info.diff_id));
    auto renamed = sys::rename_at(temporary_, draft.name, layers_, name, RENAME_NOREPLACE);
    // Without an expected diff id two threads may have unpacked the same: the first one's is as
    // good.
    if (!renamed && renamed.error().kind != Errc::already_exists) return renamed;
    if (::fsync(layers_.get()) != 0) return base::fail_errno("write the list of layers to disk");
    return base::ok;
}

Result<LayerInfo> LayersOnDisk::find(std::string_view diff_id) {
    if (is_damaged(diff_id))
        return base::fail(Errc::not_found, "layer {}: damaged, to be fetched again", diff_id);
    return read_record(diff_id);
}

Result<LayerInfo> LayersOnDisk::read_record(std::string_view diff_id) {
    const std::string name = TRY(layer_directory_name(diff_id));
    auto text = sys::read_file_at(layers_, name + "/record", kMaxRecord);
    if (!text) {
        if (text.error().kind != Errc::not_found) return std::move(text).error();
        return base::fail(Errc::not_found, "layer {}: not in the store", diff_id);
    }
    return parse_layer_record(*text).context(base::format("layer {}", diff_id));
}

std::string LayersOnDisk::directory_of(std::string_view diff_id) const {
    auto name = layer_directory_name(diff_id);
    return directory_ + "/layers/" + (name ? *name : std::string("invalid")) + "/tree";
}

Result<std::vector<std::string>> LayersOnDisk::list() {
    std::vector<std::string> ids;
    for (const auto& name : TRY(sys::list_directory(layers_))) ids.push_back(diff_id_of(name));
    return ids;
}

Result<std::uint64_t> LayersOnDisk::remove(std::string_view diff_id) {
    auto info = read_record(diff_id);
    if (!info)
        return info.error().kind == Errc::not_found ? Result<std::uint64_t>(std::uint64_t{0})
                                                    : std::move(info).error();
    const std::string name = TRY(layer_directory_name(diff_id));
    const std::string gone = TRY(random_name());
    // Away first, whole: a half-deleted layer must never be found.
    TRY(sys::rename_at(layers_, name, temporary_, gone, RENAME_NOREPLACE)
                .context(base::format("remove layer {}", diff_id)));
    if (::fsync(layers_.get()) != 0) return base::fail_errno("write the list of layers to disk");
    {
        const std::lock_guard lock(damaged_mutex_);
        if (const auto known = damaged_.find(diff_id); known != damaged_.end())
            damaged_.erase(known);
    }
    TRY(remove_tree(temporary_, gone).context(base::format("remove layer {}", diff_id)));
    return info->bytes;
}

Result<void> LayersOnDisk::recover() {
    Result<void> first;
    for (const auto& name : TRY(sys::list_directory(temporary_))) {
        auto removed = remove_tree(temporary_, name);
        if (!removed && first) first = std::move(removed);
    }
    for (const auto& name : TRY(sys::list_directory(layers_))) {
        // Cannot happen by us; a file system that lost the record lost perhaps more.
        if (TRY(sys::exists_at(layers_, name + "/record"))) continue;
        auto removed = remove_tree(layers_, name);
        if (!removed && first) first = std::move(removed);
    }
    return first;
}

Result<void> LayersOnDisk::load_damaged() {
    for (const auto& name : TRY(sys::list_directory(layers_))) {
        if (TRY(sys::exists_at(layers_, name + "/" + kDamagedFile)))
            damaged_.insert(diff_id_of(name));
    }
    return base::ok;
}

Result<LayerCheck> LayersOnDisk::verify(
        std::string_view diff_id, const std::atomic<bool>& cancelled) {
    LayerCheck out;
    const std::string name = TRY(layer_directory_name(diff_id));
    const auto info = read_record(diff_id);
    if (!info) {
        if (info.error().kind != Errc::not_found) return base::Error(info.error());
        out.state = LayerCheck::State::missing;
        return out;
    }
    if (info->seal.empty()) {
        out.state = LayerCheck::State::unsealed;
        return out;
    }
    const auto damaged = [&out](std::string finding) {
        out.state = LayerCheck::State::damaged;
        out.differences = 1;
        out.findings.push_back(std::move(finding));
        return out;
    };
    const auto seal = sys::read_file_at(layers_, name + "/" + kSealFile, kMaxSeal);
    if (!seal) return damaged("the seal cannot be read: " + seal.error().text);
    if (sha256(*seal).get() != info->seal) return damaged("the seal is not the recorded one");
    const Fd tree = TRY(sys::open_at(layers_, name + "/tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    auto check = TRY(
            check_seal(tree, *seal, cancelled).context(base::format("check layer {}", diff_id)));
    out.entries = check.entries;
    out.bytes = check.bytes;
    out.differences = check.differences;
    out.findings = std::move(check.findings);
    if (out.differences > 0) out.state = LayerCheck::State::damaged;
    return out;
}

Result<void> LayersOnDisk::mark_damaged(std::string_view diff_id) {
    const std::string name = TRY(layer_directory_name(diff_id));
    const Fd layer = TRY(sys::open_at(layers_, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(sys::write_atomic_at(layer, kDamagedFile, "", 0600, sys::Durable::yes));
    const std::lock_guard lock(damaged_mutex_);
    damaged_.emplace(diff_id);
    return base::ok;
}

bool LayersOnDisk::is_damaged(std::string_view diff_id) const {
    const std::lock_guard lock(damaged_mutex_);
    return damaged_.contains(diff_id);
}

// Away from where new containers look; the mounts that are there keep their descriptors of it.
Result<void> LayersOnDisk::retire(const std::string& diff_id) {
    const std::string name = TRY(layer_directory_name(diff_id));
    const std::string gone = name + kRetiredMark + TRY(random_name());
    auto moved = sys::rename_at(layers_, name, retired_, gone, RENAME_NOREPLACE);
    if (!moved && moved.error().kind != Errc::not_found) return moved;
    const std::lock_guard lock(damaged_mutex_);
    damaged_.erase(diff_id);
    return base::ok;
}

Result<std::vector<std::string>> LayersOnDisk::retired() {
    std::set<std::string> ids;
    for (const auto& name : TRY(sys::list_directory(retired_)))
        ids.insert(diff_id_of(name.substr(0, name.find(kRetiredMark))));
    return std::vector<std::string>(ids.begin(), ids.end());
}

Result<void> LayersOnDisk::remove_retired(std::string_view diff_id) {
    const std::string mark = TRY(layer_directory_name(diff_id)) + kRetiredMark;
    for (const auto& name : TRY(sys::list_directory(retired_))) {
        if (name.starts_with(mark)) TRY(remove_tree(retired_, name));
    }
    return base::ok;
}

}  // namespace

Result<std::unique_ptr<LayerStore>> LayerStore::open(
        std::string directory, std::string program, UnpackLimits limits) {
    if (limits.ratio == 0 || limits.layer_bytes == 0 || limits.entries == 0) {
        return base::fail(
                Errc::invalid, "layer store: limits of 0 ({} bytes, ratio {}, {} entries)",
                limits.layer_bytes, limits.ratio, limits.entries);
    }
    TRY(sys::ensure_directory(directory, 0700));
    Fd root = TRY(sys::open_host(directory, O_RDONLY | O_DIRECTORY));
    if (::fchmod(root.get(), 0700) != 0) return base::fail_errno("chmod {}", directory);  // NNP-05
    Fd layers = TRY(place(root, "layers"));
    Fd temporary = TRY(place(root, "tmp"));
    Fd retired = TRY(place(root, "retired"));
    auto store = std::make_unique<LayersOnDisk>(
            std::move(directory), std::move(program), limits, std::move(layers),
            std::move(temporary), std::move(retired));
    TRY(store->load_damaged());
    return std::unique_ptr<LayerStore>(std::move(store));
}

}  // namespace rootfs
