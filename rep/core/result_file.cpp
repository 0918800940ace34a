#include "rep/core/result_file.hpp"

#include "base/fail.hpp"
#include "brain/api/task.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace rep::core {

namespace {

using base::Errc;
using base::fail;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kMaxPrefix = 64 * 1024;  // of one extended header
constexpr int kMaxHeaders = 8;                 // before the file
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kSizeLength = 12;

// Exactly so many bytes; fewer only at the end of the stream.
base::Result<std::string> read(executor::api::FileStream& tar, std::size_t size) {
    std::string out(size, '\0');
    std::size_t at = 0;
    while (at < size) {
        const auto got = TRY(tar.read_some(std::span(out).subspan(at)));
        if (got == 0) break;
        at += got;
    }
    out.resize(at);
    return out;
}

base::Result<std::uint64_t> size_of(const std::string& header) {
    auto field = std::string_view(header).substr(kSizeAt, kSizeLength);
    // Base 256 is for files far over our limit.
    if (static_cast<unsigned char>(field.front()) >= 0x80)
        return fail(
                Errc::exhausted, "result file is too large (over {} bytes)",
                brain::api::kMaxResult);
    while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), size, 8);
    if (error != std::errc{} || end == field.data())
        return fail(Errc::corrupt, "result file: no size in the tar header");
    return size;
}

std::size_t padded(std::uint64_t size) {
    return static_cast<std::size_t>((size + kBlock - 1) / kBlock * kBlock);
}

}  // namespace

base::Result<std::string> read_result(executor::api::FileStream& tar) {
    for (int i = 0; i < kMaxHeaders; ++i) {
        const auto header = TRY(read(tar, kBlock));
        if (header.size() < kBlock || header.front() == '\0')
            return fail(Errc::corrupt, "result file: the tar stream holds no file");
        const auto size = TRY(size_of(header));
        const char type = header[kTypeAt];
        if (type == '0' || type == '\0') {
            if (size > brain::api::kMaxResult)
                return fail(
                        Errc::exhausted, "result file is too large (over {} bytes)",
                        brain::api::kMaxResult);
            auto content = TRY(read(tar, static_cast<std::size_t>(size)));
            if (content.size() < size)
                return fail(Errc::corrupt, "result file: cut at {} bytes", content.size());
            return content;
        }
        // Long names and extended attributes stand in front of their file.
        if (std::string_view("xgLK").find(type) == std::string_view::npos)
            return fail(Errc::corrupt, "result file: not a regular file");
        if (size > kMaxPrefix)
            return fail(Errc::corrupt, "result file: a tar header of {} bytes", size);
        (void)TRY(read(tar, padded(size)));
    }
    return fail(Errc::corrupt, "result file: more than {} tar headers", kMaxHeaders);
}

}  // namespace rep::core
