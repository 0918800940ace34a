// escape-attempts [NAME... | --hold-inotify]: tries each way out (or the named ones), a line
// "NAME OUTCOME" for each. Static and alone: it runs in any container. Used by
// tests/e2e/escapes_test.cpp.
#include "tests/e2e/escapes/attempts.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

namespace escapes {

std::string errno_name(int number) {
    const char* name = ::strerrorname_np(number);
    return name != nullptr ? name : "errno-" + std::to_string(number);
}

std::string outcome(long result) {
    return result < 0 ? errno_name(errno) : "done";
}

namespace {

constexpr unsigned kSeconds = 5;

// In a child: what an attempt changes (its root, its limits, its descriptors) ends with it.
std::string try_alone(const Attempt& attempt) {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) return "no pipe";
    const pid_t child = ::fork();
    if (child == 0) {
        // The only descriptors it has are those it was started with, and this one.
        (void)::close(ends[0]);
        (void)::alarm(kSeconds);
        const std::string words = attempt.run();
        const auto ignored = ::write(ends[1], words.data(), words.size());
        ::_exit(ignored < 0 ? 1 : 0);
    }
    (void)::close(ends[1]);
    std::string words;
    std::array<char, 256> piece{};
    for (ssize_t got = 0; (got = ::read(ends[0], piece.data(), piece.size())) > 0;)
        words.append(piece.data(), static_cast<std::size_t>(got));
    (void)::close(ends[0]);
    int status = 0;
    (void)::waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
    return words.empty() ? "silent" : words;
}

bool wanted(int argc, char** argv, const char* name) {
    return argc < 2 || std::any_of(argv + 1, argv + argc, [&](const char* word) {
               return std::strcmp(word, name) == 0;
           });
}

}  // namespace

}  // namespace escapes

int main(int argc, char** argv) {
    using namespace escapes;  // NOLINT: the main of this folder
    if (argc == 2 && std::strcmp(argv[1], "--hold-inotify") == 0) hold_inotify();
    for (const auto list :
         {attempts_by_calls(), attempts_by_files(), attempts_by_resources(),
          attempts_by_covers()}) {
        for (const Attempt& attempt : list) {
            if (!wanted(argc, argv, attempt.name)) continue;
            (void)std::printf("%s %s\n", attempt.name, try_alone(attempt).c_str());
            (void)std::fflush(stdout);
        }
    }
    return 0;
}
