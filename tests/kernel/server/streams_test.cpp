// Run, Attach and their output connections, byte for byte (garden-api §7).
#include "server_fixture.hpp"
#include "tests/support/needs.hpp"

#include <algorithm>
#include <atomic>
#include <regex>
#include <thread>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;

namespace {

std::string spec(std::vector<std::string> argv, const std::string& id = {}) {
    auto process = ServerFixture::process(std::move(argv));
    process.id = id;
    return base::json::encode(process) + "\n";
}

RawProcess run(ServerFixture& fixture, std::vector<std::string> argv, const std::string& id = {}) {
    return begin(fixture.endpoint(), "POST", "/containers/c/processes", spec(std::move(argv), id));
}

RawProcess attach(ServerFixture& fixture, const std::string& id) {
    return begin(fixture.endpoint(), "GET", "/containers/c/processes/" + id);
}

std::string exit_message(const std::string& id, int code) {
    return "{\"process_id\":\"" + id + "\",\"exit_status\":" + std::to_string(code) + "}\n";
}

std::string input(const std::string& data) {
    return R"({"process_id":"p","source":0,"data":")" + data + "\"}\n";
}

constexpr const char* kInputEnd = "{\"process_id\":\"p\",\"source\":0}\n";
constexpr const char* kKill = "{\"process_id\":\"p\",\"signal\":1}\n";
constexpr const char* kTerminate = "{\"process_id\":\"p\",\"signal\":0}\n";

}  // namespace

TEST_CASE("the golden exchange of run: three connections") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"/bin/cat"}, "p1");
    CHECK(process.head ==
          "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
          "Transfer-Encoding: chunked\r\n");
    CHECK(process.process_id == "p1");
    CHECK(std::regex_match(process.stream_id, std::regex("[0-9a-f]{32}")));
    auto out = open_output(fixture.endpoint(), "c", process, false);
    auto err = open_output(fixture.endpoint(), "c", process, true);
    process.main.send("{\"process_id\":\"p1\",\"source\":0,\"data\":\"hi\\n\"}\n");
    CHECK(out.until("\n") == "hi\n");
    process.main.send("{\"process_id\":\"p1\",\"source\":0}\n");
    CHECK(process.main.rest() == exit_message("p1", 0));
    CHECK(out.rest() == "");
    CHECK(err.rest() == "");
}

TEST_CASE("output and errors take their own connections; exit codes and signals are Go's") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto output = fixture.run("c", {"sh", "-c", "echo out; echo err >&2; exit 42"});
    CHECK(output.out == "out\n");
    CHECK(output.err == "err\n");
    CHECK(output.code == 42);
    auto killed = run(fixture, {"sleep", "1000"});
    killed.main.send(kKill);
    CHECK(killed.main.rest() == exit_message(killed.process_id, 137));
    auto terminated = run(fixture, {"sleep", "1000"});
    terminated.main.send(kTerminate);
    CHECK(terminated.main.rest() == exit_message(terminated.process_id, 143));
    CHECK(std::regex_match(terminated.process_id, std::regex("[0-9a-f-]{36}")));
}

TEST_CASE("output of a process that is over waits for its connections") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"sh", "-c", "seq 1 10000; echo err >&2"});
    CHECK(process.main.rest() == exit_message(process.process_id, 0));
    process.main.close();
    std::this_thread::sleep_for(200ms);
    auto out = open_output(fixture.endpoint(), "c", process, false);
    auto err = open_output(fixture.endpoint(), "c", process, true);
    const auto text = out.rest();
    CHECK(text.size() == 48'894);
    CHECK(text.ends_with("9999\n10000\n"));
    CHECK(err.rest() == "err\n");
}

TEST_CASE("after its time late output is gone, and the connection is empty") {
    NEEDS(root, userns, nft);
    ServerFixture fixture({.stream_times = {.late_output = 100ms, .linger = 100ms}});
    fixture.create("c");
    auto process = run(fixture, {"echo", "text"});
    (void)process.main.rest();
    process.main.close();
    std::this_thread::sleep_for(1s);
    CHECK(open_output(fixture.endpoint(), "c", process, false).rest() == "");
}

