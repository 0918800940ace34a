// Sets one effective capability of the calling thread aside for a scope. Used by rootfs/volume when
// it mounts: an overlay acts for ever with the rights of the thread that mounted it.
#pragma once

namespace base::sys {

class WithoutCapability {
  public:
    explicit WithoutCapability(unsigned capability) noexcept;
    WithoutCapability(const WithoutCapability&) = delete;
    WithoutCapability& operator=(const WithoutCapability&) = delete;
    ~WithoutCapability();

  private:
    bool dropped_ = false;
    unsigned capability_;
};

}  // namespace base::sys
