// Box<T>: a T on the heap with the semantics of a value, so that a type can contain itself. Used by
// recursive wire types (actions). Never empty but after a move.
#pragma once

#include <memory>
#include <utility>

namespace base {

template <class T>
class Box {
  public:
    Box() : value_(std::make_unique<T>()) {}

    Box(T value)  // NOLINT(google-explicit-constructor): a box is its value
        : value_(std::make_unique<T>(std::move(value))) {}

    Box(const Box& other) : value_(std::make_unique<T>(*other)) {}

    Box(Box&&) noexcept = default;

    Box& operator=(const Box& other) {
        if (this != &other) value_ = std::make_unique<T>(*other);
        return *this;
    }

    Box& operator=(Box&&) noexcept = default;
    ~Box() = default;

    T& operator*() { return *value_; }

    const T& operator*() const { return *value_; }

    T* operator->() { return value_.get(); }

    const T* operator->() const { return value_.get(); }

    friend bool operator==(const Box& a, const Box& b) { return *a == *b; }

  private:
    std::unique_ptr<T> value_;
};

}  // namespace base
