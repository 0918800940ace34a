// The pull of one image: from a source to layers in the store, several at once. Used by
// rootfs/images.cpp.
#pragma once

#include "base/result.hpp"
#include "rootfs/fetch/source.hpp"
#include "rootfs/flights.hpp"
#include "rootfs/images.hpp"
#include "rootfs/store/layers.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rootfs {

// Layers that a pull in progress relies on: removing leaves them alone until the image is recorded.
class Pins {
  public:
    void add(const std::string& diff_id);
    void drop(const std::string& diff_id);
    bool has(const std::string& diff_id) const;

  private:
    mutable std::mutex mutex_;
    std::map<std::string, unsigned> count_;
};

class PinSet {  // of one pull
  public:
    explicit PinSet(Pins& pins) : pins_(pins) {}

    PinSet(const PinSet&) = delete;
    PinSet& operator=(const PinSet&) = delete;

    ~PinSet() {
        for (const auto& layer : layers_) pins_.drop(layer);
    }

    void add(const std::string& diff_id) {
        pins_.add(diff_id);
        layers_.push_back(diff_id);
    }

  private:
    Pins& pins_;
    std::vector<std::string> layers_;
};

struct PullContext {
    LayerStore& store;
    Pins& pins;
    KeyedGate& gate;  // one worker per layer, also when different images share it
    base::FdRef scratch;
    std::uint32_t parallel = 4;
};

// Brings every layer of `resolved` into the store. `pins` hold them until the caller has recorded
// the image.
base::Result<Image> pull_layers(
        const PullContext& context,
        ImageSource& source,
        const Resolved& resolved,
        PinSet& pins,
        Report& report,
        std::atomic<bool>& cancel);

// A plain tar file as an image of one layer.
base::Result<Image> pull_tar(
        const PullContext& context,
        const std::string& path,
        PinSet& pins,
        Report& report,
        std::atomic<bool>& cancel);

}  // namespace rootfs
