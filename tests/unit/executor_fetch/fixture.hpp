// A web server of its own (nginx on loopback), archives of any kind, a directory that goes away.
// Used by the tests of executor/fetch.
#pragma once

#include "executor/fetch/cached_fetcher.hpp"

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace test {

class Directory {
  public:
    Directory();
    ~Directory();
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string path;
};

void write_file(const std::string& path, std::string_view content);
std::string read_file(const std::string& path);
// Runs a line of shell in a directory; fails the test when it fails.
void shell(const std::string& directory, const std::string& line);

// `locations` goes into its server block; files are served from root(). With tls it asks for
// client certificates of the same authority as its own: ca.pem, client.pem, client.key in path().
class Nginx {
  public:
    explicit Nginx(const std::string& locations = "", bool tls = false);
    ~Nginx();
    Nginx(const Nginx&) = delete;
    Nginx& operator=(const Nginx&) = delete;

    std::string url(std::string_view path) const;

    std::string root() const { return directory_.path + "/root"; }

    const std::string& path() const { return directory_.path; }

    void put(const std::string& name, std::string_view content) {
        write_file(root() + "/" + name, content);
    }

    // "200 /a.tgz", in order. Waits until there are `at_least`.
    std::vector<std::string> requests(std::size_t at_least = 0) const;
    std::size_t count(std::string_view line) const;

  private:
    void configure(const std::string& locations) const;
    bool start();

    Directory directory_;
    bool tls_;
    std::uint16_t port_ = 0;
    ::pid_t pid_ = 0;
};

struct Item {
    enum class Kind { file, directory, symlink, hardlink, device, fifo };
    std::string name;
    std::string content;  // of a link: its target
    Kind kind = Kind::file;
    unsigned mode = 0644;
};

enum class Pack { tar, tar_gzip, zip };

std::string pack(Pack kind, const std::vector<Item>& items);
// What a tar holds: "name=content", "name/", "name->target", "name=>target" (hard).
std::vector<std::string> list_tar(base::FdRef tar);
std::vector<std::string> list_tar(std::string_view bytes);

// Patience for tests, in a directory of its own.
executor::FetcherConfig quick(const Directory& directory);

// A listener on loopback that says `bytes` to whoever connects, again and again when `endless`,
// then closes or stays silent.
class RawServer {
  public:
    struct Behaviour {
        std::string bytes;
        bool endless = false;
        bool close = true;
    };

    explicit RawServer(Behaviour behaviour);
    ~RawServer();
    std::string url() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace test
