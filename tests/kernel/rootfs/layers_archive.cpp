#include "tests/kernel/rootfs/layers_archive.hpp"

#include <cstdio>
#include <cstring>

#include <catch2/catch.hpp>
#include <openssl/evp.h>
#include <zlib.h>
#include <zstd.h>

namespace test {

namespace {

void put_octal(std::string& header, std::size_t at, std::size_t width, std::uint64_t value) {
    for (std::size_t i = width - 1; i-- > 0; value /= 8)
        header[at + i] = static_cast<char>('0' + value % 8);
    REQUIRE(value == 0);
}

void put(std::string& header, std::size_t at, std::size_t width, const std::string& text) {
    std::memcpy(header.data() + at, text.data(), std::min(width, text.size()));
}

void pad(std::string& bytes) {
    bytes.resize((bytes.size() + 511) / 512 * 512, '\0');
}

std::string pax_record(const std::string& key, const std::string& value) {
    const std::size_t rest = key.size() + value.size() + 3;
    std::size_t length = rest + 1;
    while (std::to_string(length).size() + rest != length) ++length;
    return std::to_string(length) + " " + key + "=" + value + "\n";
}

std::string header_of(const TarFields& fields) {
    std::string header(512, '\0');
    put(header, 0, 100, fields.name);
    put_octal(header, 100, 8, fields.mode);
    put_octal(header, 108, 8, fields.uid > 2'097'151 ? 0 : fields.uid);
    put_octal(header, 116, 8, fields.gid > 2'097'151 ? 0 : fields.gid);
    put_octal(header, 124, 12, fields.claimed_size != 0 ? fields.claimed_size : fields.data.size());
    put_octal(header, 136, 12, fields.mtime);
    header[156] = fields.type;
    put(header, 157, 100, fields.link);
    put(header, 257, 8,
        std::string(
                "ustar\0"
                "00",
                8));
    put_octal(header, 329, 8, fields.major);
    put_octal(header, 337, 8, fields.minor);
    std::memset(header.data() + 148, ' ', 8);
    unsigned sum = fields.bad_checksum ? 1 : 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put_octal(header, 148, 7, sum);
    return header;
}

}  // namespace

Tar& Tar::add(const TarFields& fields) {
    auto pax = fields.pax;
    if (fields.name.size() > 100) pax.emplace_back("path", fields.name);
    if (fields.link.size() > 100) pax.emplace_back("linkpath", fields.link);
    if (fields.uid > 2'097'151) pax.emplace_back("uid", std::to_string(fields.uid));
    if (fields.gid > 2'097'151) pax.emplace_back("gid", std::to_string(fields.gid));
    if (!pax.empty()) {
        TarFields extension{.name = "PaxHeaders/x", .type = 'x'};
        for (const auto& [key, value] : pax) extension.data += pax_record(key, value);
        bytes_ += header_of(extension) + extension.data;
        pad(bytes_);
    }
    bytes_ += header_of(fields) + fields.data;
    pad(bytes_);
    return *this;
}

Tar& Tar::file(const std::string& name, const std::string& data, unsigned mode) {
    return add({.name = name, .mode = mode, .data = data});
}

Tar& Tar::directory(const std::string& name, unsigned mode) {
    return add({.name = name, .type = '5', .mode = mode});
}

Tar& Tar::symlink(const std::string& name, const std::string& target) {
    return add({.name = name, .type = '2', .mode = 0777, .link = target});
}

Tar& Tar::hardlink(const std::string& name, const std::string& target) {
    return add({.name = name, .type = '1', .link = target});
}

Tar& Tar::raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
}

std::string Tar::end() const {
    return bytes_ + std::string(1024, '\0');
}

std::string gzip(std::string_view data, int level) {
    z_stream stream = {};
    REQUIRE(::deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(::deflateBound(&stream, data.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    ::deflateEnd(&stream);
    return out;
}

std::string zstd(std::string_view data) {
    std::string out(::ZSTD_compressBound(data.size()), '\0');
    const std::size_t n = ::ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 1);
    REQUIRE(::ZSTD_isError(n) == 0);
    out.resize(n);
    return out;
}

std::string sha256_of(std::string_view data) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    REQUIRE(::EVP_Digest(data.data(), data.size(), digest, &size, ::EVP_sha256(), nullptr) == 1);
    std::string out = "sha256:";
    char hex[3];
    for (unsigned i = 0; i < size; ++i) {
        (void)std::snprintf(hex, sizeof hex, "%02x", digest[i]);
        out += hex;
    }
    return out;
}

}  // namespace test
