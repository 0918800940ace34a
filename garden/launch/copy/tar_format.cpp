#include "garden/launch/copy/tar_format.hpp"

#include "base/parse.hpp"
#include "base/sys/error.hpp"

#include <algorithm>
#include <cstring>

namespace garden::launch::tar {

namespace {

// Places of the fields in a header block.
struct Field {
    std::size_t at;
    std::size_t size;
};

constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12},
        kMtime{136, 12};
constexpr Field kChecksum{148, 8}, kLinkName{157, 100}, kMagic{257, 8}, kMajor{329, 8},
        kMinor{337, 8}, kPrefix{345, 155};
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kSparseAt =
        386;  // old GNU: four parts of 24 bytes, then "is extended", then the real size
constexpr Field kRealSize{483, 12};
constexpr std::uint64_t kLargest = std::uint64_t{1} << 62;

base::Error bad(std::string_view what) {
    return base::sys::plain_error(
            base::Errc::corrupt, "the archive is damaged: " + std::string(what));
}

std::string_view text_of(const char* block, Field field) {
    return {block + field.at, ::strnlen(block + field.at, field.size)};
}

// Octal, or GNU's base 256 when the top bit is set. Negative numbers are refused but for times.
base::Result<std::int64_t> number_of(const char* block, Field field) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(block + field.at);
    if ((bytes[0] & 0x80) != 0) {
        std::int64_t value = (bytes[0] & 0x40) != 0 ? -1 : 0;
        for (std::size_t i = 0; i < field.size; ++i) {
            const std::int64_t next =
                    i == 0 ? (bytes[0] & 0x3f) | (value & ~std::int64_t{0x3f}) : bytes[i];
            if (value > (std::int64_t{1} << 54) || value < -(std::int64_t{1} << 54))
                return bad("a number is too large");
            value = i == 0 ? next : value * 256 + next;
        }
        return value;
    }
    std::int64_t value = 0;
    bool ended = false;
    for (std::size_t i = 0; i < field.size; ++i) {
        const char c = block[field.at + i];
        if (c == ' ' || c == '\0') {
            ended = ended || value != 0 || (i > 0 && block[field.at + i - 1] == '0');
            continue;
        }
        if (c < '0' || c > '7' || ended) return bad("a number is not octal");
        if (value > (std::int64_t{1} << 58)) return bad("a number is too large");
        value = value * 8 + (c - '0');
    }
    return value;
}

base::Result<std::uint64_t> size_of(const char* block, Field field) {
    const auto value = TRY(number_of(block, field));
    if (value < 0 || static_cast<std::uint64_t>(value) > kLargest)
        return bad("a size is negative or too large");
    return static_cast<std::uint64_t>(value);
}

bool checksum_matches(const char* block) {
    std::int64_t sum = 0;
    std::int64_t signed_sum = 0;  // some old programs summed signed characters
    for (std::size_t i = 0; i < kBlock; ++i) {
        const bool in_field = i >= kChecksum.at && i < kChecksum.at + kChecksum.size;
        sum += in_field ? ' ' : static_cast<unsigned char>(block[i]);
        signed_sum += in_field ? ' ' : static_cast<signed char>(block[i]);
    }
    const auto stored = number_of(block, kChecksum);
    return stored && (*stored == sum || *stored == signed_sum);
}

// "17 path=somewhere\n" and so on.
base::Result<std::map<std::string, std::string>> records_of(std::string_view text) {
    std::map<std::string, std::string> records;
    while (!text.empty()) {
        const auto space = text.find(' ');
        if (space == std::string_view::npos) return bad("an extended header");
        const auto size =
                TRY(base::parse_number<std::size_t>(text.substr(0, space), "extended header"));
        if (size <= space + 1 || size > text.size() || text[size - 1] != '\n')
            return bad("an extended header");
        const auto record = text.substr(space + 1, size - space - 2);
        const auto equals = record.find('=');
        if (equals == std::string_view::npos || equals == 0) return bad("an extended header");
        records[std::string(record.substr(0, equals))] = record.substr(equals + 1);
        text.remove_prefix(size);
    }
    return records;
}

