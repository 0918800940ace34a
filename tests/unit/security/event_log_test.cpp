// OBS-04: the chain of the event log, and that every way of tampering with it is found.
#include "security/event_log.hpp"

#include "base/sys/file.hpp"
#include "security/event_log_verify.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>

using namespace security;
namespace fs = std::filesystem;

namespace {

class Directory {
  public:
    Directory() {
        char name[] = "/var/tmp/cloche-events-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path_ = name;
    }

    ~Directory() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }

    std::string log() const { return path_ + "/audit"; }

    std::string file() const { return log() + "/events.log"; }

  private:
    std::string path_;
};

EventLogConfig config(const Directory& directory) {
    EventLogConfig out;
    out.directory = directory.log();
    return out;
}

std::string text_of(const std::string& path) {
    return base::sys::read_host_file(path, 64 << 20).value();
}

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::vector<std::string> lines_of(const std::string& path) {
    std::vector<std::string> out;
    std::string rest = text_of(path);
    for (std::size_t end; (end = rest.find('\n')) != std::string::npos; rest.erase(0, end + 1))
        out.push_back(rest.substr(0, end + 1));
    return out;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) out += line;
    return out;
}

// A log of ten events and the checkpoint of its end.
void fill(const Directory& directory, int events = 10) {
    auto log = EventLog::open(config(directory)).value();
    for (int i = 0; i < events; ++i)
        log->append("container.create", "h" + std::to_string(i), {{"n", std::uint64_t{7}}});
}

EventLogVerdict verdict(const Directory& directory, const std::string& key = {}) {
    return verify_event_log_at(directory.log(), key).value();
}

std::string fault_of(const EventLogVerdict& verdict) {
    if (!verdict.fault) return "";
    return std::to_string(verdict.fault->line) + " " + verdict.fault->what;
}

}  // namespace

TEST_CASE("OBS-04 events become a chain that verifies, over restarts, and only root may read it") {
    const Directory directory;
    fill(directory);
    fill(directory);
    const auto found = verdict(directory);
    CHECK(fault_of(found) == "");
    CHECK(found.lines == 22);
    CHECK(found.first_seq == 1);
    CHECK(found.last_seq == 22);
    CHECK(found.checkpoints == 2);
    CHECK(found.sealed_seq == 22);
    CHECK(fs::status(directory.log()).permissions() == fs::perms::owner_all);
    CHECK((fs::status(directory.log() + "/key.pem").permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    const auto line = parse_event_line(lines_of(directory.file())[2]).value();
    CHECK(line.seq == 3);
    CHECK(line.actor == "gardend");
    CHECK(line.event == "container.create");
    CHECK(line.handle == "h2");
    CHECK(line.details == R"({"n":7})");
}

TEST_CASE("OBS-04 a line names who acted, and no text of a client breaks out of it") {
    const Directory directory;
    {
        auto log = EventLog::open(config(directory)).value();
        const ActorScope actor("uid=7 pid=8");
        log->append("x", "a\n\x1b[31m\"}", {{"text", "line\nbreak\xff"}});
        log->append("y", std::string(100'000, 'h'), {{"long", std::string(100'000, '\n')}});
        EventFields many;
        for (int i = 0; i < 100; ++i) many.emplace_back("f", std::string(1000, '\x01'));
        log->append("z", "", many);
    }
    const auto lines = lines_of(directory.file());
    REQUIRE(lines.size() == 4);
    for (const auto& line : lines) {
        CHECK(line.size() < kMaxEventLine);
        CHECK(line.find('\x1b') == std::string::npos);
    }
    CHECK(parse_event_line(lines[0]).value().actor == "uid=7 pid=8");
    CHECK(parse_event_line(lines[0]).value().handle == "a\n\x1b[31m\"}");
    CHECK(fault_of(verdict(directory)) == "");
    CHECK(ActorScope::current() == "gardend");
}

TEST_CASE("OBS-04 an edited line is found") {
    const Directory directory;
    fill(directory);
    auto lines = lines_of(directory.file());
    lines[4].replace(lines[4].find("h4"), 2, "hX");
    write(directory.file(), joined(lines));
    CHECK(fault_of(verdict(directory)) ==
          "6 does not follow seq 5: that line, or this one, was changed");
}

TEST_CASE("OBS-04 a removed line, and lines in another order, are found") {
    const Directory directory;
    fill(directory);
    const auto lines = lines_of(directory.file());
    auto removed = lines;
    removed.erase(removed.begin() + 4);
    write(directory.file(), joined(removed));
    CHECK(fault_of(verdict(directory)) == "5 seq 6 follows 4: lines were removed");
    auto swapped = lines;
    std::swap(swapped[3], swapped[4]);
    write(directory.file(), joined(swapped));
    CHECK(fault_of(verdict(directory)) == "4 seq 5 follows 3: lines were removed");
    auto doubled = lines;
    doubled.insert(doubled.begin() + 4, lines[3]);
    write(directory.file(), joined(doubled));
    CHECK(fault_of(verdict(directory)) == "5 seq 4 follows 4: lines are out of order");
    auto headless = lines;
    headless.erase(headless.begin());
    write(directory.file(), joined(headless));
    CHECK(fault_of(verdict(directory)).find("begins at seq 2") != std::string::npos);
}

TEST_CASE("OBS-04 a log that was cut behind a whole line is found by the last checkpoint") {
    const Directory directory;
    fill(directory);
    auto lines = lines_of(directory.file());
    lines.resize(6);
    write(directory.file(), joined(lines));
    CHECK(fault_of(verdict(directory)) == "1 truncated: seq 11 was sealed, and the log ends at 6");
    // The next start goes on and says so.
    fill(directory, 1);
    const auto after = lines_of(directory.file());
    CHECK(parse_event_line(after[6]).value().event == "log.truncated");
    CHECK(parse_event_line(after[6]).value().details == R"({"last_seq":6,"sealed_seq":11})");
}

