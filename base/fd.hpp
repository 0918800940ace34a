// Fd owns a file descriptor, FdRef borrows one; nothing else in the house holds an int descriptor.
// Used by everything.
#pragma once

#include <utility>

namespace base {

// Closes and keeps errno; a negative descriptor is nothing.
void close_descriptor(int fd) noexcept;

class Fd {
  public:
    Fd() = default;

    explicit Fd(int fd) : fd_(fd) {}

    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }

    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;

    ~Fd() { reset(); }

    explicit operator bool() const { return fd_ >= 0; }

    int get() const { return fd_; }

    int release() { return std::exchange(fd_, -1); }

    void reset() {
        if (fd_ >= 0) close_descriptor(std::exchange(fd_, -1));
    }

  private:
    int fd_ = -1;
};

class FdRef {
  public:
    FdRef() = default;

    explicit FdRef(int fd) : fd_(fd) {}

    FdRef(const Fd& fd) : fd_(fd.get()) {}  // NOLINT: borrowing is implicit by design

    explicit operator bool() const { return fd_ >= 0; }

    int get() const { return fd_; }

  private:
    int fd_ = -1;
};

}  // namespace base