TEST_CASE("a stream id is good once for each output, by its own handle; others see an empty one") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    fixture.create("other");
    auto process = run(fixture, {"sh", "-c", "echo text; sleep 1000"});
    CHECK(open_output(fixture.endpoint(), "other", process, false).rest() == "");
    CHECK(open_output(fixture.endpoint(), "nowhere", process, false).rest() == "");
    auto wrong = RawProcess{
            .main = Wire(fixture.endpoint()),
            .head = {},
            .process_id = process.process_id,
            .stream_id = "1"};
    CHECK(open_output(fixture.endpoint(), "c", wrong, false).rest() == "");
    auto out = open_output(fixture.endpoint(), "c", process, false);
    CHECK(out.until("\n") == "text\n");
    CHECK(open_output(fixture.endpoint(), "c", process, false).rest() == "");
    process.main.send(kKill);
    CHECK(out.rest() == "");
}

TEST_CASE("messages need no newline; unknown ones and odd signals change nothing") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"cat"});
    auto out = open_output(fixture.endpoint(), "c", process, false);
    process.main.send(R"({"new":1}{"signal":9}{"signal":"x"}[]{"tty":{}}{"source":2,"data":"a"})"
                      "  \n\n"
                      R"({"source":0,"data":"\u003cb\u003e\n"})");
    CHECK(out.until("\n") == "a<b>\n");
    // After the end of input signals still count (the Go server loses them).
    process.main.send(kInputEnd);
    CHECK(process.main.rest() == exit_message(process.process_id, 0));
    auto deaf = run(fixture, {"sleep", "1000"});
    deaf.main.send(kInputEnd);
    std::this_thread::sleep_for(100ms);
    deaf.main.send(kKill);
    CHECK(deaf.main.rest() == exit_message(deaf.process_id, 137));
}

TEST_CASE("messages may come together with the request, and in pieces of one byte") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto request = go_hijack("POST", "/containers/c/processes", spec({"cat"}, "early"));
    Wire together(fixture.endpoint());
    together.send(request + input("a\\n") + input("b\\n") + kInputEnd);
    const auto all = together.rest();
    CHECK(all.ends_with(exit_message("early", 0)));
    CHECK(call(fixture.endpoint(), "GET", "/cloche/v1/containers/c/processes/early/logs").body ==
          "a\nb\n");
    Wire slow(fixture.endpoint());
    for (const char c : go_hijack("POST", "/containers/c/processes", spec({"cat"}, "slow")))
        slow.send(std::string_view(&c, 1));
    (void)slow.until("stream_id");
    for (const char c : input("c\\n") + kInputEnd) slow.send(std::string_view(&c, 1));
    CHECK(slow.rest().ends_with(exit_message("slow", 0)));
    CHECK(call(fixture.endpoint(), "GET", "/cloche/v1/containers/c/processes/slow/logs").body ==
          "c\n");
}

TEST_CASE("one message may be as large as a whole file, and what is no JSON is no message") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"wc", "-c"});
    auto out = open_output(fixture.endpoint(), "c", process, false);
    process.main.send(input(std::string(6 << 20, 'x')));
    process.main.send(kInputEnd);
    CHECK(process.main.rest(60s) == exit_message(process.process_id, 0));
    CHECK(out.rest() == "6291456\n");
    auto broken = run(fixture, {"cat"}, "broken");
    broken.main.send("} x ]\n" + std::string(kKill));
    CHECK(broken.main.rest() == exit_message("broken", 137));
}

