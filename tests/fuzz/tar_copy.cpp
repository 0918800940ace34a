// The tar reader of garden-copy, which runs as a user of the container on what a client sends:
// entries are bounded, never longer than the archive, and a header that is written reads the same.
// No files here: the kernel's permissions are its sandbox (MD-06), a fuzzer's process has none.
#include "garden/launch/copy/tar_format.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/tar_input.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

using namespace garden::launch::tar;

namespace {

constexpr int kMostEntries = 1000;

// Reads from `text`, all of the buffer or what is left.
Read reader_of(std::string_view& text) {
    return [&text](char* to, std::size_t size) -> base::Result<std::size_t> {
        const auto part = std::min(size, text.size());
        std::copy_n(text.begin(), part, to);
        text.remove_prefix(part);
        return part;
    };
}

void check_entry(const Entry& entry) {
    fuzz::require(entry.name.size() <= kMaxName, "names are bounded");
    fuzz::require(entry.link.size() <= kMaxName, "link targets are bounded");
    fuzz::require(entry.parts.size() <= kMaxSparseParts, "sparse maps are bounded");
    fuzz::require(entry.mtime_ns < 1'000'000'000, "nanoseconds are less than a second");
    fuzz::require(entry.mode <= 07777, "modes are permission bits");
    std::size_t attributes = 0;
    for (const auto& [name, value] : entry.xattrs) attributes += name.size() + value.size();
    fuzz::require(attributes <= kMaxExtended, "attributes are bounded");
    if (const auto name = clean_name(entry.name)) {
        fuzz::require(!name->starts_with('/') && !name->ends_with('/'), "names are relative");
        fuzz::require(("/" + *name + "/").find("/../") == std::string::npos, "no name goes up");
        fuzz::require(clean_name(*name).value() == *name, "a clean name is clean");
    }
}

// What archive() writes: no sparse files, whole seconds.
void check_header(Entry entry) {
    entry.sparse = false;
    const auto text = header_of(entry);
    fuzz::require(text.size() % kBlock == 0, "headers are whole blocks");
    std::string_view rest = text;
    Reader reader(reader_of(rest));
    const auto again = reader.next();
    fuzz::require(again && *again, "a written header can be read");
    const Entry& back = **again;
    fuzz::require(back.name == entry.name && back.link == entry.link, "names survive");
    fuzz::require(back.type == entry.type && back.mode == entry.mode, "type and mode survive");
    fuzz::require(back.uid == entry.uid && back.gid == entry.gid, "owners survive");
    fuzz::require(back.mtime == entry.mtime, "times survive");
    fuzz::require(back.size == entry.size, "sizes survive");
    fuzz::require(back.xattrs == entry.xattrs, "attributes survive");
}

}  // namespace

// First byte: bit 7: checksums as they are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const bool repair = input.byte() < 128;
    const std::string archive =
            repair ? fuzz::with_checksums(input.rest()) : std::string(input.rest());
    std::string_view rest = archive;
    Reader reader(reader_of(rest));
    std::array<char, 300> buffer{};
    for (int entries = 0; entries < kMostEntries; ++entries) {
        const auto entry = reader.next();
        if (!entry || !*entry) break;
        check_entry(**entry);
        check_header(**entry);
        std::uint64_t total = 0;
        for (;;) {
            const auto part = reader.data(buffer.data(), buffer.size());
            if (!part || part->empty()) break;
            total += part->size();
        }
        fuzz::require(total <= (*entry)->size, "an entry has no more bytes than it says");
        fuzz::require(total <= archive.size(), "an entry has no more bytes than the archive");
    }
    return 0;
}
