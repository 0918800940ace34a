// (f): images whose directories were planted with links. Nothing of the host is ever touched.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/leavings.hpp"
#include "tests/e2e/session.hpp"
#include "tests/support/needs.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::Daemon;
using test::patience;
using test::process;
using test::run_to_end;

namespace {

// Every name below a directory with its type, owner, mode, time and text.
std::set<std::string> picture_of(const fs::path& top) {
    std::set<std::string> lines;
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
        struct ::stat info = {};
        REQUIRE(::lstat(entry.path().c_str(), &info) == 0);
        std::ostringstream line;
        line << entry.path().string() << " " << info.st_mode << " " << info.st_uid << " "
             << info.st_mtim.tv_sec << "." << info.st_mtim.tv_nsec;
        if (S_ISREG(info.st_mode)) {
            std::ifstream file(entry.path());
            line << " " << file.rdbuf();
        }
        lines.insert(line.str());
    }
    return lines;
}

struct Plant {
    std::string name;
    std::vector<std::pair<std::string, std::string>> links;  // path in the image, where it leads
};

std::vector<Plant> plants(const std::string& target) {
    std::vector<Plant> all;
    for (const char* place :
         {"dev", "proc", "sys", "tmp", "etc", "dev/pts", "dev/shm", "dev/mqueue", "etc/hosts",
          "etc/resolv.conf", "etc/hostname", "dev/null", "dev/console", "bound", "workdir"}) {
        auto name = std::string(place);
        for (auto& c : name) {
            if (c == '/') c = '-';
        }
        all.push_back({name + "-absolute", {{place, target}}});
        all.push_back({name + "-upwards", {{place, "../../../../../../../.." + target}}});
        all.push_back({name + "-file", {{place, target + "/file"}}});
        all.push_back({name + "-missing", {{place, target + "/to-be-made"}}});
        all.push_back(
                {name + "-cycle",
                 {{place, "/loop-a"}, {"loop-a", "/loop-b"}, {"loop-b", "/loop-a"}}});
        all.push_back({name + "-procfs", {{place, "/proc/1/root" + target}}});
    }
    return all;
}

// In one image several of the same kind: a container for each place would take minutes.
void plant(const fs::path& root, const Plant& one) {
    for (const auto& [place, target] : one.links) {
        std::error_code ignored;
        if (place != "etc" && place != "dev") fs::create_directories((root / place).parent_path());
        fs::remove_all(root / place, ignored);
        fs::create_symlink(target, root / place);
    }
}

}  // namespace

TEST_CASE("links planted in an image: a clear refusal or safe handling, and the host untouched") {
    NEEDS(root, nft);
    Daemon daemon;
    const fs::path target = daemon.directory() + "/host";
    fs::create_directories(target / "below");
    std::ofstream(target / "file") << "of the host\n";
    fs::permissions(target, static_cast<fs::perms>(0777));
    fs::permissions(target / "file", static_cast<fs::perms>(0666));
    const auto before = picture_of(target);
    int created = 0;
    int refused = 0;
    for (const auto& one : plants(target.string())) {
        CAPTURE(one.name);
        const auto root = daemon.directory() + "/images/" + one.name;
        test::make_rootfs(root);
        plant(root, one);
        auto spec = daemon.spec(one.name);
        spec.image.uri = root;
        spec.bind_mounts.push_back(
                {.src_path = daemon.rootfs(), .dst_path = "/bound/here", .mode = 1});
        const auto made = daemon.client().create(spec);
        if (made) {
            ++created;
            auto run = process(
                    {"sh", "-c",
                     "echo x > /tmp/x; echo x > /dev/shm/x; echo x >> /etc/hosts; touch y; "
                     "cat /proc/self/status > /dev/null; echo done"});
            run.dir = "/workdir/new";
            const auto done = run_to_end(daemon.client(), one.name, run);
            if (done.error.empty()) CHECK(done.out == "done\n");
            CHECK(done.out.find("of the host") == std::string::npos);
            const auto gone = daemon.client().destroy(one.name);
            CHECK(gone);
        } else {
            ++refused;
            CAPTURE(made.error().text);
            CHECK(made.error().text.size() > 20);
        }
        REQUIRE(picture_of(target) == before);
        CHECK(test::mounts_below(target.string()).empty());
        fs::remove_all(root);
    }
    std::cout << "planted links: " << created << " created, " << refused << " refused" << std::endl;
    CHECK(daemon.client().list({{"garden.state", "all"}}).value().empty());
    CHECK(daemon.findings() == std::vector<std::string>{});
}

TEST_CASE("accounts of the image are read inside the image, whatever its links say") {
    NEEDS(root, nft);
    Daemon daemon;
    const auto outside = daemon.directory() + "/passwd-of-the-host";
    std::ofstream(outside) << "hostuser:x:0:0::/:/bin/sh\n";
    for (const char* name : {"passwd", "group"}) {
        const auto root = daemon.directory() + "/images/" + name;
        test::make_rootfs(root);
        fs::remove(root + "/etc/" + name);
        fs::create_symlink(outside, root + "/etc/" + name);
        auto spec = daemon.spec(name);
        spec.image.uri = root;
        daemon.client().create(spec).value();
        const auto ran = run_to_end(daemon.client(), name, process({"id"}, "", "hostuser"));
        CHECK(ran.error.find("hostuser") != std::string::npos);
        const auto as_root = run_to_end(daemon.client(), name, process({"echo", "fine"}));
        CHECK(as_root.out == "fine\n");
    }
}

TEST_CASE("files streamed through planted links stay inside") {
    NEEDS(root, nft);
    Daemon daemon;
    const fs::path target = daemon.directory() + "/host";
    fs::create_directories(target);
    std::ofstream(target / "secret") << "of the host\n";
    fs::permissions(target, static_cast<fs::perms>(0777));
    const auto before = picture_of(target);
    const auto root = daemon.directory() + "/images/streams";
    test::make_rootfs(root);
    fs::create_symlink(target, root + "/out");
    fs::create_symlink("../../../../../.." + target.string(), root + "/up");
    auto spec = daemon.spec("streams");
    spec.image.uri = root;
    daemon.client().create(spec).value();
    for (const char* source : {"/out/secret", "/up/secret", "/out/", "/../../.."}) {
        auto stream = daemon.client().stream_out(
                "streams", "root",
                source == std::string("/../../..") ? source + target.string() + "/secret"
                                                   : std::string(source));
        if (!stream) continue;
        const auto text = stream->read_all(1 << 20, patience(milliseconds(10'000)));
        if (text) CHECK(text->find("of the host") == std::string::npos);
    }
    const std::string tar(10240, '\0');
    for (const char* destination : {"/out/new", "/up/new"}) {
        std::size_t at = 0;
        (void)daemon.client().stream_in(
                "streams", "root", destination,
                [&](std::span<char> into) -> base::Result<std::size_t> {
                    const auto size = std::min(into.size(), tar.size() - at);
                    std::copy_n(tar.data() + at, size, into.data());
                    at += size;
                    return size;
                });
    }
    CHECK(picture_of(target) == before);
    CHECK(daemon.findings() == std::vector<std::string>{});
}