TEST_CASE("two hundred waiting clients hold no workers") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    std::vector<RawProcess> clients;
    clients.push_back(run(fixture, {"sh", "-c", "read line; exit 4"}, "watched"));
    for (int i = 0; i < 200; ++i) clients.push_back(attach(fixture, "watched"));
    CHECK(fixture.server().workers().threads < 16);
    CHECK(eventually([&] { return fixture.server().workers().busy <= 1; }));
    CHECK(eventually([&] {
        return fixture.service().metrics().text().find("gardend_streams 201\n") !=
               std::string::npos;
    }));
    clients[100].main.send(input("\\n"));
    for (auto& client : clients) CHECK(client.main.until("\n") == exit_message("watched", 4));
    clients.clear();
    CHECK(eventually([&] {
        return fixture.service().metrics().text().find("gardend_streams 0\n") != std::string::npos;
    }));
}

TEST_CASE("nothing sent is no end of input") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"cat"});
    CHECK(process.main.peek(500ms) == "");
    CHECK_FALSE(process.main.ended());
    process.main.send(kKill);
    CHECK(process.main.rest() == exit_message(process.process_id, 137));
}

TEST_CASE("a client that leaves takes its input along, and the process stays") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"sh", "-c", "cat; echo input is over; sleep 1000"}, "stays");
    auto other = attach(fixture, "stays");
    auto out = open_output(fixture.endpoint(), "c", other, false);
    process.main.send(input("one\\n"));
    CHECK(out.until("\n") == "one\n");
    process.main.close();
    // The other attachment holds it open.
    other.main.send(input("two\\n"));
    CHECK(out.until("\n") == "two\n");
    other.main.send(kInputEnd);
    CHECK(out.until("\n") == "input is over\n");
    auto third = attach(fixture, "stays");
    third.main.send(kKill);
    CHECK(third.main.rest() == exit_message("stays", 137));
    CHECK(other.main.rest() == exit_message("stays", 137));
}

TEST_CASE("a client that is gone before its answer leaves no process waiting for its input") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    for (int i = 0; i < 5; ++i) {
        Wire wire(fixture.endpoint());
        wire.send(go_hijack("POST", "/containers/c/processes", spec({"cat"})));
        if (i % 2 == 0) std::this_thread::sleep_for(1ms * i);
    }
    CHECK(eventually([&] {
        const auto rows = fixture.engine().processes(garden::Handle("c")).value();
        return rows.size() == 5 && std::all_of(rows.begin(), rows.end(), [](const auto& row) {
                   return row.exited && row.exit_code == 0;
               });
    }));
}

TEST_CASE("six clients of one process see one exit status and the output from their attach on") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"sh", "-c", "read line; echo got $line; exit 12"}, "shared");
    std::vector<RawProcess> clients;
    std::vector<Wire> outputs;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(attach(fixture, "shared"));
        CHECK(clients.back().head ==
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
              "Transfer-Encoding: chunked\r\n");
        CHECK(clients.back().stream_id != process.stream_id);
        outputs.push_back(open_output(fixture.endpoint(), "c", clients.back(), false));
    }
    clients[3].main.send(input("words\\n"));
    for (auto& client : clients) CHECK(client.main.rest() == exit_message("shared", 12));
    for (auto& output : outputs) CHECK(output.rest() == "got words\n");
    // And one that comes after the end.
    CHECK(attach(fixture, "shared").main.rest() == exit_message("shared", 12));
}