base::Result<void> apply_time(Entry& entry, std::string_view text) {
    const auto dot = text.find('.');
    entry.mtime = TRY(base::parse_number<std::int64_t>(text.substr(0, dot), "mtime"));
    if (dot == std::string_view::npos) return base::ok;
    std::string digits(text.substr(dot + 1, 9));
    digits.resize(9, '0');
    entry.mtime_ns = TRY(base::parse_number<std::uint32_t>(digits, "mtime"));
    return base::ok;
}

void put_text(std::string& block, Field field, std::string_view text) {
    std::copy_n(
            text.begin(), std::min(text.size(), field.size),
            block.begin() + static_cast<std::ptrdiff_t>(field.at));
}

// Octal with leading zeros and a NUL at the end; false when it does not fit.
bool put_number(std::string& block, Field field, std::uint64_t value) {
    for (std::size_t i = field.size - 1; i-- > 0;) {
        block[field.at + i] = static_cast<char>('0' + (value & 7));
        value >>= 3;
    }
    return value == 0;
}

void add_record(std::string& records, std::string_view key, std::string_view value) {
    const std::size_t rest = key.size() + value.size() + 3;  // space, equals sign, line feed
    std::size_t size = rest + 1;
    while (std::to_string(size).size() + rest != size) ++size;  // the length counts its own digits
    records.append(std::to_string(size))
            .append(" ")
            .append(key)
            .append("=")
            .append(value)
            .append("\n");
}

std::string plain_header(const Entry& entry, char type) {
    std::string block(kBlock, '\0');
    put_text(block, kName, entry.name);
    (void)put_number(block, kMode, entry.mode & 07777U);
    (void)put_number(block, kUid, entry.uid);  // what does not fit is in a pax record
    (void)put_number(block, kGid, entry.gid);
    (void)put_number(block, kSize, entry.size);
    (void)put_number(block, kMtime, entry.mtime < 0 ? 0 : static_cast<std::uint64_t>(entry.mtime));
    block[kTypeAt] = type;
    put_text(block, kLinkName, entry.link);
    put_text(block, kMagic, std::string_view("ustar\00000", 8));
    (void)put_number(block, kMajor, entry.major);
    (void)put_number(block, kMinor, entry.minor);
    put_text(block, kChecksum, "        ");
    std::uint64_t sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    (void)put_number(block, {kChecksum.at, 7}, sum);
    return block;
}

// The fields that every header has, but for the size and the type.
base::Result<void> read_fields(const char* header, Entry& entry) {
    const char type = header[kTypeAt];
    const bool ustar = text_of(header, {kMagic.at, 5}) == "ustar";
    const bool gnu = std::string_view(header + kMagic.at, 8) == std::string_view("ustar  \0", 8);
    entry.name = text_of(header, kName);
    const auto prefix = text_of(header, kPrefix);
    if (ustar && !gnu && !prefix.empty()) entry.name = std::string(prefix) + "/" + entry.name;
    entry.link = text_of(header, kLinkName);
    entry.mode = static_cast<std::uint32_t>(TRY(size_of(header, kMode)) & 07777U);
    entry.uid = TRY(size_of(header, kUid));
    entry.gid = TRY(size_of(header, kGid));
    entry.mtime = TRY(number_of(header, kMtime));
    if (type == '3' || type == '4') {
        entry.major = static_cast<std::uint32_t>(TRY(size_of(header, kMajor)));
        entry.minor = static_cast<std::uint32_t>(TRY(size_of(header, kMinor)));
    }
    return base::ok;
}

}  // namespace

base::Result<bool> Reader::block(Block& to) {
    const auto size = TRY(read_(to.data(), to.size()));
    if (size == 0) return false;
    if (size < to.size()) return bad("it ends in the middle of a block");
    return true;
}

base::Result<void> Reader::skip() {
    Block scratch;
    std::uint64_t rest = left_ + padding_;
    left_ = padding_ = 0;
    while (rest > 0) {
        const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(rest, scratch.size()));
        if (TRY(read_(scratch.data(), part)) != part) return bad("it ends in the middle of a file");
        rest -= part;
    }
    return base::ok;
}

base::Result<std::string_view> Reader::data(char* buffer, std::size_t size) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left_, size));
    if (part == 0) return std::string_view{};
    if (TRY(read_(buffer, part)) != part) return bad("it ends in the middle of a file");
    left_ -= part;
    return std::string_view(buffer, part);
}

