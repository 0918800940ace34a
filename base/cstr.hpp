// CStr: a borrowed NUL-terminated string for system calls; made from a literal or a std::string.
// Used by base/sys.
#pragma once

#include <string>

namespace base {

class CStr {
  public:
    CStr(const char* text) : text_(text) {}  // NOLINT: implicit by design

    CStr(const std::string& text) : text_(text.c_str()) {}  // NOLINT: implicit by design

    const char* c_str() const { return text_; }

  private:
    const char* text_;
};

}  // namespace base