TEST_CASE("an error of run or attach has a length, and never says that the connection closes") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto refused = [&](std::string_view method, const std::string& path,
                             const std::string& body) {
        // As a call that closes would be answered, too: the worst case.
        const auto answer = call(fixture.endpoint(), method, "/containers/c/" + path, body);
        CHECK(answer.head.find("Connection") == std::string::npos);
        CHECK(answer.head.find("Content-Length: ") != std::string::npos);
        return answer.line();
    };
    CHECK(refused("GET", "processes/zz", "") ==
          "404 {\"Type\":\"ProcessNotFoundError\",\"Message\":\"unknown process: zz\","
          "\"Handle\":\"\",\"ProcessID\":\"zz\",\"Binary\":\"\"}\n");
    const auto missing = refused("POST", "processes", spec({"does-not-exist"}));
    CHECK(missing.starts_with("500 {\"Type\":\"ExecutableNotFoundError\",\"Message\":\""));
    CHECK(missing.find("unable to start container process: exec: \\\"does-not-exist\\\": "
                       "executable file not found in $PATH") != std::string::npos);
    const auto absolute = refused("POST", "processes", spec({"/bin/nope"}));
    CHECK(absolute.find("ExecutableNotFoundError") != std::string::npos);
    CHECK(absolute.find("stat /bin/nope: no such file or directory") != std::string::npos);
    CHECK(refused("POST", "processes", R"({"path":"true","user":"bob"})")
                  .find("unable to find user bob: no matching entries in passwd file") !=
          std::string::npos);
    auto holder = run(fixture, {"sleep", "1000"}, "twice");
    const auto twice = refused("POST", "processes", spec({"true"}, "twice"));
    CHECK(twice.find("process ID 'twice' already in use") != std::string::npos);
    CHECK(twice.starts_with("409 "));
    CHECK(refused("POST", "processes", "").starts_with("400 "));
    CHECK(refused("POST", "processes", R"({"path":7})").find("path: expected a string") !=
          std::string::npos);
    CHECK(refused("POST", "processes", R"({"path":"true","image":{"uri":"/nowhere.tar"}})")
                  .find("/nowhere.tar") != std::string::npos);
    CHECK(refused("POST", "processes", R"({"path":"true","bind_mounts":[{"src_path":"/tmp"}]})")
                  .find("Running a process with bind mounts and no image provided is not "
                        "allowed") != std::string::npos);
    const auto large = refused("POST", "processes", std::string(5 << 20, ' '));
    CHECK(large.starts_with("413 "));
    CHECK(refused("POST", "processes", "{}").starts_with("400 "));
}

TEST_CASE("input that nobody reads does not cost the exit status") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    for (int i = 0; i < 10; ++i) {
        auto process = run(fixture, {"true"});
        for (int j = 0; j < 8; ++j) process.main.send(input(std::string(1024, 'x')));
        CHECK(process.main.until("\n") == exit_message(process.process_id, 0));
    }
    // A client that goes on sending gets its line too, and then the end.
    auto process = run(fixture, {"sh", "-c", "exit 3"});
    std::thread writer([&] {
        for (int j = 0; j < 2000; ++j) process.main.send(input(std::string(4096, 'x')));
    });
    CHECK(process.main.until("\n", 30s) == exit_message(process.process_id, 3));
    writer.join();
    CHECK(call(fixture.endpoint(), "GET", "/ping").status == 200);
}

TEST_CASE("much input goes through whole, at the process's own pace") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"sh", "-c", "sleep 1; wc -c"});
    auto out = open_output(fixture.endpoint(), "c", process, false);
    const std::string piece(32 * 1024, 'y');
    for (int i = 0; i < 256; ++i) process.main.send(input(piece));
    process.main.send(kInputEnd);
    CHECK(process.main.rest(60s) == exit_message(process.process_id, 0));
    CHECK(out.rest() == "8388608\n");
}

TEST_CASE("a slow reader holds the process, and gets everything") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"sh", "-c", "dd if=/dev/zero bs=1024 count=4000 | tr '\\0' z"});
    auto out = open_output(fixture.endpoint(), "c", process, false);
    auto err = open_output(fixture.endpoint(), "c", process, true);
    CHECK(process.main.peek(1s) == "");
    CHECK(out.rest().size() == 4000 * 1024);
    CHECK(process.main.rest() == exit_message(process.process_id, 0));
}

TEST_CASE("a reader that is slower than the end of the process gets everything, too") {
    NEEDS(root, userns, nft);
    ServerFixture fixture({.stream_times = {.late_output = 60s, .linger = 100ms}});
    fixture.create("c");
    // More than the socket holds, less than what the shim keeps beside it.
    auto process = run(fixture, {"sh", "-c", "dd if=/dev/zero bs=1024 count=350 | tr '\\0' z"});
    auto out = open_output(fixture.endpoint(), "c", process, false);
    auto err = open_output(fixture.endpoint(), "c", process, true);
    CHECK(process.main.rest() == exit_message(process.process_id, 0));
    process.main.close();
    std::this_thread::sleep_for(500ms);
    CHECK(out.rest().size() == 350 * 1024);
}

