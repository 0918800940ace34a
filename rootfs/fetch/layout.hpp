// Images on the local disk: an OCI layout (directory or tar) and the archive of `docker save`. Used
// by rootfs/pull.cpp.
#pragma once

#include "base/result.hpp"
#include "rootfs/fetch/files.hpp"
#include "rootfs/fetch/source.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rootfs {

class LayoutSource final : public ImageSource {
  public:
    // `tag`: the annotation org.opencontainers.image.ref.name to look for; "" = the only image, or
    // the platform's.
    LayoutSource(std::unique_ptr<Files> files, std::string tag)
        : files_(std::move(files)), tag_(std::move(tag)) {}

    base::Result<Resolved> resolve(const Cancelled& cancelled) override;
    base::Result<base::Fd> layer(
            const Descriptor& layer,
            base::FdRef scratch,
            const ByteCount& received,
            const Cancelled& cancelled) override;

  private:
    base::Result<std::string> blob(const Descriptor& descriptor, std::size_t limit) const;

    std::unique_ptr<Files> files_;
    std::string tag_;
};

class DockerArchiveSource final : public ImageSource {
  public:
    // `name`: "repository:tag" to look for; "" = the only image.
    DockerArchiveSource(std::unique_ptr<Files> files, std::string name)
        : files_(std::move(files)), name_(std::move(name)) {}

    // The layers' digests stay empty: the archive knows none, the diff ids of the config are
    // checked when unpacking (IMG-29).
    base::Result<Resolved> resolve(const Cancelled& cancelled) override;
    base::Result<base::Fd> layer(
            const Descriptor& layer,
            base::FdRef scratch,
            const ByteCount& received,
            const Cancelled& cancelled) override;

  private:
    std::unique_ptr<Files> files_;
    std::string name_;
};

}  // namespace rootfs
