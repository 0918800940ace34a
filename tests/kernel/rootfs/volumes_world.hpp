// A temporary store, hand-made layers, user namespaces, and code run inside a volume. Used by the
// tests of layers and volumes.
#pragma once

#include "base/fd.hpp"
#include "rootfs/images.hpp"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

namespace test {

// A directory of this test alone, removed with everything in it.
class Scratch {
  public:
    Scratch();
    explicit Scratch(const std::string& below);
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch();

    const std::string& path() const { return path_; }

    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

// A user namespace with 65,536 ids from `base`, kept by a sleeping child.
class UserNamespace {
  public:
    explicit UserNamespace(std::uint32_t base);
    UserNamespace(const UserNamespace&) = delete;
    UserNamespace& operator=(const UserNamespace&) = delete;
    ~UserNamespace();

    base::FdRef fd() const { return fd_; }

    std::uint32_t base() const { return base_; }

  private:
    std::uint32_t base_;
    pid_t keeper_ = -1;
    base::Fd fd_;
};

// Runs `body` as root of the namespace (of the host when null) with `root` as its root directory;
// its return value, or 256 + signal. Inside, use plain system calls: the body is a container's
// program.
int run_inside(
        base::FdRef root, const UserNamespace* user_namespace, const std::function<int()>& body);

// Layers are plain directories below one place: what the layer store would give.
class PlainImages : public rootfs::Images {
  public:
    explicit PlainImages(std::string directory) : directory_(std::move(directory)) {}

    base::Result<rootfs::Image> ensure(
            const rootfs::ImageRequest&,
            const std::function<void(const rootfs::Progress&)>&,
            const std::atomic<bool>&) override;
    base::Result<std::vector<rootfs::ImageRow>> list() override;
    base::Result<rootfs::Image> inspect(std::string_view) override;

    base::Result<std::vector<rootfs::TrustDecision>> decisions(std::string_view) override {
        return std::vector<rootfs::TrustDecision>{};
    }

    base::Result<void> remove(std::string_view) override;
    base::Result<std::uint64_t> prune() override;

    base::Result<std::uint64_t> prune_unused_for(std::chrono::seconds) override {
        return std::uint64_t{0};
    }

    base::Result<rootfs::VerifyReport> verify(std::string_view, const std::atomic<bool>&) override {
        return rootfs::VerifyReport{};
    }

    rootfs::StoreFigures figures() override { return {}; }

    base::Result<void> hold(const rootfs::Image&, std::string_view) override;
    base::Result<void> release(std::string_view) override;
    base::Result<std::vector<std::string>> owners() override;
    base::Result<void> recover() override;

    std::string layer_directory(std::string_view diff_id) const override {
        return directory_ + "/" + std::string(diff_id);
    }

  private:
    std::string directory_;
};

void write_file(const std::string& path, const std::string& text, mode_t mode = 0644);
std::string read_file(const std::string& path);  // "" when missing
std::size_t count_entries(const std::string& directory);

}  // namespace test
