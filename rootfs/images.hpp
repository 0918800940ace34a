// The image side of rootfs: from a reference to an unpacked, verified image. Used by garden/engine.
// Blocking; run it on the pull pool. Safe from any thread; concurrent pulls of one image do the
// work once.
#pragma once

#include "base/result.hpp"
#include "rootfs/store_limit.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs {

struct ImageRequest {
    std::string uri;  // garden-api 5.1 forms, oci:///dir[:tag], oci-archive:, docker-archive:,
                      // /file.tar, /dir, preloaded:NAME, raw:///dir
    std::string username;
    std::string password;
};

struct ImageConfig {  // the honoured fields of IMG-07
    std::vector<std::string> env;
    std::string user;
    std::string working_dir;
    std::vector<std::string> entrypoint;
    std::vector<std::string> cmd;
    std::string stop_signal;
};

struct Image {
    std::string reference;  // as asked for, without credentials
    std::string digest;  // of the manifest, "sha256:…" (for a tar or directory: of its content key)
    std::vector<std::string>
            layers;  // diff ids, lowest first; each has an unpacked tree in the store
    ImageConfig config;
    std::uint64_t size = 0;     // unpacked bytes of all layers
    std::string raw_directory;  // raw:///dir only: used as it is, no layers
};

struct Progress {
    enum class Step : std::uint8_t { resolving, downloading, unpacking, verifying, done };
    Step step = Step::resolving;
    std::string layer;          // digest, "" for the image as a whole
    std::uint64_t current = 0;  // bytes
    std::uint64_t total = 0;    // 0 = unknown
    std::string
            note;  // "" or a sentence for people: "registry … does not answer, using the copy of …"
};

// What satisfied one requirement of the image policy (IMG-44).
struct TrustProof {
    std::string requirement;  // the word of the policy: "cosign-key"
    std::string key;          // who signed: "sha256:…" of the public key
    std::string digest;       // what was signed: the image, or the manifest chosen from its index
    std::string identity;     // the name the signature speaks of
};

// Whether an image may be used under a name, and why. Kept with the name, and told to on_decision.
struct TrustDecision {
    bool accepted = false;
    std::string name;    // "host/repository:tag", "host/repository@digest", or a local path
    std::string digest;  // of the image
    std::string policy;  // digest of the policy and its keys; "" = there was none
    std::string rule;    // "default", "local", a scope; "" = no policy
    std::string reason;  // why it was refused
    std::int64_t decided_at = 0;  // seconds since 1970
    std::vector<TrustProof> proofs;
};

struct ImageRow {
    std::string reference;
    std::string digest;
    std::uint64_t size = 0;
    std::int64_t created_at = 0;  // when pulled, seconds since 1970
    std::uint32_t used_by = 0;    // containers
    std::size_t layers = 0;
};

// What a look at the unpacked layers found (IMG-02).
struct LayerCheck {
    enum class State : std::uint8_t {
        good,
        damaged,   // marked: fetched again when an image of it is used next
        unsealed,  // unpacked by an older version, which did not write down what it unpacked
        missing
    };
    State state = State::good;
    std::uint64_t entries = 0;  // looked at
    std::uint64_t bytes = 0;    // read
    std::uint64_t differences = 0;
    std::vector<std::string> findings;  // "changed: bin/sh (content)"; the first 32
};

struct VerifyReport {
    struct Layer {
        std::string diff_id;
        std::vector<std::string> images;  // names of those that are made of it
        LayerCheck check;
    };

    std::vector<Layer> layers;
};

struct Collected {    // images that went
    std::string why;  // "age", "disk", "pull" or "asked"
    std::uint64_t images = 0;
    std::uint64_t freed_bytes = 0;
};

struct StoreFigures {
    std::uint64_t bytes = 0;  // of unpacked layers
    std::uint64_t disk_used = 0;
    std::uint64_t disk_size = 0;
    std::uint64_t collected_images = 0;  // since the start
    std::uint64_t collected_bytes = 0;
};

