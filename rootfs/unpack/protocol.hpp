// What rootfs-unpack says on its result descriptor: small frames, bounded, as the sender may have
// been taken over by an image. Written by rootfs/unpack, read by rootfs/store.
#pragma once

#include "base/fail.hpp"
#include "base/parse.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rootfs {

// Descriptors of the program, given by the layer store.
inline constexpr int kResultFd = 3;
inline constexpr int kBlobFd = 4;
inline constexpr int kTargetFd = 5;

//   unpacker                                store
//      ── progress <blob bytes read> ──────►    any number of times
//      ── opaque <directory> ──────────────►    after the last write, one per directory
//      ── done <digest> <4 counts> ────────►    once, last
//      ── failed <kind> <text> ────────────►    instead of done
enum class FrameType : char { progress = 'p', opaque = 'o', done = 'd', failed = 'f' };

inline constexpr std::size_t kMaxFrame = 8'192;  // a path has at most 4,096 bytes (IMG-04)

struct Frame {
    FrameType type = FrameType::failed;
    std::string payload;
};

inline std::string encode_frame(FrameType type, std::string_view payload) {
    payload = payload.substr(0, kMaxFrame);
    std::string out(1, static_cast<char>(type));
    const auto size = static_cast<std::uint32_t>(payload.size());
    for (unsigned shift = 0; shift < 32; shift += 8)
        out += static_cast<char>((size >> shift) & 0xff);
    out += payload;
    return out;
}

// Collects bytes and gives whole frames.
class FrameReader {
  public:
    void add(std::string_view bytes) {
        if (at_ > kMaxFrame) {
            data_.erase(0, at_);
            at_ = 0;
        }
        data_ += bytes;
    }

    // Nothing: more bytes are needed. Errc::corrupt: no frame of ours.
    base::Result<std::optional<Frame>> next() {
        constexpr std::size_t kHeader = 5;
        const std::string_view rest = std::string_view(data_).substr(at_);
        if (rest.size() < kHeader) return std::optional<Frame>{};
        std::uint32_t size = 0;
        for (unsigned i = 0; i < 4; ++i)
            size |= std::uint32_t{static_cast<unsigned char>(rest[1 + i])} << (8 * i);
        const auto type = static_cast<FrameType>(rest[0]);
        const bool known = type == FrameType::progress || type == FrameType::opaque ||
                           type == FrameType::done || type == FrameType::failed;
        if (!known || size > kMaxFrame)
            return base::fail(base::Errc::corrupt, "the unpacker sent a frame that is none");
        if (rest.size() < kHeader + size) return std::optional<Frame>{};
        Frame frame{.type = type, .payload = std::string(rest.substr(kHeader, size))};
        at_ += kHeader + size;
        return std::optional<Frame>(std::move(frame));
    }

    bool empty() const { return at_ == data_.size(); }

  private:
    std::string data_;
    std::size_t at_ = 0;
};

struct Unpacked {
    std::string digest;  // "sha256:…" of the uncompressed stream
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
    std::uint64_t skipped_devices = 0;
    std::uint64_t dropped_xattrs = 0;
};

inline std::string print_unpacked(const Unpacked& unpacked) {
    return base::format(
            "{} {} {} {} {}", unpacked.digest, unpacked.bytes, unpacked.entries,
            unpacked.skipped_devices, unpacked.dropped_xattrs);
}

inline base::Result<Unpacked> parse_unpacked(std::string_view text) {
    Unpacked out;
    const auto space = text.find(' ');
    out.digest = text.substr(0, space);
    constexpr std::string_view kPrefix = "sha256:";
    constexpr std::size_t kDigest = kPrefix.size() + 64;
    if (out.digest.size() != kDigest || out.digest.compare(0, kPrefix.size(), kPrefix) != 0 ||
        out.digest.find_first_not_of("0123456789abcdef", kPrefix.size()) != std::string::npos) {
        return base::fail(base::Errc::corrupt, "the unpacker sent a digest that is none");
    }
    text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
    const std::array fields{&out.bytes, &out.entries, &out.skipped_devices, &out.dropped_xattrs};
    for (std::uint64_t* field : fields) {
        const auto end = text.find(' ');
        *field = TRY(
                base::parse_number<std::uint64_t>(text.substr(0, end), "a count of the unpacker"));
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return out;
}

}  // namespace rootfs