TEST_CASE("OBS-04 a chain made anew with another key is found by the auditor's copy of the key") {
    const Directory directory;
    fill(directory);
    const auto kept = directory.log() + "/../auditor.pem";
    fs::copy_file(directory.log() + "/key.pub.pem", kept);
    const Directory forged;
    fill(forged);
    CHECK(fault_of(verdict(forged)) == "");
    CHECK(fault_of(verdict(forged, kept)).find("signed by another key") != std::string::npos);
    // A signature or anything else of a checkpoint that was changed.
    auto lines = lines_of(directory.file());
    const auto sealed = lines.back();
    const auto at = sealed.find("signature\":\"") + 12;
    lines.back()[at] = sealed[at] == '0' ? '1' : '0';
    write(directory.file(), joined(lines));
    CHECK(fault_of(verdict(directory)) == "11 the signature of the checkpoint is wrong");
    lines.back() = sealed;
    lines.back().replace(sealed.find("\"handle\":\"\""), 11, "\"handle\":\"x\"");
    write(directory.file(), joined(lines));
    CHECK(fault_of(verdict(directory)) == "11 the checkpoint was changed");
    // Without its private key nobody goes on signing unnoticed.
    write(directory.log() + "/key.pem", "nonsense");
    CHECK(EventLog::open(config(directory)).error().kind == base::Errc::corrupt);
}

TEST_CASE("OBS-04 half a line of a crash is cut off at the next start, which says so") {
    const Directory directory;
    fill(directory);
    write(directory.file(), text_of(directory.file()) + "{\"seq\":12,\"time\":\"20");
    CHECK(fault_of(verdict(directory)).find("incomplete") != std::string::npos);
    fill(directory, 1);
    CHECK(fault_of(verdict(directory)) == "");
    auto lines = lines_of(directory.file());
    const auto repaired = parse_event_line(lines[11]).value();
    CHECK(repaired.event == "log.repaired");
    CHECK(repaired.details.find("\"bytes\":20") != std::string::npos);
    // Blocks that a power cut left empty.
    write(directory.file(), joined(lines) + std::string(5000, '\0') + "\n");
    fill(directory, 1);
    CHECK(fault_of(verdict(directory)) == "");
}

TEST_CASE("OBS-04 the chain goes over files, and a file that is removed by age is on record") {
    const Directory directory;
    auto settings = config(directory);
    settings.file_bytes = 4096;
    settings.files = 3;
    settings.checkpoint_records = 5;
    {
        auto log = EventLog::open(settings).value();
        for (int i = 0; i < 200; ++i) {
            log->append("container.create", "h" + std::to_string(i));
            if (i % 4 == 0) log->flush();
        }
        const auto page = log->read(log->figures().last_seq - 20, 10).value();
        REQUIRE(page.lines.size() == 10);
        CHECK(parse_event_line(page.lines[0]).value().seq == page.last_seq - 19);
        CHECK(page.last_seq >= 200);
    }
    const auto found = verdict(directory);
    CHECK(fault_of(found) == "");
    CHECK(found.first_seq > 1);
    CHECK(found.checkpoints > 5);
    const auto opened = base::sys::open_host(directory.log(), O_RDONLY | O_DIRECTORY).value();
    const auto files = event_log_files(opened).value();
    CHECK(files.size() <= 3);
    // One that somebody else removes is not.
    fs::remove(directory.log() + "/" + files[1]);
    CHECK_FALSE(fault_of(verdict(directory)).empty());
    fill(directory, 1);
}

TEST_CASE("OBS-04 what does not fit into the queue is lost, counted, and told in the log") {
    const Directory directory;
    auto settings = config(directory);
    settings.queue = 4;
    {
        auto log = EventLog::open(settings).value();
        for (int i = 0; i < 20'000; ++i) log->append("e", "");
        log->flush();
        const auto figures = log->figures();
        CHECK(figures.lost > 0);
        log->append("after", "");
    }
    CHECK(fault_of(verdict(directory)) == "");
    CHECK(text_of(directory.file()).find("log.lost") != std::string::npos);
}

TEST_CASE("OBS-04 kill -9 in the middle of appends leaves a log that goes on") {
    const Directory directory;
    std::uint64_t least = 0;
    for (int round = 0; round < 5; ++round) {
        const auto child = ::fork();
        if (child == 0) {
            auto log = EventLog::open(config(directory));
            for (int i = 0; log; ++i) {
                (*log)->append("e", std::to_string(i), {{"filler", std::string(500, 'x')}});
                if (i % 50 == 0) (*log)->flush();
            }
            ::_exit(1);
        }
        REQUIRE(child > 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(150 + 37 * round));
        REQUIRE(::kill(child, SIGKILL) == 0);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        fill(directory, 1);
        const auto found = verdict(directory);
        CHECK(fault_of(found) == "");
        CHECK(found.last_seq > least);
        least = found.last_seq;
    }
    CHECK(least > 100);
}

TEST_CASE("OBS-04 appending does not wait for the disk") {
    const Directory directory;
    auto log = EventLog::open(config(directory)).value();
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i) log->append("container.create", "h", {{"class", "x"}});
    const auto each = (std::chrono::steady_clock::now() - begun) / 1000;
    log->flush();
    std::printf(
            "append: %lld us\n",
            static_cast<long long>(
                    std::chrono::duration_cast<std::chrono::microseconds>(each).count()));
    CHECK(each < std::chrono::milliseconds(1));
    CHECK(log->figures().lost == 0);
}
