#include "garden/launch/copy/tar_format.hpp"

#include <cstring>
#include <random>

#include <catch2/catch.hpp>

namespace tar = garden::launch::tar;

namespace {

// Reads an archive from memory.
class Memory {
  public:
    explicit Memory(std::string bytes) : bytes_(std::move(bytes)) {}

    tar::Reader reader() {
        return tar::Reader([this](char* to, std::size_t size) -> base::Result<std::size_t> {
            const std::size_t part = std::min(size, bytes_.size() - at_);
            std::memcpy(to, bytes_.data() + at_, part);
            at_ += part;
            return part;
        });
    }

  private:
    std::string bytes_;
    std::size_t at_ = 0;
};

tar::Entry some_file(std::string name, std::uint64_t size) {
    tar::Entry entry;
    entry.name = std::move(name);
    entry.size = size;
    entry.mode = 04755;
    entry.uid = 3'000'000;         // more than seven octal digits
    entry.mtime = 20'000'000'000;  // more than eleven
    return entry;
}

}  // namespace

TEST_CASE("an entry that was written is read back") {
    auto entry = some_file(std::string(300, 'n'), 5);
    entry.xattrs["user.x"] = std::string("a\nb\0c", 5);
    std::string bytes = tar::header_of(entry) + "hello" + std::string(tar::padding_of(5), '\0');
    auto link = some_file("link", 0);
    link.type = tar::Type::symlink;
    link.link = std::string(200, 't');
    bytes += tar::header_of(link) + std::string(1024, '\0');
    Memory memory(bytes);
    auto reader = memory.reader();
    auto first = reader.next();
    REQUIRE(first);
    REQUIRE(first->has_value());
    CHECK((*first)->name == entry.name);
    CHECK((*first)->uid == entry.uid);
    CHECK((*first)->mode == 04755);
    CHECK((*first)->mtime == entry.mtime);
    CHECK((*first)->xattrs == entry.xattrs);
    char buffer[16];
    CHECK(*reader.data(buffer, sizeof buffer) == "hello");
    CHECK(reader.data(buffer, sizeof buffer)->empty());
    auto second = reader.next();
    REQUIRE(second);
    CHECK((*second)->link == link.link);
    CHECK((*second)->type == tar::Type::symlink);
    CHECK_FALSE(reader.next()->has_value());
}

TEST_CASE("an archive that is cut off is an error, at every place") {
    const std::string bytes =
            tar::header_of(some_file("f", 600)) + std::string(600 + tar::padding_of(600), 'x');
    for (std::size_t size = 1; size < bytes.size(); ++size) {
        Memory memory(bytes.substr(0, size));
        auto reader = memory.reader();
        bool failed = false;
        for (;;) {
            auto entry = reader.next();
            failed = failed || !entry;
            if (!entry || !entry->has_value()) break;
        }
        INFO(size);
        CHECK(failed);
    }
}

TEST_CASE("names never lead out of the directory") {
    CHECK(*tar::clean_name("/a//./b/") == "a/b");
    CHECK(*tar::clean_name("./") == "");
    CHECK(*tar::clean_name("...") == "...");
    CHECK_FALSE(tar::clean_name("a/../b"));
    CHECK_FALSE(tar::clean_name(".."));
    CHECK_FALSE(tar::clean_name(std::string_view("a\0b", 3)));
}

TEST_CASE("no damaged archive does anything but fail or end") {
    std::mt19937 random(Catch::rngSeed());
    auto entry = some_file(std::string(120, 'n'), 10);
    const std::string bytes = tar::header_of(entry) + std::string(512, 'x') +
                              tar::header_of(some_file("g", 0)) + std::string(1024, '\0');
    for (int i = 0; i < 5000; ++i) {
        auto damaged = bytes;
        const std::size_t block = random() % (bytes.size() / 512) * 512;
        for (int n = 0; n < 4; ++n) damaged[block + random() % 512] = static_cast<char>(random());
        // A right checksum lets the damage through to the fields.
        std::memset(damaged.data() + block + 148, ' ', 8);
        unsigned sum = 0;
        for (std::size_t k = 0; k < 512; ++k) sum += static_cast<unsigned char>(damaged[block + k]);
        for (std::size_t k = 6; k-- > 0; sum /= 8)
            damaged[block + 148 + k] = static_cast<char>('0' + sum % 8);
        Memory memory(damaged);
        auto reader = memory.reader();
        for (int entries = 0; entries < 10; ++entries) {
            auto next = reader.next();
            if (!next || !next->has_value()) break;
        }
    }
}
