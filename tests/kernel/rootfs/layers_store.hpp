// A layer store in a temporary directory and one-line ways to unpack into it. Used by
// layers_*_test.cpp.
#pragma once

#include "base/sys/file.hpp"
#include "rootfs/store/layers.hpp"
#include "tests/kernel/rootfs/layers_archive.hpp"
#include "tests/kernel/rootfs/volumes_world.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

namespace test {

// Where the build puts it, or where CLOCHE_UNPACK says (an installed one).
inline std::string unpack_program() {
    const char* other = std::getenv("CLOCHE_UNPACK");
    return other != nullptr ? other : CLOCHE_BINARY_DIR "/bin/rootfs-unpack";
}

struct Store {
    explicit Store(rootfs::UnpackLimits limits = {}) {
        auto opened = rootfs::LayerStore::open(scratch / "store", unpack_program(), limits);
        if (!opened) FAIL(opened.error().text);
        layers = std::move(*opened);
    }

    base::Fd blob(const std::string& bytes) const {
        write_file(scratch / "blob", bytes);
        auto file = base::sys::open_host(scratch / "blob", O_RDONLY);
        REQUIRE(file);
        ::unlink((scratch / "blob").c_str());
        return std::move(*file);
    }

    base::Result<rootfs::LayerInfo> unpack(
            const std::string& bytes,
            rootfs::Compression compression = rootfs::Compression::none,
            const std::string& diff_id = "") {
        const base::Fd file = blob(bytes);
        return layers->unpack(
                {.diff_id = diff_id,
                 .blob = file,
                 .compression = compression,
                 .compressed_size = bytes.size()},
                nullptr, never);
    }

    // Unpacks what must be good, and says where.
    std::string tree(const std::string& bytes) {
        auto info = unpack(bytes);
        if (!info) FAIL(info.error().text);
        return layers->directory_of(info->diff_id);
    }

    // Unpacks what must be refused, says why, and that nothing is left.
    std::string refusal(
            const std::string& bytes, rootfs::Compression compression = rootfs::Compression::none) {
        auto info = unpack(bytes, compression);
        REQUIRE_FALSE(info);
        kind = info.error().kind;
        CHECK(leftovers() == 0);
        CHECK(layers->list()->empty());
        return info.error().text;
    }

    std::size_t leftovers() const { return count_entries(scratch / "store/tmp"); }

    Scratch scratch;
    std::unique_ptr<rootfs::LayerStore> layers;
    std::atomic<bool> never{false};
    base::Errc kind = base::Errc::internal;
};

}  // namespace test
