#include "tests/e2e/rep/cell.hpp"

#include "rep/plan/identity.hpp"
#include "rep/server/routes.hpp"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

namespace test {

using brain::api::LrpState;
using brain::api::TaskState;

namespace {

constexpr auto kHostAddress = "192.0.2.1";  // gardend's --external-ip

base::http::ClientConfig unix_client(const std::string& path) {
    base::http::ClientConfig config;
    config.endpoint.kind = base::http::Endpoint::Kind::unix_socket;
    config.endpoint.path = path;
    config.idle_connections = 32;
    return config;
}

template <class T>
T must(base::Result<T> result, const char* what) {
    if (!result) throw std::runtime_error(std::string(what) + ": " + result.error().text);
    return std::move(*result);
}

}  // namespace

Cell::Cell(CellOptions options)
    : options_(std::move(options)), garden_(DaemonOptions{.flags = {}, .state = {}, .store = {}}) {
    socket_ = garden_.directory() + "/executor.sock";
    log_ = garden_.directory() + "/executor.log";
    // Mapped ports are reached by the host's address, which must be one of this namespace.
    const auto pid = garden_.nursery().spawn(
            {"/usr/sbin/ip", "address", "add", std::string(kHostAddress) + "/32", "dev", "lo"},
            log_);
    int status = -1;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    REQUIRE(status == 0);
    executor_ = std::make_unique<executor::api::Client>(unix_client(socket_));
    start_executor();
    start_rep();
}

Cell::~Cell() {
    if (std::uncaught_exceptions() > 0)
        std::cerr << "the executor of the failed test says last:\n" << log_tail() << std::endl;
    kill_rep();
    if (pid_ <= 0) return;
    // gardend's own end removes its containers; the executor must not make them anew meanwhile.
    (void)::kill(pid_, SIGTERM);
    int status = 0;
    (void)::waitpid(pid_, &status, 0);
    INFO(log_tail());
    CHECK(status == 0);
}

void Cell::start_executor() {
    const std::vector<std::string> words{
            CLOCHE_BINARY_DIR "/tests/rep-test-executor",
            garden_.socket(),
            socket_,
            garden_.directory() + "/executor",
            std::to_string(options_.memory_mb),
            std::to_string(options_.disk_mb),
            std::to_string(options_.containers),
            std::to_string(options_.check.count())};
    pid_ = garden_.nursery().spawn(words, log_);
    REQUIRE(pid_ > 0);
    // Everything is taken up again.
    if (!soon([&] { return executor_->list({}).has_value(); }))
        throw std::runtime_error("the executor does not answer; its log ends:\n" + log_tail());
}

void Cell::kill_executor() {
    if (pid_ <= 0) return;
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
    pid_ = 0;
}

void Cell::start_rep() {
    rep::core::Config config;
    config.cell.id = kCellId;
    config.cell.zone = "z1";
    config.cell.stacks = {{"busybox", garden_.rootfs()}};
    config.owner = "owner";
    config.times = {
            .bulk = milliseconds(2'000),
            .bulk_evacuating = milliseconds(200),
            .retry = milliseconds(100),
            .presence = milliseconds(200),
            .presence_ttl = milliseconds(5'000)};
    config.evacuation.poll = milliseconds(100);
    config.on_note = [file = log_](const rep::core::Note& note) {
        std::ofstream(file, std::ios::app)
                << "rep: " + note.what + " " + note.guid + ": " + note.error.text + "\n";
    };
    if (options_.adjust) options_.adjust(config);
    metrics_ = std::make_unique<base::metrics::Registry>();
    link_ = std::make_unique<FlakyBrain>(memory_);
    rep_ = std::make_unique<rep::core::Rep>(std::move(config), *executor_, *link_, *metrics_);
    routes_ = rep::server::network_routes(*rep_);
    admin_ = rep::server::admin_routes(*rep_);
    base::http::ServerConfig listen;
    base::http::Endpoint endpoint;
    endpoint.kind = base::http::Endpoint::Kind::tcp;
    endpoint.host = "127.0.0.1";
    listen.endpoints = {endpoint};
    server_ = must(
            base::http::Server::start(
                    std::move(listen),
                    [this](base::http::Request& request) {
                        return request.path == "/evacuate" ? admin_(request) : routes_(request);
                    }),
            "serve the rep");
    http_ = std::make_unique<rep::api::Client>(
            base::http::ClientConfig{.endpoint = server_->endpoints().front()},
            patience(milliseconds(10'000)));
    rep_->start();
}

void Cell::kill_rep() {
    if (!rep_) return;
    link_->away = true;
    http_.reset();
    (void)server_->stop(milliseconds(0));
    server_.reset();
    rep_.reset();
    link_.reset();
}

base::http::Client Cell::raw_http() const {
    return base::http::Client({.endpoint = server_->endpoints().front()});
}

rep::api::Work Cell::must_perform(rep::api::Work work) {
    work.cell_id = kCellId;
    return must(http_->perform(work), "POST /work");
}

rep::api::Work Cell::place() {
    // What is on its way already has a container.
    std::set<std::string> lrps, tasks;
    for (const auto& c : containers()) {
        if (const auto key = rep::plan::lrp_key_of(c); key)
            lrps.insert(key->process_guid + "#" + std::to_string(key->index));
        tasks.insert(c.guid);
    }
    rep::api::Work work;
    for (const auto& lrp : memory_.all_lrps()) {
        if (lrp.state != LrpState::unclaimed || lrp.presence != brain::api::Presence::ordinary)
            continue;
        if (lrps.contains(lrp.key.process_guid + "#" + std::to_string(lrp.key.index))) continue;
        const auto desired = memory_.desired_lrp(lrp.key.process_guid);
        if (desired) work.lrps.push_back(work_of(*desired, lrp.key.index).lrps.front());
    }
    for (const auto& task : memory_.all_tasks())
        if (task.state == TaskState::pending && !tasks.contains(task.task_guid))
            work.tasks.push_back(work_of(task).tasks.front());
    return work.empty() ? work : must_perform(std::move(work));
}

std::vector<brain::api::ActualLrp> Cell::records(const std::string& process_guid) {
    auto all = memory_.all_lrps();
    std::erase_if(all, [&](const auto& lrp) { return lrp.key.process_guid != process_guid; });
    return all;
}

brain::api::ActualLrp Cell::record(const std::string& process_guid, std::int32_t index) {
    for (auto& lrp : records(process_guid))
        if (lrp.key.index == index && lrp.presence == brain::api::Presence::ordinary) return lrp;
    return {};
}

brain::api::Task Cell::task(const std::string& guid) {
    return must(memory_.task(guid), "task");
}

brain::api::ActualLrp Cell::running(const std::string& process_guid, std::int32_t index) {
    if (!soon([&] { return record(process_guid, index).state == LrpState::running; }))
        throw std::runtime_error(
                process_guid + " does not run but is " +
                std::string(to_string(record(process_guid, index).state)));
    return record(process_guid, index);
}

brain::api::Task Cell::completed(const std::string& guid) {
    if (!soon([&] { return task(guid).state == TaskState::completed; }))
        throw std::runtime_error(
                guid + " does not complete but is " + std::string(to_string(task(guid).state)));
    return task(guid);
}

std::vector<executor::api::Container> Cell::containers() {
    return must(executor_->list({}), "list of the executor");
}

std::vector<std::string> Cell::handles() {
    auto list = must(garden_.client().list({{"garden.state", "all"}}), "list of gardend");
    std::ranges::sort(list);
    return list;
}

bool Cell::gone(const std::string& guid) {
    const auto there = executor_->get(guid);
    if (there || there.error().kind != base::Errc::not_found) return false;
    const auto all = handles();
    return std::ranges::find(all, guid) == all.end();
}

int Cell::inside(const std::string& guid, const std::string& script, std::string* output) {
    garden::api::ProcessSpec spec;
    spec.path = "/bin/sh";
    spec.args = {"-c", script};
    spec.user = "root";
    auto stream = must(garden_.client().run(guid, spec), "run in the container");
    // By way of a file: what a process says is the business of other tests.
    const auto status = must(stream.wait(patience(milliseconds(10'000))), "wait in the container");
    if (output == nullptr) return status;
    const auto files = must(executor_->files(guid, "/tmp/out"), "output of the script");
    std::string tar(1 << 16, '\0');
    std::size_t at = 0;
    while (at < tar.size()) {
        const auto got = must(files->read_some(std::span(tar).subspan(at)), "output of the script");
        if (got == 0) break;
        at += got;
    }
    constexpr std::size_t kHeader = 512;
    *output = tar.substr(kHeader, tar.find('\0', kHeader) - kHeader);
    return status;
}

bool Cell::answers(std::uint16_t host_port) {
    bool reached = false;
    garden_.nursery().run([&] {
        const base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const timeval patient{.tv_sec = 5, .tv_usec = 0};
        (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patient, sizeof patient);
        (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof patient);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(host_port);
        (void)::inet_pton(AF_INET, kHostAddress, &to.sin_addr);
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return;
        char text[16];
        reached = ::recv(fd.get(), text, sizeof text, 0) > 0;
    });
    return reached;
}

std::string Cell::log_tail() const {
    constexpr std::size_t kTail = 6'000;
    std::ifstream file(log_);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    return text.size() > kTail ? text.substr(text.size() - kTail) : text;
}

bool soon(const std::function<bool()>& condition, milliseconds native) {
    const auto until = std::chrono::steady_clock::now() + patience(native);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
}

executor::api::Action shell(const std::string& script) {
    executor::api::RunAction run;
    run.path = "/bin/sh";
    run.args = {"-c", script};
    run.user = "root";
    return {.value = std::move(run)};
}

brain::api::DesiredLrp app(
        const std::string& guid, const std::string& script, std::int32_t instances) {
    brain::api::DesiredLrp out;
    out.process_guid = guid;
    out.domain = "apps";
    out.instances = instances;
    out.definition.rootfs = kStack;
    out.definition.action = shell(script);
    out.definition.memory_mb = 32;
    out.definition.disk_mb = 32;
    return out;
}

brain::api::Task job(
        const std::string& guid, const std::string& script, const std::string& result_file) {
    brain::api::Task out;
    out.task_guid = guid;
    out.domain = "jobs";
    out.task_definition.definition.rootfs = kStack;
    out.task_definition.definition.action = shell(script);
    out.task_definition.definition.memory_mb = 32;
    out.task_definition.definition.disk_mb = 32;
    out.task_definition.result_file = result_file;
    return out;
}

namespace {

rep::api::Needs needs_of(const brain::api::Definition& d) {
    return {.placement_tags = d.placement_tags,
            .volume_drivers = {},
            .rootfs = d.rootfs,
            .memory_mb = d.memory_mb,
            .disk_mb = d.disk_mb,
            .max_pids = d.max_pids};
}

}  // namespace

rep::api::Work work_of(const brain::api::DesiredLrp& desired, std::int32_t index) {
    rep::api::Lrp lrp;
    lrp.process_guid = desired.process_guid;
    lrp.index = index;
    lrp.domain = desired.domain;
    lrp.needs = needs_of(desired.definition);
    return {.lrps = {lrp}, .tasks = {}, .cell_id = kCellId};
}

rep::api::Work work_of(const brain::api::Task& task) {
    rep::api::Task out;
    out.task_guid = task.task_guid;
    out.domain = task.domain;
    out.needs = needs_of(task.task_definition.definition);
    return {.lrps = {}, .tasks = {out}, .cell_id = kCellId};
}

}  // namespace test
