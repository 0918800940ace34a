#include "rootfs/unpack/tar_stream.hpp"

#include "base/fail.hpp"
#include "rootfs/unpack/decoder.hpp"

#include <unistd.h>

#include <openssl/evp.h>

namespace rootfs {

using base::Errc;
using base::Result;

namespace {

constexpr std::size_t kInput = std::size_t{256} << 10;
constexpr std::size_t kOutput = std::size_t{256} << 10;
constexpr std::uint64_t kReportEvery = std::uint64_t{1} << 20;

}  // namespace

class Sha256 {
  public:
    Sha256() : context_(::EVP_MD_CTX_new()) {
        if (context_ == nullptr || ::EVP_DigestInit_ex(context_, ::EVP_sha256(), nullptr) != 1) {
            base::panic("SHA-256 is not available");
        }
    }

    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    ~Sha256() { ::EVP_MD_CTX_free(context_); }

    void add(std::span<const char> bytes) {
        if (::EVP_DigestUpdate(context_, bytes.data(), bytes.size()) != 1)
            base::panic("SHA-256 failed");
    }

    std::string finish() {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        if (::EVP_DigestFinal_ex(context_, digest, &size) != 1) base::panic("SHA-256 failed");
        std::string out = "sha256:";
        for (unsigned i = 0; i < size; ++i) out += base::format("{:02x}", digest[i]);
        return out;
    }

  private:
    EVP_MD_CTX* context_;
};

TarStream::TarStream(
        Compression compression, UnpackLimits limits, std::function<void(std::uint64_t)> progress)
    : limits_(limits),
      progress_(std::move(progress)),
      decoder_(make_decoder(compression)),
      hash_(std::make_unique<Sha256>()),
      input_(kInput, '\0'),
      output_(kOutput, '\0') {}

TarStream::~TarStream() = default;

Result<void> TarStream::refill() {
    ssize_t n = 0;
    do {
        n = ::read(blob_.get(), input_.data(), input_.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0) return base::fail_errno("read the blob");
    ended_ = n == 0;
    pending_ = std::span<const char>(input_.data(), static_cast<std::size_t>(n));
    read_ += static_cast<std::uint64_t>(n);
    if (progress_ && (ended_ || read_ - reported_ >= kReportEvery)) {
        reported_ = read_;
        progress_(read_);
    }
    return base::ok;
}

// Looked at after each block, so that a bomb stops early (IMG-04).
Result<void> TarStream::check_limits() const {
    if (decoded_ > limits_.layer_bytes) {
        return base::fail(
                Errc::exhausted, "the layer has more than the allowed {} bytes unpacked",
                limits_.layer_bytes);
    }
    if (decoded_ > limits_.ratio_free_bytes && decoded_ / limits_.ratio > read_) {
        return base::fail(
                Errc::exhausted,
                "the layer grows from {} to {} bytes, more than the allowed ratio of {}", read_,
                decoded_, limits_.ratio);
    }
    return base::ok;
}

Result<std::span<const char>> TarStream::next() {
    for (;;) {
        if (pending_.empty() && !ended_) TRY(refill());
        const std::size_t before = pending_.size();
        const std::size_t n = TRY(decoder_->decode(pending_, ended_, output_));
        if (n > 0) {
            const std::span<const char> block(output_.data(), n);
            hash_->add(block);
            decoded_ += n;
            TRY(check_limits());
            return block;
        }
        if (ended_ && pending_.empty()) return std::span<const char>{};
        if (before != 0 && pending_.size() == before)
            return base::fail(Errc::corrupt, "the blob cannot be decompressed");
    }
}

Result<void> TarStream::drain() {
    while (!TRY(next()).empty()) {
    }
    return base::ok;
}

std::string TarStream::digest() {
    return hash_->finish();
}

}  // namespace rootfs
