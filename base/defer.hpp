// Defer: one line to run at the end of the scope. Three lines or more deserve a type. Used
// anywhere.
#pragma once

#include <utility>

namespace base {

template <class F>
class [[nodiscard]] Defer {
  public:
    explicit Defer(F action) : action_(std::move(action)) {}

    Defer(const Defer&) = delete;
    Defer& operator=(const Defer&) = delete;

    ~Defer() {
        if (armed_) action_();
    }

    void dismiss() { armed_ = false; }

  private:
    F action_;
    bool armed_ = true;
};

}  // namespace base
