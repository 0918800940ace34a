// The table of contents of an uncompressed tar file: ustar, pax paths, GNU long names. Content is
// never looked at here.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "rootfs/fetch/files.hpp"

#include <unistd.h>

#include <array>
#include <string_view>

namespace rootfs {

namespace {

constexpr std::uint64_t kBlock = 512;
using Block = std::array<char, kBlock>;

std::string_view field(const Block& block, std::size_t at, std::size_t size) {
    const std::string_view all(block.data() + at, size);
    return all.substr(0, all.find('\0'));
}

// Octal, or base 256 when the first bit is set; nothing negative and nothing beyond 2^62.
base::Result<std::uint64_t> number(const Block& block, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    const auto first = static_cast<unsigned char>(block[at]);
    if ((first & 0x80U) != 0) {
        if (first != 0x80)
            return base::fail(base::Errc::corrupt, "a tar header has a number out of range");
        for (std::size_t i = at + 1; i < at + size; ++i) {
            if ((value >> 54U) != 0)
                return base::fail(base::Errc::corrupt, "a tar header has a number out of range");
            value = (value << 8U) | static_cast<unsigned char>(block[i]);
        }
        return value;
    }
    for (const char c : field(block, at, size)) {
        if (c == ' ') continue;
        if (c < '0' || c > '7')
            return base::fail(base::Errc::corrupt, "a tar header has a malformed number");
        value = value * 8 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

base::Result<void> check_sum(const Block& block) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
        sum += i >= 148 && i < 156 ? std::uint64_t{' '} : static_cast<unsigned char>(block[i]);
    }
    if (TRY(number(block, 148, 8)) != sum)
        return base::fail(base::Errc::corrupt, "not a tar file: a header's checksum is wrong");
    return base::ok;
}

// What records before a member say about it.
struct Overrides {
    std::string path;
    std::string link;
    std::string size;
};

base::Result<void> read_pax(std::string_view text, Overrides& out) {
    while (!text.empty()) {
        const auto space = text.find(' ');
        if (space == std::string_view::npos)
            return base::fail(base::Errc::corrupt, "a pax record is malformed");
        const auto length = TRY(
                base::parse_number<std::size_t>(text.substr(0, space), "length of a pax record"));
        if (length <= space + 1 || length > text.size() || text[length - 1] != '\n') {
            return base::fail(base::Errc::corrupt, "a pax record is malformed");
        }
        const auto record = text.substr(space + 1, length - space - 2);
        const auto equals = record.find('=');
        if (equals == std::string_view::npos)
            return base::fail(base::Errc::corrupt, "a pax record is malformed");
        const auto key = record.substr(0, equals);
        const auto value = record.substr(equals + 1);
        if (key == "path") out.path = value;
        if (key == "linkpath") out.link = value;
        if (key == "size") out.size = value;
        text.remove_prefix(length);
    }
    return base::ok;
}

std::string cleaned(std::string_view name) {
    while (name.starts_with("./")) name.remove_prefix(2);
    while (name.starts_with('/')) name.remove_prefix(1);
    while (name.ends_with('/')) name.remove_suffix(1);
    return std::string(name.substr(0, name.find('\0')));
}

std::string name_of(const Block& block) {
    std::string name(field(block, 0, 100));
    if (std::string_view(block.data() + 257, 5) == "ustar") {
        const auto prefix = field(block, 345, 155);
        if (!prefix.empty() && block[263] == '0') name = std::string(prefix) + "/" + name;
    }
    return name;
}

base::Result<bool> read_block(base::FdRef file, std::uint64_t at, Block& block) {
    const auto n = ::pread(file.get(), block.data(), block.size(), static_cast<off_t>(at));
    if (n < 0) return base::fail_errno("read a tar file");
    if (n == 0) return false;  // no end marker: other tools accept it too
    if (n != static_cast<ssize_t>(block.size()))
        return base::fail(base::Errc::corrupt, "the tar file is cut off");
    return block != Block{};
}

}  // namespace

base::Result<std::map<std::string, TarMember>> index_tar(base::FdRef file) {
    std::map<std::string, TarMember> members;
    const auto end = ::lseek(file.get(), 0, SEEK_END);
    if (end < 0) return base::fail_errno("measure a tar file");
    const auto total = static_cast<std::uint64_t>(end);
    Overrides next;
    Block block{};
    std::size_t headers = 0;
    for (std::uint64_t at = 0; TRY(read_block(file, at, block));) {
        if (++headers > kMaxTarMembers) {
            return base::fail(
                    base::Errc::exhausted, "the archive has more than {} members", kMaxTarMembers);
        }
        TRY(check_sum(block));
        auto size = TRY(number(block, 124, 12));
        const char type = block[156];
        const bool extension = type == 'x' || type == 'g' || type == 'L' || type == 'K';
        if (!extension && !next.size.empty())
            size = TRY(base::parse_number<std::uint64_t>(next.size, "size in a pax record"));
        const std::uint64_t data = at + kBlock;
        if (size > total || data > total - size)
            return base::fail(base::Errc::corrupt, "the tar file is cut off");
        if (extension) {
            if (size > kMaxTarHeader)
                return base::fail(
                        base::Errc::exhausted, "a tar record exceeds {} bytes", kMaxTarHeader);
            std::string text(static_cast<std::size_t>(size), '\0');
            if (::pread(file.get(), text.data(), text.size(), static_cast<off_t>(data)) !=
                static_cast<ssize_t>(size)) {
                return base::fail_errno("read a tar record");
            }
            if (type == 'x') TRY(read_pax(text, next));
            if (type == 'L') next.path = text.substr(0, text.find('\0'));
            if (type == 'K') next.link = text.substr(0, text.find('\0'));
        } else {
            const auto name = cleaned(next.path.empty() ? name_of(block) : next.path);
            const bool file_entry = type == '0' || type == '\0' || type == '7';
            if (file_entry) members[name] = TarMember{.offset = data, .size = size, .link = ""};
            if (type == '2') {
                members[name] = TarMember{
                        .offset = 0,
                        .size = 0,
                        .link = next.link.empty() ? std::string(field(block, 157, 100))
                                                  : next.link};
            }
            next = Overrides{};
        }
        at = data + (size + kBlock - 1) / kBlock * kBlock;
    }
    return members;
}

}  // namespace rootfs
