// Packed: numbers and texts one behind the other, without names: the form of records that there
// are very many of. Reading is bounded by the bytes that are there. Private to brain/model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace brain::model {

class Packer {
  public:
    explicit Packer(std::string& out) : out_(out) {}

    void number(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
        out_ += static_cast<char>(value);
    }

    void signed_number(std::int64_t value) {
        // The sign at the end: small numbers of both signs are short.
        const auto bits = static_cast<std::uint64_t>(value);
        number(value < 0 ? ~(bits << 1U) : bits << 1U);
    }

    void text(std::string_view value) {
        number(value.size());
        out_ += value;
    }

  private:
    std::string& out_;
};

// After the first thing that is not there or does not fit, everything reads as nothing.
class Unpacker {
  public:
    explicit Unpacker(std::string_view in) : in_(in) {}

    std::uint64_t number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (at_ == in_.size()) return fail();
            const auto byte = static_cast<unsigned char>(in_[at_++]);
            const std::uint64_t part = byte & 0x7FU;
            if (shift == 63 && part > 1) return fail();
            value |= part << shift;
            if ((byte & 0x80U) == 0) return value;
        }
        return fail();
    }

    std::int64_t signed_number() {
        const std::uint64_t value = number();
        return static_cast<std::int64_t>((value & 1U) != 0 ? ~(value >> 1U) : value >> 1U);
    }

    std::uint64_t number_up_to(std::uint64_t max) {
        const auto value = number();
        return value <= max ? value : fail();
    }

    // Of something that takes a byte at least: never more than there are bytes left.
    std::uint64_t count() {
        const auto value = number();
        return value <= in_.size() - at_ ? value : fail();
    }

    std::string text() {
        const auto size = count();
        const auto out = in_.substr(at_, size);
        at_ += out.size();
        return std::string(out);
    }

    bool complete() const { return !failed_ && at_ == in_.size(); }

  private:
    std::uint64_t fail() {
        failed_ = true;
        at_ = in_.size();
        return 0;
    }

    std::string_view in_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

}  // namespace brain::model
