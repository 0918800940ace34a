// What celld reads of its own disk after it was killed: the journal of a container's steps, the
// records of containers and of the cache. Whatever stands there, what is written next is what the
// next celld reads.
#include "base/sys/file.hpp"
#include "executor/core/store.hpp"
#include "executor/fetch/cache_record.hpp"
#include "tests/fuzz/json_input.hpp"

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

namespace sys = base::sys;

// Holds the journal; gone with the process, unless that crashes.
class Folder {
  public:
    Folder() : name_(std::filesystem::temp_directory_path() / "fuzz-journal-XXXXXX") {
        fuzz::require(::mkdtemp(name_.data()) != nullptr, "there is a directory");
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(name_, ignored);
    }

    base::Fd open() const { return sys::open_host(name_, O_RDONLY | O_DIRECTORY).value(); }

    void write(std::string_view text) const {
        const auto directory = open();
        const auto flags = O_WRONLY | O_CREAT | O_TRUNC;
        const auto file = sys::open_at(directory, "journal", flags, 0600).value();
        fuzz::require(sys::write_all(file, text).has_value(), "the journal is written");
    }

  private:
    std::string name_;
};

void complain(const base::Error& error) {
    fuzz::require(false, error.text.c_str());
}

// A step by the name of the first line's, and one that no journal of ours has.
void journal(const Folder& folder, std::string_view text) {
    folder.write(text);
    executor::JournalFile first(folder.open(), complain);
    if (!first.load()) return;
    const std::string path(text.substr(0, text.find('\n')).substr(0, 16));
    const auto known = first.begun("run/0");
    if (known) fuzz::require(known->time_since_epoch().count() >= 0, "a step began after 1970");
    first.begin("run/0");
    if (known) fuzz::require(first.begun("run/0") == known, "a step begins once");
    const auto outcome = executor::Outcome::failed(path, "cause");
    first.begin("step/" + path);
    first.finish("step/" + path, outcome);

    executor::JournalFile second(folder.open(), complain);
    fuzz::require(second.load().has_value(), "what is written is read");
    fuzz::require(second.begun("run/0") == first.begun("run/0"), "the time of a step is kept");
    fuzz::require(second.finished("run/0") == first.finished("run/0"), "an outcome is kept");
    // Bytes that are no text are replaced when they are written.
    const auto read = second.finished("step/" + path);
    if (read) fuzz::require(read->kind == outcome.kind, "a failure stays a failure");
}

void cache_record(std::string_view name, std::string_view text) {
    const auto first = executor::decode_record(name, text);
    if (!first) return;
    fuzz::require(first->name.find('/') == std::string::npos, "an entry is one name");
    const auto written = executor::encode_record(*first);
    const auto second = executor::decode_record(name, written);
    fuzz::require(second && second->serial == first->serial, "a record reads the same");
    fuzz::require(executor::encode_record(*second) == written, "a record writes the same");
}

}  // namespace

// First byte: which file. That of the cache has its name in the first line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Folder folder;
    fuzz::Input input(data, size);
    const auto which = input.byte() % 3;
    if (which == 0) journal(folder, input.rest());
    if (which == 1) fuzz::only_text<executor::Record>(input.rest());
    if (which == 2) {
        const auto name = input.until("\n");
        cache_record(name, input.rest());
    }
    return 0;
}
