#include "rootfs/image/records.hpp"

#include "base/defer.hpp"
#include "base/sys/file.hpp"
#include "rootfs/image/digest.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include <catch2/catch.hpp>

using base::Errc;
using rootfs::Image;
using rootfs::ImageRecord;
using rootfs::ImageRecords;

namespace {

struct Directory {
    std::string path = (std::filesystem::temp_directory_path() /
                        ("cloche-records-" + std::to_string(::getpid()) + "-XXXXXX"))
                               .string();

    Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }

    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    ~Directory() { std::filesystem::remove_all(path); }

    std::unique_ptr<ImageRecords> open() const {
        auto records = ImageRecords::open(*base::sys::open_host(path, O_RDONLY | O_DIRECTORY));
        REQUIRE(records);
        return std::move(*records);
    }
};

Image image(char letter) {
    return Image{
            .reference = "docker:///x",
            .digest = "sha256:" + std::string(64, letter),
            .layers = {"sha256:" + std::string(64, '1')},
            .config = {.env = {"A=b\n"}, .user = "me"},
            .size = 7};
}

}  // namespace

TEST_CASE("records and holds are there again after a restart") {
    const Directory directory;
    {
        const auto records = directory.open();
        REQUIRE(records->save(ImageRecord{.image = image('a'), .created_at = 5}));
        REQUIRE(records->save(rootfs::ReferenceRecord{
                .name = "n", .asked = "x", .digest = image('a').digest, .access = {"k"}}));
        REQUIRE(records->hold("web/1 with spaces", image('a')));
        REQUIRE(records->hold("web/1 with spaces", image('a')));
    }
    const auto records = directory.open();
    const auto found = records->image(image('a').digest);
    REQUIRE(found);
    CHECK(found->image.config.env == image('a').config.env);
    CHECK(found->created_at == 5);
    CHECK(records->reference("n")->access == std::vector<std::string>{"k"});
    CHECK(records->holds() ==
          std::map<std::string, std::string>{{"web/1 with spaces", image('a').digest}});
    REQUIRE(records->release("web/1 with spaces"));
    REQUIRE(records->release("web/1 with spaces"));
    CHECK(records->holds().empty());
}

TEST_CASE("an image cannot be removed while it is held, and not held when it is gone") {
    const Directory directory;
    const auto records = directory.open();
    REQUIRE(records->save(ImageRecord{.image = image('a')}));
    REQUIRE(records->hold("web", image('a')));
    const auto refused = records->remove_image(image('a').digest);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Errc::conflict);
    CHECK_THAT(refused.error().text, Catch::Contains("web"));
    REQUIRE(records->release("web"));
    REQUIRE(records->remove_image(image('a').digest));
    CHECK(records->hold("web", image('a')).error().kind == Errc::not_found);
    CHECK(records->hold("", image('a')).error().kind == Errc::invalid);
}

TEST_CASE("damaged records are left out, and their holds keep all layers") {
    const Directory directory;
    {
        const auto records = directory.open();
        REQUIRE(records->save(ImageRecord{.image = image('a')}));
        REQUIRE(records->hold("web", image('a')));
    }
    for (const auto& entry : std::filesystem::directory_iterator(directory.path + "/images")) {
        std::filesystem::resize_file(entry.path(), 20);
    }
    const auto records = directory.open();
    CHECK(records->images().empty());
    CHECK(records->has_unknown_holds());
    REQUIRE(records->sweep());
    CHECK(std::filesystem::is_empty(directory.path + "/images"));
}