TEST_CASE("a terminal: size, resize, carriage returns, and stderr that stays empty") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto wanted = ServerFixture::process(
            {"sh", "-c",
             "stty size; trap 'stty size; exit 7' WINCH; while true; do sleep 0.1; done"});
    wanted.tty = garden::api::Tty{.window_size = garden::api::WindowSize{.columns = 13, .rows = 7}};
    auto process = begin(
            fixture.endpoint(), "POST", "/containers/c/processes", base::json::encode(wanted));
    auto out = open_output(fixture.endpoint(), "c", process, false);
    auto err = open_output(fixture.endpoint(), "c", process, true);
    CHECK(out.until("\n") == "7 13\r\n");
    std::this_thread::sleep_for(300ms);  // until the trap is set
    process.main.send(R"({"process_id":"p","tty":{"window_size":{"columns":40,"rows":20}}})"
                      "\n");
    CHECK(out.until("\n") == "20 40\r\n");
    CHECK(process.main.rest() == exit_message(process.process_id, 7));
    CHECK(out.rest() == "");
    CHECK(err.rest() == "");
    wanted = ServerFixture::process({"stty", "size"});
    wanted.tty.emplace();
    auto plain = begin(
            fixture.endpoint(), "POST", "/containers/c/processes", base::json::encode(wanted));
    CHECK(open_output(fixture.endpoint(), "c", plain, false).until("\n") == "24 80\r\n");
}

TEST_CASE("the server that stops closes streams without a status, and the process lives on") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process =
            run(fixture, {"sh", "-c", "echo ready; sleep 3; echo still here; exit 9"}, "survivor");
    auto out = open_output(fixture.endpoint(), "c", process, false);
    CHECK(out.until("\n") == "ready\n");
    fixture.stop();
    CHECK(process.main.rest() == "");
    fixture.start();
    CHECK(attach(fixture, "survivor").main.rest() == exit_message("survivor", 9));
    CHECK(out.rest() == "still here\n");  // its shim writes it
}

TEST_CASE("run and attach at the moment of an abandon are closed, not served and not a crash") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    std::atomic<bool> over = false;
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back([&] {
            while (!over) {
                Wire wire(fixture.endpoint());
                wire.send(go_hijack("POST", "/containers/c/processes", spec({"true"})));
                (void)wire.peek(5s);
            }
        });
    }
    std::this_thread::sleep_for(500ms);
    fixture.service().abandon_streams();
    std::this_thread::sleep_for(200ms);
    over = true;
    for (auto& client : clients) client.join();
    CHECK(fixture.client().ping());
}

TEST_CASE("the typed client runs, writes, reads, resizes and waits") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto client = fixture.client();
    auto stream = client.run("c", ServerFixture::process({"sh", "-c", "read a; echo $a; exit 5"}))
                          .value();
    auto output = stream.open_output(false).value();
    stream.send_input("typed\n");
    CHECK(stream.wait(20s).value() == 5);
    char text[16] = {};
    CHECK((output.leftover.empty() ? ::read(output.socket.get(), text, sizeof text) : 6) == 6);
    auto again = client.attach("c", stream.process_id()).value();
    CHECK(again.wait(20s).value() == 5);
    CHECK(client.attach("c", "nope").error().text == "unknown process: nope");
    CHECK(client.run("nope", ServerFixture::process({"true"})).error().text ==
          "unknown handle: nope");
}

TEST_CASE("a destroyed container ends its streams with 137") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    auto process = run(fixture, {"sleep", "1000"});
    auto out = open_output(fixture.endpoint(), "c", process, false);
    CHECK(call(fixture.endpoint(), "DELETE", "/containers/c").status == 200);
    CHECK(process.main.rest() == exit_message(process.process_id, 137));
    CHECK(out.rest() == "");
}
