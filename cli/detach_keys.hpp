// The detach sequence ctrl-p ctrl-q in typed input: holds back a ctrl-p until the next key decides.
// Used by sessions.
#pragma once

#include <string>
#include <string_view>

namespace cli {

class DetachKeys {
  public:
    struct Typed {
        std::string data;     // to send
        bool detach = false;  // what follows the sequence is dropped
    };

    Typed feed(std::string_view bytes);

  private:
    static constexpr char kFirst = 0x10;   // ctrl-p
    static constexpr char kSecond = 0x11;  // ctrl-q
    bool armed_ = false;
};

}  // namespace cli
