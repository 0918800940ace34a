#include "engine_fixture.hpp"

#include "base/sys/file.hpp"

#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <catch2/catch.hpp>

namespace test {

namespace fs = std::filesystem;

namespace {

// The daemon's nft table, addresses and forwarding stay in a namespace of the test; threads made
// later inherit it.
void leave_the_host_network() {
    static const bool left = [] { return ::unshare(CLONE_NEWNET) == 0; }();
    REQUIRE(left);
}

void make_rootfs(const fs::path& root) {
    for (const char* name : {"bin", "etc", "root", "home/alice", "tmp", "var", "usr"})
        fs::create_directories(root / name);
    fs::permissions(root / "tmp", static_cast<fs::perms>(01777));
    fs::copy_file("/bin/busybox", root / "bin/busybox");
    for (const char* applet :
         {"sh",  "echo",     "cat",  "ls",       "sleep", "true", "false", "id",
          "env", "ps",       "kill", "touch",    "head",  "dd",   "grep",  "stat",
          "seq", "hostname", "ip",   "readlink", "pwd",   "tail", "wc"}) {
        fs::create_symlink("busybox", root / "bin" / applet);
    }
    std::ofstream(root / "etc/passwd")
            << "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1010:alice:/home/alice:/bin/sh\n";
    std::ofstream(root / "etc/group")
            << "root:x:0:\nwheel:x:10:root\ngardenparty:x:1010:\ngardenparty2:x:1011:alice\n";
    REQUIRE(::chown((root / "home/alice").c_str(), 1001, 1010) == 0);
}

std::string read_to_end(base::FdRef fd) {
    return base::sys::read_all(fd, 64 << 20).value();
}

}  // namespace

EngineFixture::EngineFixture() {
    leave_the_host_network();
    char name[] = "/var/tmp/cloche-engine-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    directory_ = name;
    rootfs_ = directory_ + "/rootfs";
    make_rootfs(rootfs_);
    config_.state_directory = directory_ + "/state";
    config_.store_directory = directory_ + "/store";
    config_.program_directory = std::string(CLOCHE_BINARY_DIR) + "/bin";
    // Two characters of the pid, so that two test programs do not meet in one cgroup parent.
    config_.tag = std::string{
            static_cast<char>('a' + ::getpid() % 26),
            static_cast<char>('a' + ::getpid() / 26 % 26)};
    config_.default_rootfs = rootfs_;
    config_.external_ip = "192.0.2.1";
    config_.pool_size = 2;
    engine_ = garden::Engine::start(config_).value();
}

EngineFixture::~EngineFixture() {
    for (const auto& handle : engine_->list({{"garden.state", "all"}})) {
        const auto destroyed = engine_->destroy(handle);
        CHECK((destroyed ? std::string() : destroyed.error().text) == "");
    }
    CHECK(findings().empty());
    engine_.reset();
    auto cgroups = garden::cgroup::Driver::probe("garden-" + config_.tag);
    if (cgroups) CHECK((*cgroups)->remove_parent());
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
    CHECK_FALSE(ignored);
}

void EngineFixture::restart() {
    stop();
    start();
}

void EngineFixture::stop() {
    engine_.reset();
}

void EngineFixture::start() {
    engine_ = garden::Engine::start(config_).value();
}

garden::ContainerSpec EngineFixture::spec(const std::string& handle) const {
    garden::ContainerSpec spec;
    spec.handle = garden::Handle(handle);
    return spec;
}

garden::Handle EngineFixture::create(const std::string& handle) {
    return engine_->create(spec(handle), [](const auto&) {}).value();
}

garden::ProcessSpec EngineFixture::process(std::vector<std::string> argv, const std::string& user) {
    garden::ProcessSpec spec;
    spec.path = argv.at(0);
    spec.args.assign(argv.begin() + 1, argv.end());
    spec.user = user;
    return spec;
}

std::int32_t EngineFixture::wait(const garden::Handle& handle, const std::string& process_id) {
    std::promise<std::int32_t> code;
    engine_->wait(handle, process_id, [&](base::Result<std::int32_t> result) {
        code.set_value(result ? *result : -1);
    });
    auto future = code.get_future();
    REQUIRE(future.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
    return future.get();
}

EngineFixture::Output EngineFixture::finish(
        const garden::Handle& handle, const garden::Attachment& attachment) {
    auto out = base::sys::make_pipe().value();
    auto err = base::sys::make_pipe().value();
    engine_->connect_output(handle, attachment.id, false, out.write).value();
    engine_->connect_output(handle, attachment.id, true, err.write).value();
    out.write.reset();
    err.write.reset();
    Output output;
    std::thread reader([&] { output.err = read_to_end(err.read); });
    output.out = read_to_end(out.read);
    reader.join();
    output.exit_code = wait(handle, attachment.process_id);
    (void)engine_->detach(handle, attachment.id);
    return output;
}

EngineFixture::Output EngineFixture::run(
        const garden::Handle& handle, std::vector<std::string> argv, const std::string& user) {
    return finish(handle, engine_->run(handle, process(std::move(argv), user)).value());
}

std::vector<std::string> EngineFixture::findings() {
    std::vector<std::string> lines;
    const auto orphans = engine_->doctor().value();
    for (const auto& orphan : orphans) {
        lines.push_back(orphan.kind + " " + orphan.name + ": " + orphan.reason);
    }
    return lines;
}

}  // namespace test
