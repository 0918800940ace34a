// A watch of one prefix over etcd, on a thread of its own: goes on at another endpoint where one
// fails, and says when it cannot. Used by the etcd driver.
#pragma once

#include "brain/store/etcd_client.hpp"
#include "brain/store/store.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace brain::store {

// Events of one revision that come in pieces are kept until they are whole.
inline constexpr std::size_t kMaxFragments = std::size_t{64} << 20;

class EtcdWatch final : public Store::Watch {
  public:
    struct Plan {
        std::string all;     // what is watched: everything of this store
        std::string marker;  // a key that every commit writes
        std::string data;    // before each key; not part of what is told
        std::string prefix;
        std::function<void(const Change&)> seen;
        std::function<void(const base::Error&)> broken;
    };

    static base::Result<std::unique_ptr<Store::Watch>> open(
            std::shared_ptr<EtcdClient> client, Plan plan);

    EtcdWatch(std::shared_ptr<EtcdClient> client, Plan plan)
        : client_(std::move(client)), plan_(std::move(plan)) {}

    EtcdWatch(const EtcdWatch&) = delete;
    EtcdWatch& operator=(const EtcdWatch&) = delete;
    ~EtcdWatch() override = default;

  private:
    void loop(const std::stop_token& stop);
    // Nothing: it goes on. An error: changes may have been missed.
    base::Result<void> step(const std::stop_token& stop);
    base::Result<void> take(EtcdNews news);
    base::Result<void> look_after_silence(const std::stop_token& stop);
    base::Result<void> open_again(std::size_t first, const std::stop_token& stop);

    const std::shared_ptr<EtcdClient> client_;  // owners: the store, and each watch
    const Plan plan_;
    std::optional<EtcdStream> stream_;
    std::int64_t next_ = 0;  // the first revision that was not told
    std::vector<EtcdEvent> fragments_;
    std::size_t fragment_bytes_ = 0;
    std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace brain::store
