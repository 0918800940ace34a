// What a container really has: `image-probe walk ROOT` prints every entry of a tree as one line of
// JSON, `image-probe ids` the ids and capabilities the program got. Static, plain C calls: it runs
// in any image. Used by tests/e2e/images.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

std::string hex(const std::string& bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 0xfU];
    }
    return out;
}

// Names of test images are plain; what is not becomes visible instead of breaking the line.
std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
            char escaped[8] = {};
            (void)std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(byte));
            out += escaped;
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string xattrs_of(const std::string& path) {
    std::string names(65'536, '\0');
    const ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
    std::vector<std::string> rows;
    for (ssize_t at = 0; at < length;) {
        const std::string name(names.c_str() + at);
        at += static_cast<ssize_t>(name.size()) + 1;
        std::string value(65'536, '\0');
        const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
        if (size < 0) continue;
        value.resize(static_cast<std::size_t>(size));
        rows.push_back(quoted(name) + ": \"" + hex(value) + "\"");
    }
    std::sort(rows.begin(), rows.end());
    std::string out;
    for (const auto& row : rows) out += (out.empty() ? "" : ", ") + row;
    return "{" + out + "}";
}

const char* type_of(mode_t mode) {
    if (S_ISREG(mode)) return "file";
    if (S_ISDIR(mode)) return "directory";
    if (S_ISLNK(mode)) return "symlink";
    if (S_ISFIFO(mode)) return "fifo";
    if (S_ISCHR(mode)) return "character";
    return S_ISBLK(mode) ? "block" : "socket";
}

// FNV-1a: enough to see whether the bytes are the right ones.
std::uint64_t content_hash(const std::string& path) {
    std::uint64_t hash = 14695981039346656037ULL;
    const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return 0;
    std::vector<char> block(1 << 16);
    for (ssize_t n = 0; (n = ::read(fd, block.data(), block.size())) > 0;) {
        for (ssize_t i = 0; i < n; ++i) {
            hash ^= static_cast<unsigned char>(block[static_cast<std::size_t>(i)]);
            hash *= 1099511628211ULL;
        }
    }
    ::close(fd);
    return hash;
}

void print_entry(const std::string& shown, const std::string& path, const struct stat& status) {
    std::string target;
    if (S_ISLNK(status.st_mode)) {
        target.resize(4096);
        const ssize_t n = ::readlink(path.c_str(), target.data(), target.size());
        target.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    }
    const std::uint64_t hash = S_ISREG(status.st_mode) ? content_hash(path) : 0;
    std::printf(
            "{\"path\": %s, \"type\": \"%s\", \"mode\": %u, \"uid\": %u, \"gid\": %u, \"links\": "
            "%ju, "
            "\"inode\": %ju, \"size\": %jd, \"blocks\": %jd, \"mtime\": %jd, \"nanoseconds\": %ld, "
            "\"device\": \"%u:%u\", \"target\": %s, \"xattrs\": %s, \"hash\": \"%016" PRIx64
            "\"}\n",
            quoted(shown).c_str(), type_of(status.st_mode), status.st_mode & 07777U, status.st_uid,
            status.st_gid, static_cast<uintmax_t>(status.st_nlink),
            static_cast<uintmax_t>(status.st_ino), static_cast<intmax_t>(status.st_size),
            static_cast<intmax_t>(status.st_blocks), static_cast<intmax_t>(status.st_mtim.tv_sec),
            status.st_mtim.tv_nsec, major(status.st_rdev), minor(status.st_rdev),
            quoted(target).c_str(), xattrs_of(path).c_str(), hash);
}

// Only what is of the image: other file systems (proc, dev, bind mounts) are named and not entered.
void walk(const std::string& root, const std::string& below, dev_t device) {
    const std::string path = below.empty() ? root : root + "/" + below;
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) {
        std::printf("{\"path\": %s, \"type\": \"error %d\"}\n", quoted(below).c_str(), errno);
        return;
    }
    if (status.st_dev != device && S_ISDIR(status.st_mode)) {
        std::printf("{\"path\": %s, \"type\": \"mount\"}\n", quoted(below).c_str());
        return;
    }
    print_entry(below.empty() ? "." : below, path, status);
    if (!S_ISDIR(status.st_mode)) return;
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return;
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
    }
    ::closedir(directory);
    std::sort(names.begin(), names.end());
    for (const auto& name : names) walk(root, below.empty() ? name : below + "/" + name, device);
}

std::string status_line(const char* key) {
    FILE* file = std::fopen("/proc/self/status", "re");
    if (file == nullptr) return "";
    char line[512] = {};
    std::string out;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        if (std::strncmp(line, key, std::strlen(key)) == 0) {
            out = line + std::strlen(key);
            break;
        }
    }
    (void)std::fclose(file);
    out.erase(std::remove_if(out.begin(), out.end(), [](char c) { return c <= ' '; }), out.end());
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string verb = argc > 1 ? argv[1] : "";
    if (verb == "ids") {
        std::printf(
                "{\"uid\": %u, \"euid\": %u, \"gid\": %u, \"egid\": %u, \"effective\": \"%s\", "
                "\"permitted\": \"%s\"}\n",
                ::getuid(), ::geteuid(), ::getgid(), ::getegid(), status_line("CapEff:").c_str(),
                status_line("CapPrm:").c_str());
        return 0;
    }
    struct stat status = {};
    if (verb != "walk" || argc != 3 || ::stat(argv[2], &status) != 0) {
        (void)std::fputs("usage: image-probe walk ROOT | ids\n", stderr);
        return 2;
    }
    walk(argv[2], "", status.st_dev);
    return 0;
}
