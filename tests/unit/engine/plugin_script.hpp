// A stand-in for an operator's plugin: a script that notes its calls. Used by the plugins' tests.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

namespace test {

// A plugin that writes down what it was called with and answers `answer`.
class PluginScript {
  public:
    explicit PluginScript(const std::string& answer, int code = 0) {
        char name[] = "/tmp/network-plugin-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        directory_ = name;
        std::ofstream(path()) << "#!/bin/sh\necho \"$@\" >> " << directory_ << "/calls\ncat >> "
                              << directory_ << "/calls\necho >> " << directory_ << "/calls\n"
                              << "echo reason >&2\nprintf '%s' '" << answer << "'\nexit " << code
                              << "\n";
        REQUIRE(::chmod(path().c_str(), 0755) == 0);
    }

    ~PluginScript() { std::filesystem::remove_all(directory_); }

    PluginScript(const PluginScript&) = delete;
    PluginScript& operator=(const PluginScript&) = delete;

    std::string calls() const {
        std::ostringstream all;
        all << std::ifstream(directory_ + "/calls").rdbuf();
        return all.str();
    }

    std::string path() const { return directory_ + "/plugin"; }

  private:
    std::string directory_;
};

}  // namespace test
