// A directory of one test, gone afterwards. Used by the tests of brain/receptor.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace test {

class Directory {
  public:
    Directory() {
        std::string name = (std::filesystem::temp_directory_path() / "receptor-XXXXXX").string();
        path = ::mkdtemp(name.data()) == nullptr ? "" : name;
    }

    ~Directory() {
        std::error_code ignored;
        if (!path.empty()) std::filesystem::remove_all(path, ignored);
    }

    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    std::string file(const std::string& name, const std::string& text) const {
        const auto full = std::filesystem::path(path) / name;
        std::filesystem::create_directories(full.parent_path());
        std::ofstream(full, std::ios::binary) << text;
        return full.string();
    }

    std::string path;
};

}  // namespace test
