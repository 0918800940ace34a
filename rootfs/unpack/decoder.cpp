#include "rootfs/unpack/decoder.hpp"

#include "base/fail.hpp"

#include <algorithm>
#include <cstring>

#include <isa-l/igzip_lib.h>
#include <zstd.h>

namespace rootfs {

using base::Errc;
using base::Result;

namespace {

class Plain : public Decoder {
  public:
    Result<std::size_t> decode(
            std::span<const char>& input, bool, std::span<char> output) override {
        const std::size_t n = std::min(input.size(), output.size());
        std::memcpy(output.data(), input.data(), n);
        input = input.subspan(n);
        return n;
    }
};

class Gzip : public Decoder {
  public:
    Gzip() : state_(std::make_unique<inflate_state>()) {
        ::isal_inflate_init(state_.get());
        state_->crc_flag = ISAL_GZIP;  // it reads headers and checks trailers, too
    }

    Result<std::size_t> decode(
            std::span<const char>& input, bool last, std::span<char> output) override {
        if (state_->block_state == ISAL_BLOCK_FINISH) {
            if (input.empty()) return std::size_t{0};  // a whole number of members: a clean end
            // Like the reference reader: members may follow each other, anything else is refused
            // (IMG-27).
            if (static_cast<unsigned char>(input[0]) != 0x1f) {
                return base::fail(
                        Errc::corrupt, "gzip: {} or more bytes follow the end of the stream",
                        input.size());
            }
            ::isal_inflate_reset(state_.get());
            state_->crc_flag = ISAL_GZIP;
        }
        // isa-l's fields are unsigned char and 32 bits wide; our buffers are far below that.
        state_->next_in =
                const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(input.data()));
        state_->avail_in = static_cast<std::uint32_t>(input.size());
        state_->next_out = reinterpret_cast<std::uint8_t*>(output.data());
        state_->avail_out = static_cast<std::uint32_t>(output.size());
        const int status = ::isal_inflate(state_.get());
        if (status < 0) {
            const char* why = status == ISAL_INCORRECT_CHECKSUM ? "the checksum does not match"
                                                                : "not a valid stream";
            return base::fail(Errc::corrupt, "gzip: {}", why);
        }
        input = input.subspan(input.size() - state_->avail_in);
        const std::size_t written = output.size() - state_->avail_out;
        if (written == 0 && last && input.empty() && state_->block_state != ISAL_BLOCK_FINISH) {
            return base::fail(Errc::corrupt, "gzip: the stream is cut off");
        }
        return written;
    }

  private:
    std::unique_ptr<inflate_state> state_;
};

struct FreeZstd {
    void operator()(ZSTD_DCtx* context) const { (void)::ZSTD_freeDCtx(context); }
};

class Zstd : public Decoder {
  public:
    Zstd() : context_(::ZSTD_createDCtx()) {}

    Result<std::size_t> decode(
            std::span<const char>& input, bool last, std::span<char> output) override {
        ZSTD_inBuffer in{.src = input.data(), .size = input.size(), .pos = 0};
        ZSTD_outBuffer out{.dst = output.data(), .size = output.size(), .pos = 0};
        while (out.pos < out.size && (in.pos < in.size || hint_ != 0)) {
            const std::size_t before = in.pos + out.pos;
            hint_ = ::ZSTD_decompressStream(context_.get(), &out, &in);
            if (::ZSTD_isError(hint_) != 0)
                return base::fail(Errc::corrupt, "zstd: {}", ::ZSTD_getErrorName(hint_));
            if (in.pos + out.pos == before) break;
        }
        started_ = started_ || in.pos > 0;
        input = input.subspan(in.pos);
        if (out.pos == 0 && last && input.empty() && (hint_ != 0 || !started_)) {
            return base::fail(Errc::corrupt, "zstd: the stream is cut off");
        }
        return out.pos;
    }

  private:
    std::unique_ptr<ZSTD_DCtx, FreeZstd> context_;
    std::size_t hint_ = 0;  // 0: between frames
    bool started_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(Compression compression) {
    switch (compression) {
        case Compression::none:
            return std::make_unique<Plain>();
        case Compression::gzip:
            return std::make_unique<Gzip>();
        case Compression::zstd:
            return std::make_unique<Zstd>();
    }
    return nullptr;
}

}  // namespace rootfs
