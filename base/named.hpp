// Named<Tag, T>: a value that cannot be mixed up with another of the same representation (ids,
// quantities). Used for Handle, ProcessId, Digest, Uid and the like; parsing makes them, so an
// invalid one cannot exist.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace base {

template <class Tag, class T>
class Named {
  public:
    using representation = T;

    Named() = default;

    explicit Named(T value) : value_(std::move(value)) {}

    const T& get() const& { return value_; }

    T&& get() && { return std::move(value_); }

    // Strings are passed to the kernel and to formatting often enough to have these.
    const char* c_str() const requires requires(const T& t) { t.c_str(); }

    { return value_.c_str(); }

    bool empty() const requires requires(const T& t) { t.empty(); }

    { return value_.empty(); }

    friend auto operator<=>(const Named&, const Named&) = default;  // NOLINT: clang-tidy 14
    friend bool operator==(const Named&, const Named&) = default;

  private:
    T value_{};
};

}  // namespace base

template <class Tag, class T>
struct std::hash<base::Named<Tag, T>> {
    std::size_t operator()(const base::Named<Tag, T>& named) const {
        return std::hash<T>{}(named.get());
    }
};
