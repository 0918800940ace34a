// The system calls of security-model §6.2-6.6 by name, for x86-64; other architectures have a
// subset. Private to security.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace security {

std::vector<std::string> allowed_calls();            // 6.2: 303 names, no condition
std::vector<std::string> denied_calls();             // 6.4: 71 names, EPERM
std::vector<std::string> privileged_denied_calls();  // 6.6
std::vector<std::string> words_of(std::string_view text);

}  // namespace security
