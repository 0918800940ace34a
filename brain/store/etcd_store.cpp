#include "base/fail.hpp"
#include "brain/store/store.hpp"

namespace brain::store {

base::Result<std::unique_ptr<Store>> open_etcd(const EtcdConfig&) {
    return base::fail(base::Errc::unsupported, "this build has no etcd driver");
}

}  // namespace brain::store
