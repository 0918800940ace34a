// A forked child that does what it is told and says what went wrong. Used by the kernel tests of
// security.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace test {

struct Ended {
    int code = -1;       // exit code, or -1
    int signal = 0;      // what killed it, or 0
    std::string output;  // what it wrote
};

// `body` runs in the child, writes to `out`, and its value is the exit code.
Ended in_child(const std::function<int(int out)>& body);
// The same in a new user namespace in which ids 0 to 65,535 are the host's from 0x10000000.
Ended in_user_namespace(const std::function<int(int out)>& body);

struct Probe {
    const char* name;
    std::function<long()> call;  // as a raw system call: -1 and errno
    int expected;  // errno; 0: it must not be refused with EPERM, ENOSYS or EAFNOSUPPORT
};

// Runs every probe; what differs is written to `out`. 0 when nothing does.
int run_probes(const std::vector<Probe>& probes, int out);

std::string temporary_directory(const std::string& where = "/tmp");
void write_file(const std::string& path, const std::string& text);  // fails the test when it cannot

}  // namespace test
