// File systems with quotas, each in a file of its own mounted on a temporary directory, and volumes
// on them. Used by the tests of quota drivers.
#pragma once

#include "rootfs/volumes.hpp"
#include "tests/kernel/rootfs/volumes_world.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace test {

// A kind of file system for a directory of volumes; made, mounted, and gone with the test.
struct Kind {
    std::string type;                  // "" = the file system of the temporary directory
    std::vector<std::string> make;     // mkfs and its options; the file comes last
    std::vector<std::string> options;  // of the mount
    rootfs::QuotaDriver driver = rootfs::QuotaDriver::none;
};

extern const Kind kXfs;
extern const Kind kExt4;
extern const Kind kBtrfs;
extern const Kind kLoop;
extern const Kind kNone;

class FileSystem {
  public:
    explicit FileSystem(const Kind& kind);
    FileSystem(const FileSystem&) = delete;
    FileSystem& operator=(const FileSystem&) = delete;
    ~FileSystem();

    // "" or why this kernel or machine cannot.
    const std::string& missing() const { return missing_; }

    std::string operator/(const std::string& name) const { return mounted_on_ + "/" + name; }

    std::uint32_t device() const { return number_; }

  private:
    void make(const Kind& kind);

    Scratch scratch_;
    std::string mounted_on_;
    std::string missing_;
    std::uint32_t number_ = 0;
    bool mounted_ = false;
};

// Volumes with one small layer on a file system of some kind.
class QuotaWorld {
  public:
    explicit QuotaWorld(const Kind& kind);

    // Says why on standard output when the test cannot run here; fails under CLOCHE_NO_SKIP=1.
    bool skip() const;
    void start();  // also what a restart does
    rootfs::VolumeRequest request(
            const std::string& name,
            std::uint64_t limit,
            const UserNamespace* user_namespace = nullptr) const;
    // Waits until the files of `name` ("" = all) are gone.
    void wait_deleted(const std::string& name) const;

    FileSystem files;
    Scratch scratch;
    PlainImages images;
    rootfs::Image image;
    rootfs::QuotaDriver driver;
    std::unique_ptr<rootfs::Volumes> volumes;
};

// Inside a container: writes `size` bytes to a new file and closes it; 0 or errno.
int write_bytes(const char* path, std::uint64_t size);
// Runs a program to its end; its exit status.
int run_program(const std::vector<std::string>& argv);
// "loopN file" of the attached devices whose file is below `directory`.
std::vector<std::string> loops_below(const std::string& directory);

}  // namespace test
