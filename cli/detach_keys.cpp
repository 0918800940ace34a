#include "cli/detach_keys.hpp"

namespace cli {

DetachKeys::Typed DetachKeys::feed(std::string_view bytes) {
    Typed typed;
    for (const char c : bytes) {
        if (armed_) {
            armed_ = false;
            if (c == kSecond) {
                typed.detach = true;
                return typed;
            }
            typed.data.push_back(kFirst);
        }
        if (c == kFirst) {
            armed_ = true;
            continue;
        }
        typed.data.push_back(c);
    }
    return typed;
}

}  // namespace cli
