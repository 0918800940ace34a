// The text of image records on disk. Used by rootfs/image/records.cpp.
#pragma once

#include "base/result.hpp"
#include "rootfs/image/records.hpp"

#include <string>
#include <string_view>

namespace rootfs {

std::string to_text(const ImageRecord& record);
std::string to_text(const ReferenceRecord& record);
base::Result<ImageRecord> parse_image_record(std::string_view text);
base::Result<ReferenceRecord> parse_reference_record(std::string_view text);

}  // namespace rootfs
