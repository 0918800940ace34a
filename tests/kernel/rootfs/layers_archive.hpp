// Tar archives made byte by byte, good and bad, and their compression. Used by the tests of the
// layer store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

struct TarFields {
    std::string name;
    char type = '0';
    unsigned mode = 0644;
    std::uint64_t uid = 0;
    std::uint64_t gid = 0;
    std::uint64_t mtime = 1'600'000'000;
    std::string link;
    std::string data;
    unsigned major = 0;
    unsigned minor = 0;
    std::vector<std::pair<std::string, std::string>>
            pax;  // records of a header of its own before this one
    bool bad_checksum = false;
    std::uint64_t claimed_size = 0;  // instead of the size of `data`
};

class Tar {
  public:
    Tar& add(const TarFields& fields);
    Tar& file(const std::string& name, const std::string& data = "x", unsigned mode = 0644);
    Tar& directory(const std::string& name, unsigned mode = 0755);
    Tar& symlink(const std::string& name, const std::string& target);
    Tar& hardlink(const std::string& name, const std::string& target);
    Tar& raw(std::string_view bytes);
    std::string end() const;  // with two blocks of zeros

  private:
    std::string bytes_;
};

std::string gzip(std::string_view data, int level = 1);
std::string zstd(std::string_view data);
std::string sha256_of(std::string_view data);  // "sha256:…"

}  // namespace test