struct ImagesConfig {
    std::string directory;       // the store, 0700 root; made when missing
    std::string unpack_program;  // absolute path of rootfs-unpack
    std::string docker_registry =
            "registry-1.docker.io";  // for docker:///name; also "host:port", "http://host:port"
    std::vector<std::string> insecure_registries;                // "host:port"; plain HTTP allowed
    std::vector<std::string> mirrors;                            // tried before docker_registry
    std::string ca_file;                                         // "" = system
    std::vector<std::pair<std::string, std::string>> preloaded;  // NAME -> path or uri
    std::uint32_t parallel_downloads = 4;
    bool require_digest = false;  // IMG-06: refuse registry references without @digest
    std::string policy_file;      // IMG-40: who must have signed what; "" = everything is accepted
    // Told of every decision that was made anew, accepted or not, before the image is used
    // (IMG-44). On any thread; must not call back.
    std::function<void(const TrustDecision&)> on_decision;
    std::function<void(const std::string& diff_id, const std::vector<std::string>& findings)>
            on_damage;
    std::function<void(const Collected&)> on_collected;
    std::chrono::seconds gc_max_age{0};  // unused for so long: it goes; 0 = never
    StoreLimit gc_high_watermark;        // over this, images go by last use …
    StoreLimit gc_low_watermark;         // … down to this; not set = the high one
    std::chrono::milliseconds gc_interval{60'000};
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds stall_timeout{20'000};  // no byte for so long: the registry hangs
    std::chrono::milliseconds pull_timeout{3'600'000};
    std::uint32_t attempts = 5;  // of one request
};

// What can be said about a configuration before a store is opened: the policy and its keys, the
// watermarks.
base::Result<void> check_images_config(const ImagesConfig& config);

class Images {
  public:
    static base::Result<std::unique_ptr<Images>> open(ImagesConfig config);
    virtual ~Images() = default;

    // Resolves, downloads, verifies and unpacks what is missing. `cancelled` is looked at between
    // blocks. A tag is resolved at its registry each time (one HEAD request when the image is
    // here); when the registry does not answer, the copy is used if these credentials have been
    // accepted for it before, and progress says so. A digest that is here needs no registry.
    // `progress` is called on the caller's thread, some 20 times a second at most.
    virtual base::Result<Image> ensure(
            const ImageRequest& request,
            const std::function<void(const Progress&)>& progress,
            const std::atomic<bool>& cancelled) = 0;
    virtual base::Result<std::vector<ImageRow>> list() = 0;
    virtual base::Result<Image> inspect(std::string_view reference_or_digest) = 0;
    // Why an image may be used, for each of its names that a policy was asked about.
    virtual base::Result<std::vector<TrustDecision>> decisions(
            std::string_view reference_or_digest) = 0;
    virtual base::Result<void> remove(
            std::string_view reference_or_digest) = 0;  // conflict while in use
    virtual base::Result<std::uint64_t> prune() = 0;    // bytes freed
    // Only what no container has used for so long.
    virtual base::Result<std::uint64_t> prune_unused_for(std::chrono::seconds time) = 0;
    // Reads layers again; "" = of every image. Damaged ones are marked and told to on_damage.
    virtual base::Result<VerifyReport> verify(
            std::string_view reference_or_digest, const std::atomic<bool>& cancelled) = 0;
    virtual StoreFigures figures() = 0;
    // Marks an image as used by `owner` (a handle), durably; released by the same name. Idempotent.
    virtual base::Result<void> hold(const Image& image, std::string_view owner) = 0;
    virtual base::Result<void> release(std::string_view owner) = 0;
    virtual base::Result<std::vector<std::string>> owners() = 0;
    // Removes what an interrupted pull left; called once at start, before serving.
    virtual base::Result<void> recover() = 0;
    virtual std::string layer_directory(std::string_view diff_id) const = 0;  // the unpacked tree
};

}  // namespace rootfs