base::Result<std::string> Reader::extension(std::uint64_t size) {
    if (size > kMaxExtended) return bad("an extended header is larger than 1 MiB");
    std::string text(size, '\0');
    if (TRY(read_(text.data(), text.size())) != text.size())
        return bad("it ends in an extended header");
    padding_ = padding_of(size);
    TRY(skip());
    return text;
}

// NOLINTNEXTLINE(readability-function-size): the cases of one format, in their order
base::Result<std::optional<Entry>> Reader::next() {
    TRY(skip());
    std::map<std::string, std::string> records;
    std::string long_name;
    std::string long_link;
    for (;;) {
        Block header;
        if (!TRY(block(header))) {
            if (!records.empty() || !long_name.empty() || !long_link.empty())
                return bad("it ends after an extended header");
            return std::optional<Entry>{};
        }
        if (std::all_of(header.begin(), header.end(), [](char c) { return c == '\0'; }))
            return std::optional<Entry>{};
        if (!checksum_matches(header.data())) return bad("a header's checksum is wrong");
        Entry entry;
        entry.size = TRY(size_of(header.data(), kSize));
        const char type = header[kTypeAt];
        const auto without_end = [](const std::string& text) {
            return text.substr(0, text.find('\0'));
        };
        switch (type) {
            case 'x':
                records = TRY(records_of(TRY(extension(entry.size))));
                continue;
            case 'g':
                (void)TRY(extension(entry.size));
                continue;  // IMG-26: global headers say nothing we need
            case 'L':
                long_name = without_end(TRY(extension(entry.size)));
                continue;
            case 'K':
                long_link = without_end(TRY(extension(entry.size)));
                continue;
            default:
                break;  // a character of the archive, not an enumerator of ours
        }
        TRY(read_fields(header.data(), entry));
        if (!long_name.empty()) entry.name = long_name;
        if (!long_link.empty()) entry.link = long_link;
        if (type >= '0' && type <= '6')
            entry.type = static_cast<Type>(type);
        else if (type == '\0' || type == '7' || type == 'S')
            entry.type = Type::file;
        else
            return bad(
                    std::string("unknown type of entry '") +
                    (type > ' ' && type < 127 ? type : '?') + "'");
        // Before POSIX a directory was a file whose name ends in a slash.
        if (entry.type == Type::file && type == '\0' && entry.name.ends_with('/'))
            entry.type = Type::directory;
        TRY(apply(entry, records));
        if (entry.type != Type::file)
            entry.size = 0;  // a link's size is that of its target, nothing follows
        if (entry.name.size() > kMaxName || entry.link.size() > kMaxName)
            return bad("a name is longer than 4096 bytes");
        left_ = entry.size;
        padding_ = padding_of(entry.size);
        if (type == 'S')
            TRY(old_sparse(entry, header));
        else if (entry.sparse)
            TRY(new_sparse(entry));
        return std::optional<Entry>(std::move(entry));
    }
}

base::Result<void> Reader::apply(Entry& entry, const std::map<std::string, std::string>& records) {
    constexpr std::string_view kXattr = "SCHILY.xattr.";
    for (const auto& [key, value] : records) {
        if (key == "path" && !records.contains("GNU.sparse.name"))
            entry.name = value;
        else if (key == "GNU.sparse.name")
            entry.name = value;
        else if (key == "linkpath")
            entry.link = value;
        else if (key == "size")
            entry.size = TRY(base::parse_number<std::uint64_t>(value, "size"));
        else if (key == "uid")
            entry.uid = TRY(base::parse_number<std::uint64_t>(value, "uid"));
        else if (key == "gid")
            entry.gid = TRY(base::parse_number<std::uint64_t>(value, "gid"));
        else if (key == "mtime")
            TRY(apply_time(entry, value));
        else if (key.starts_with(kXattr))
            entry.xattrs[key.substr(kXattr.size())] = value;
        else if (key == "GNU.sparse.major" && value == "1")
            entry.sparse = true;
        else if (key == "GNU.sparse.realsize")
            entry.real_size = TRY(base::parse_number<std::uint64_t>(value, "sparse size"));
        else if (key == "GNU.sparse.map" || key == "GNU.sparse.numblocks")
            return bad("sparse format 0.x is not supported");
    }
    if (entry.size > kLargest || entry.real_size > kLargest) return bad("a size is too large");
    return base::ok;
}

