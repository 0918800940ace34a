// Digests of bytes as they pass: md5, sha1 and sha256, as many as are asked for. Private to
// executor/fetch. md5 and sha1 find damage, not attackers; recipes and servers ask for them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace executor {

class Digests {
  public:
    // Unknown names are left out.
    explicit Digests(const std::vector<std::string_view>& algorithms);
    ~Digests();
    Digests(const Digests&) = delete;
    Digests& operator=(const Digests&) = delete;

    void add(std::string_view bytes);
    // Raw bytes by algorithm; once.
    std::map<std::string, std::string> finish();

  private:
    struct Context;
    std::vector<Context> contexts_;
};

std::string to_hex(std::string_view bytes);
std::string to_base64(std::string_view bytes);

}  // namespace executor
