// garden-copy: `in DIRECTORY` unpacks a tar from standard input, `out PATH` packs one to standard
// output. Runs inside a container from a sealed memory file (PL-03). Errors: one line on standard
// error, exit 1.
#include "garden/launch/copy/copy.hpp"

#include <unistd.h>

#include <string>
#include <string_view>

namespace {

int fail(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = '?';  // names come from the archive (API-10)
    }
    text += '\n';
    (void)!::write(STDERR_FILENO, text.data(), text.size());
    return 1;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) return fail("usage: garden-copy in DIRECTORY | out PATH");
    const std::string_view direction = arguments[1];
    const std::string path = arguments[2];
    if (!path.starts_with('/')) return fail(path + ": not an absolute path");
    namespace tar = garden::launch::tar;
    if (direction != "in" && direction != "out") return fail("neither in nor out");
    auto done = direction == "in" ? tar::extract(base::FdRef(STDIN_FILENO), path)
                                  : tar::archive(base::FdRef(STDOUT_FILENO), path);
    return done ? 0 : fail(done.error().text);
}