base::Result<void> Reader::old_sparse(Entry& entry, const Block& header) {
    entry.sparse = true;
    entry.real_size = TRY(size_of(header.data(), kRealSize));
    Block block_now = header;
    std::size_t at = kSparseAt;
    std::size_t count = 4;
    for (;;) {
        for (std::size_t i = 0; i < count; ++i, at += 24) {
            if (block_now[at] == '\0') continue;
            const Part part{
                    .offset = TRY(size_of(block_now.data(), {at, 12})),
                    .size = TRY(size_of(block_now.data(), {at + 12, 12}))};
            if (entry.parts.size() >= kMaxSparseParts)
                return bad("a sparse file has too many parts");
            if (part.size > 0) entry.parts.push_back(part);
        }
        if (block_now[at] == '\0') return base::ok;
        if (!TRY(block(block_now))) return bad("it ends in a sparse header");
        at = 0;
        count = 21;
    }
}

// Format 1.0: the map stands in front of the data, decimal numbers one per line, in whole blocks.
base::Result<void> Reader::new_sparse(Entry& entry) {
    std::vector<std::uint64_t> numbers;
    std::string line;
    std::uint64_t expected = 1;
    while (numbers.size() < expected) {
        Block map;
        if (left_ < kBlock) return bad("a sparse map");
        if (!TRY(block(map))) return bad("it ends in a sparse map");
        left_ -= kBlock;
        entry.size -= kBlock;
        for (const char c : map) {
            if (numbers.size() == expected) break;
            if (c != '\n') {
                if (line.size() > 20) return bad("a sparse map");
                line += c;
                continue;
            }
            numbers.push_back(TRY(base::parse_number<std::uint64_t>(line, "sparse map")));
            line.clear();
            if (numbers.size() == 1) {
                if (numbers[0] > kMaxSparseParts) return bad("a sparse file has too many parts");
                expected = 1 + 2 * numbers[0];
            }
        }
    }
    for (std::size_t i = 1; i + 1 < numbers.size(); i += 2) {
        if (numbers[i] > kLargest || numbers[i + 1] > kLargest) return bad("a sparse map");
        if (numbers[i + 1] > 0)
            entry.parts.push_back({.offset = numbers[i], .size = numbers[i + 1]});
    }
    return base::ok;
}

std::string header_of(const Entry& entry) {
    constexpr std::uint64_t kSmall = 1U << 21;                    // seven octal digits
    constexpr std::uint64_t kSmallSize = std::uint64_t{1} << 33;  // eleven
    std::string records;
    if (entry.name.size() > kName.size) add_record(records, "path", entry.name);
    if (entry.link.size() > kLinkName.size) add_record(records, "linkpath", entry.link);
    if (entry.size >= kSmallSize) add_record(records, "size", std::to_string(entry.size));
    if (entry.uid >= kSmall) add_record(records, "uid", std::to_string(entry.uid));
    if (entry.gid >= kSmall) add_record(records, "gid", std::to_string(entry.gid));
    if (entry.mtime < 0 || static_cast<std::uint64_t>(entry.mtime) >= kSmallSize)
        add_record(records, "mtime", std::to_string(entry.mtime));
    for (const auto& [name, value] : entry.xattrs)
        add_record(records, "SCHILY.xattr." + name, value);
    std::string out;
    if (!records.empty()) {
        Entry extended;
        extended.name = "pax";
        extended.size = records.size();
        extended.mtime = entry.mtime;
        out = plain_header(extended, 'x');
        out += records;
        out.append(padding_of(records.size()), '\0');
    }
    return out + plain_header(entry, static_cast<char>(entry.type));
}

std::size_t padding_of(std::uint64_t size) {
    return static_cast<std::size_t>((kBlock - size % kBlock) % kBlock);
}

base::Result<std::string> clean_name(std::string_view name) {
    if (name.find('\0') != std::string_view::npos) return bad("a name has a NUL");
    std::string out;
    while (!name.empty()) {
        const auto slash = name.find('/');
        const auto part = name.substr(0, slash);
        name = slash == std::string_view::npos ? std::string_view{} : name.substr(slash + 1);
        if (part.empty() || part == ".") continue;
        if (part == "..")
            return base::sys::plain_error(base::Errc::invalid, "a name has a '..' component");
        if (!out.empty()) out += '/';
        out += part;
    }
    return out;
}

}  // namespace garden::launch::tar
