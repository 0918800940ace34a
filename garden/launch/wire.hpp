// Writer and Reader of flat little structures: fixed integers in native order, strings and lists
// with a count in front. Used by the plan codec and the shim protocol; both ends run on one
// machine.
#pragma once

#include "base/result.hpp"
#include "base/sys/error.hpp"

#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace garden::launch {

template <class T>
concept Scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// How a structure is written and read: `visit(archive, value)` names its fields once for both
// directions.
class Writer {
  public:
    template <Scalar T>
    void operator()(const T& value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }

    void operator()(const bool& value) { operator()(static_cast<std::uint8_t>(value ? 1 : 0)); }

    void operator()(const std::string& text) {
        operator()(static_cast<std::uint32_t>(text.size()));
        bytes_ += text;
    }

    template <class T>
    void operator()(const std::vector<T>& list) {
        operator()(static_cast<std::uint32_t>(list.size()));
        for (const auto& item : list) operator()(item);
    }
    template <class T>
    requires std::is_class_v<T>

    void operator()(const T& value) { visit(*this, value); }

    std::string take() && { return std::move(bytes_); }

  private:
    std::string bytes_;
};

// After the first failure nothing more is read; finish() tells which failure it was.
class Reader {
  public:
    Reader(std::string_view bytes, std::size_t max_list) : rest_(bytes), max_list_(max_list) {}

    template <class T>

    requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>) void operator()(T& value) {
        take(&value, sizeof value);
    }
    template <class T>
    requires std::is_enum_v<T>

    void operator()(T& value) {
        std::underlying_type_t<T> number{};
        operator()(number);
        if (!is_known(static_cast<T>(number))) return fail("unknown enumerator");
        value = static_cast<T>(number);
    }

    void operator()(bool& value) {
        std::uint8_t number = 0;
        operator()(number);
        if (number > 1) return fail("boolean is neither 0 nor 1");
        value = number == 1;
    }

    void operator()(std::string& text) {
        std::uint32_t size = 0;
        operator()(size);
        if (size > rest_.size()) return fail("string is longer than the message");
        text.assign(rest_.substr(0, size));
        rest_.remove_prefix(size);
    }

    template <class T>
    void operator()(std::vector<T>& list) {
        std::uint32_t count = 0;
        operator()(count);
        // An entry takes a byte at least, so a count can never make us reserve more than the
        // message holds.
        if (count > max_list_ || count > rest_.size()) return fail("list has too many entries");
        list.clear();
        for (std::uint32_t i = 0; i < count && problem_ == nullptr; ++i) {
            list.emplace_back();
            operator()(list.back());
        }
    }
    template <class T>
    requires std::is_class_v<T>

    void operator()(T& value) { visit(*this, value); }

    void fail(const char* problem) {
        if (problem_ == nullptr) problem_ = problem;
        rest_ = {};
    }

    base::Result<void> finish(std::string_view what) {
        if (problem_ == nullptr && !rest_.empty()) problem_ = "bytes follow the end";
        if (problem_ == nullptr) return base::ok;
        std::string text("read ");
        text.append(what).append(": ").append(problem_);
        return base::sys::plain_error(base::Errc::corrupt, std::move(text));
    }

  private:
    void take(void* to, std::size_t size) {
        if (size > rest_.size()) return fail("ends too early");
        std::memcpy(to, rest_.data(), size);
        rest_.remove_prefix(size);
    }

    std::string_view rest_;
    std::size_t max_list_;
    const char* problem_ = nullptr;
};

}  // namespace garden::launch
