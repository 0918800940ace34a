// bench-client: the Garden API as a client sees it. One JSON line with microseconds per call.
//   bench-client SOCKET ping 1 -                          succeeds when gardend answers
//   bench-client SOCKET cycle ROUNDS ROOTFS              create, run /bin/true, destroy
//   bench-client SOCKET run ROUNDS ROOTFS                /bin/true in one living container
//   bench-client SOCKET rate SECONDS ROOTFS PARALLEL     cycles per second with PARALLEL in flight
//   bench-client SOCKET stream MEGABYTES ROOTFS          stdout of a process to an attached client
//   bench-client SOCKET hold COUNT ROOTFS PARALLEL       creates, prints, waits for EOF, destroys
//   bench-client SOCKET pull ROUNDS URI                  an image that is not there, then removed
// A sixth word is the network of the containers: none.
#include "base/parse.hpp"
#include "tests/bench/client_http.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::time_point from) {
    return std::chrono::duration<double, std::micro>(Clock::now() - from).count();
}

// The benchmark ends at the first failure: a number with failures in it is no number.
template <class T>
T must(base::Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "bench-client: %s\n", result.error().text.c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

void print(const char* name, const std::vector<double>& values) {
    std::printf("\"%s\":[", name);
    for (std::size_t i = 0; i < values.size(); ++i)
        std::printf("%s%.0f", i == 0 ? "" : ",", values[i]);
    std::printf("]");
}

void check_exit(int code) {
    if (code != 0) {
        std::fprintf(stderr, "bench-client: the program ended with %d\n", code);
        std::exit(1);
    }
}

void cycle(const bench::Garden& garden, int rounds, const std::string& rootfs) {
    std::vector<double> create, run, destroy, total;
    for (int i = 0; i < rounds; ++i) {
        const auto start = Clock::now();
        const std::string handle = must(garden.create(rootfs));
        create.push_back(microseconds(start));
        const auto created = Clock::now();
        check_exit(must(garden.run(handle, {"/bin/true"}, nullptr)));
        run.push_back(microseconds(created));
        const auto ran = Clock::now();
        must(garden.destroy(handle));
        destroy.push_back(microseconds(ran));
        total.push_back(microseconds(start));
    }
    std::printf("{");
    print("create", create);
    std::printf(",");
    print("run", run);
    std::printf(",");
    print("destroy", destroy);
    std::printf(",");
    print("us", total);
    std::printf("}\n");
}

void run(const bench::Garden& garden, int rounds, const std::string& rootfs) {
    const std::string handle = must(garden.create(rootfs));
    std::vector<double> times;
    for (int i = 0; i < rounds; ++i) {
        const auto start = Clock::now();
        check_exit(must(garden.run(handle, {"/bin/true"}, nullptr)));
        times.push_back(microseconds(start));
    }
    must(garden.destroy(handle));
    std::printf("{");
    print("us", times);
    std::printf("}\n");
}

void rate(const bench::Garden& garden, int seconds, const std::string& rootfs, int parallel) {
    std::atomic<int> done{0};
    const auto start = Clock::now();
    const auto end = start + std::chrono::seconds(seconds);
    std::mutex mutex;
    std::vector<double> creates;
    std::vector<std::thread> threads;
    for (int t = 0; t < parallel; ++t) {
        threads.emplace_back([&] {
            while (Clock::now() < end) {
                const auto before = Clock::now();
                const std::string handle = must(garden.create(rootfs));
                const double took = microseconds(before);
                check_exit(must(garden.run(handle, {"/bin/true"}, nullptr)));
                must(garden.destroy(handle));
                ++done;
                const std::lock_guard lock(mutex);
                creates.push_back(took);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    std::printf("{\"per_second\":%.1f,", done.load() / (microseconds(start) / 1e6));
    print("create", creates);
    std::printf("}\n");
}

void stream(const bench::Garden& garden, int megabytes, const std::string& rootfs) {
    const std::string handle = must(garden.create(rootfs));
    std::uint64_t bytes = 0;
    const auto start = Clock::now();
    check_exit(must(garden.run(
            handle, {"/bin/dd", "if=/dev/zero", "bs=1048576", "count=" + std::to_string(megabytes)},
            &bytes)));
    const double us = microseconds(start);
    must(garden.destroy(handle));
    const auto expected = static_cast<std::uint64_t>(megabytes) << 20U;
    if (bytes != expected) {
        std::fprintf(
                stderr, "bench-client: %llu bytes of %llu arrived\n",
                static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(expected));
        std::exit(1);
    }
    std::printf("{\"bytes\":%llu,\"us\":[%.0f]}\n", static_cast<unsigned long long>(bytes), us);
}

void hold(const bench::Garden& garden, int count, const std::string& rootfs, int parallel) {
    std::vector<std::string> handles(static_cast<std::size_t>(count));
    std::vector<double> creates(handles.size());
    const auto in_parallel = [&](auto work) {
        std::atomic<std::size_t> next{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < parallel; ++t) {
            threads.emplace_back([&] {
                for (std::size_t i = next++; i < handles.size(); i = next++) work(i);
            });
        }
        for (auto& thread : threads) thread.join();
    };
    const auto start = Clock::now();
    in_parallel([&](std::size_t i) {
        const auto before = Clock::now();
        handles[i] = must(garden.create(rootfs));
        creates[i] = microseconds(before);
    });
    std::printf("{\"total_us\":%.0f,", microseconds(start));
    print("create", creates);
    std::printf("}\n");
    std::fflush(stdout);
    char byte = 0;
    while (::read(0, &byte, 1) > 0) {
    }
    in_parallel([&](std::size_t i) { must(garden.destroy(handles[i])); });
}

int usage() {
    std::fprintf(
            stderr,
            "usage: bench-client SOCKET ping|cycle|run|rate|stream|hold NUMBER ROOTFS [PARALLEL "
            "[NETWORK]]; both numbers at least 1\n");
    return 2;
}

void pull(const bench::Garden& garden, int rounds, const std::string& uri) {
    std::vector<double> times;
    for (int i = 0; i < rounds; ++i) {
        const auto start = Clock::now();
        const auto events = must(garden.call(
                "POST", "/cloche/v1/images/pull",
                R"({"uri":")" + uri + R"(","username":"","password":""})"));
        times.push_back(microseconds(start));
        if (events.body.find("event: done") == std::string::npos) {
            std::fprintf(stderr, "bench-client: %s\n", events.body.c_str());
            std::exit(1);
        }
        (void)must(garden.call("DELETE", "/cloche/v1/images?reference=" + uri, ""));
        (void)must(garden.call("POST", "/cloche/v1/images/prune", ""));
    }
    std::printf("{");
    print("us", times);
    std::printf("}\n");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) return usage();
    const bench::Garden garden(argv[1], argc > 6 ? argv[6] : "");
    const std::string mode = argv[2];
    const int number = must(base::parse_number<int>(argv[3], "NUMBER"));
    const int parallel = argc > 5 ? must(base::parse_number<int>(argv[5], "PARALLEL")) : 8;
    if (number < 1 || parallel < 1) return usage();
    if (mode == "ping") {
        (void)must(garden.call("GET", "/ping", ""));
    } else if (mode == "cycle") {
        cycle(garden, number, argv[4]);
    } else if (mode == "run") {
        run(garden, number, argv[4]);
    } else if (mode == "rate") {
        rate(garden, number, argv[4], parallel);
    } else if (mode == "stream") {
        stream(garden, number, argv[4]);
    } else if (mode == "hold") {
        hold(garden, number, argv[4], parallel);
    } else if (mode == "pull") {
        pull(garden, number, argv[4]);
    } else {
        return usage();
    }
    return 0;
}
