#include "tests/unit/executor_steps/bench.hpp"

#include "base/fail.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace test {

using executor::api::Action;

// One attachment to a process; the process does not need it.
class FakeRun final : public executor::RunningProcess {
  public:
    FakeRun(FakeProcesses& all, executor::ProcessRequest request, executor::ProcessEvents events)
        : all_(all), request_(std::move(request)), events_(std::move(events)) {
        all_.attached_.push_back(this);
        timer_ = all_.loop_.after(milliseconds(0), [this] { begin(); });
    }

    FakeRun(const FakeRun&) = delete;
    FakeRun& operator=(const FakeRun&) = delete;

    ~FakeRun() override {
        all_.loop_.cancel(timer_);
        std::erase(all_.attached_, this);
    }

    void terminate() override {
        unwanted_ = true;
        auto* process = find();
        if (process == nullptr || !process->behaviour.leaves_after) return;
        end_by(*process, all_.loop_.clock().monotonic() + *process->behaviour.leaves_after, 143);
    }

    void kill() override {
        unwanted_ = true;
        auto* process = find();
        if (process == nullptr || process->behaviour.unkillable) return;
        end_by(*process, all_.loop_.clock().monotonic(), 137);
    }

    void lose() {
        all_.loop_.cancel(timer_);
        timer_ = all_.loop_.after(milliseconds(0), [this] {
            end(base::fail(base::Errc::not_found, "unknown handle: {}", request_.handle));
        });
    }

  private:
    FakeProcesses::Living* find() {
        const auto found = all_.living_.find(request_.spec.id);
        return found == all_.living_.end() ? nullptr : &found->second;
    }

    void begin() {
        if (find() != nullptr) {
            if (!request_.attach_first) all_.started_twice = true;
            if (events_.started) events_.started();
            return arm();
        }
        if (request_.attach_only)
            return end(base::fail(base::Errc::not_found, "unknown process: {}", request_.spec.id));
        if (unwanted_) return end(base::fail(base::Errc::cancelled, "cancelled"));
        const auto& behaviour = all_.programs[request_.spec.path];
        if (behaviour.refused) return end(*behaviour.refused);
        FakeProcesses::Living process{
                .behaviour = behaviour,
                .program = request_.spec.path,
                .ends = std::nullopt,
                .status = behaviour.status};
        if (behaviour.lives) process.ends = all_.loop_.clock().monotonic() + *behaviour.lives;
        all_.living_.emplace(request_.spec.id, process);
        all_.started.push_back(request_);
        if (events_.started) events_.started();
        if (!behaviour.out.empty()) events_.output(false, behaviour.out);
        if (!behaviour.err.empty()) events_.output(true, behaviour.err);
        arm();
    }

    void end_by(FakeProcesses::Living& process, SteadyTime time, std::int32_t status) {
        if (process.ends && *process.ends <= time) return;
        process.ends = time;
        process.status = status;
        arm();
    }

    void arm() {
        all_.loop_.cancel(timer_);
        const auto* process = find();
        if (!process->ends) return;
        timer_ = all_.loop_.after(*process->ends - all_.loop_.clock().monotonic(), [this] {
            const auto* ended = find();
            end(executor::ProcessEnd{
                    .status = ended->status, .out_of_memory = ended->behaviour.out_of_memory});
        });
    }

    void end(base::Result<executor::ProcessEnd> how) {
        const auto told = events_.ended;
        told(std::move(how));
    }

    FakeProcesses& all_;
    const executor::ProcessRequest request_;
    const executor::ProcessEvents events_;
    executor::Loop::TimerId timer_ = 0;
    bool unwanted_ = false;
};

std::unique_ptr<executor::RunningProcess> FakeProcesses::run(
        executor::ProcessRequest request, executor::ProcessEvents events) {
    return std::make_unique<FakeRun>(*this, std::move(request), std::move(events));
}

std::size_t FakeProcesses::running() const {
    const auto now = loop_.clock().monotonic();
    return static_cast<std::size_t>(std::count_if(
            living_.begin(), living_.end(),
            [&](const auto& entry) { return !entry.second.ends || *entry.second.ends > now; }));
}

std::size_t FakeProcesses::running(const std::string& program) const {
    const auto now = loop_.clock().monotonic();
    return static_cast<std::size_t>(
            std::count_if(living_.begin(), living_.end(), [&](const auto& entry) {
                return entry.second.program == program &&
                       (!entry.second.ends || *entry.second.ends > now);
            }));
}

bool FakeProcesses::was_started(const std::string& program) const {
    return std::any_of(started.begin(), started.end(), [&](const auto& request) {
        return request.spec.path == program;
    });
}

void FakeProcesses::lose_container() {
    for (auto& [id, process] : living_) process.ends = loop_.clock().monotonic();
    for (auto* run : attached_) run->lose();
}

void KeptLog::write(std::string_view source, executor::LogKind kind, std::string_view bytes) {
    text += std::string(source) + (kind == executor::LogKind::out ? " out> " : " err> ") +
            std::string(bytes);
    if (!text.ends_with('\n')) text += '\n';
}

void KeptLog::say(std::string_view source, executor::LogKind kind, std::string_view line) {
    text += std::string(source) + (kind == executor::LogKind::out ? " out: " : " err: ") +
            std::string(line) + "\n";
}

void KeptLog::flush(std::string_view) {}

namespace {

class NoFiles final : public executor::ContainerFiles {
  public:
    base::Result<void> stream_in(
            std::string_view,
            std::string_view,
            std::function<base::Result<std::size_t>(std::span<char>)>) override {
        return base::fail(base::Errc::unsupported, "no files here");
    }

    base::Result<void> stream_out(
            std::string_view,
            std::string_view,
            std::function<base::Result<void>(
                    std::function<base::Result<std::size_t>(std::span<char>)>)>) override {
        return base::fail(base::Errc::unsupported, "no files here");
    }
};

class NoFetcher final : public executor::Fetcher {
  public:
    base::Result<executor::FetchedTar> tar(
            const executor::FetchRequest&, std::stop_token) override {
        return base::fail(base::Errc::unsupported, "no downloads here");
    }

    base::Result<executor::FetchedDirectory> directory(
            const executor::FetchRequest&, std::stop_token) override {
        return base::fail(base::Errc::unsupported, "no downloads here");
    }

    base::Result<std::uint64_t> upload(executor::UploadRequest, std::stop_token) override {
        return base::fail(base::Errc::unsupported, "no uploads here");
    }
};

}  // namespace

struct Bench::Rest {
    NoFiles files;
    NoFetcher fetcher;
    base::WorkerPool pool{{.name = "unused", .threads = 1, .queue = 1}};
};

Bench::Bench()
    : loop(executor::Loop::make(clock).value()),
      processes(*loop),
      journal(clock),
      rest_(std::make_unique<Rest>()),
      tools_(new executor::Tools{
              .loop = *loop,
              .processes = processes,
              .files = rest_->files,
              .fetcher = rest_->fetcher,
              .log = log,
              .journal = journal,
              .download_pool = rest_->pool,
              .upload_pool = rest_->pool,
              .facts =
                      {.guid = "guid",
                       .handle = "handle",
                       .external_ip = "192.0.2.1",
                       .internal_ip = "127.0.0.1",
                       .internal_ip_v6 = "",
                       .ports = {},
                       .env = {}},
              .times = {},
              .set_routable = [this](bool now) { routable.push_back(now); }}) {}

Bench::~Bench() {
    watched_.reset();
    loop->stop();
}

Watched& Bench::start(std::unique_ptr<executor::Step> step) {
    watched_ = std::make_unique<Watched>();
    auto& w = *watched_;
    w.step = std::move(step);
    w.step->start(
            {.ready =
                     [&w] {
                         CHECK_FALSE(w.done());
                         ++w.readies;
                     },
             .done =
                     [&w](Outcome outcome) {
                         ++w.dones;
                         w.outcome = std::move(outcome);
                         w.step.reset();
                     }});
    CHECK(w.readies + w.dones == 0);  // never before start() returns
    loop->run_until_idle();
    return w;
}

Watched& Bench::restart(std::unique_ptr<executor::Step> step) {
    watched_.reset();
    loop->run_until_idle();
    return start(std::move(step));
}

// From timer to timer: what one sets off is due from when it fired.
void Bench::advance(std::chrono::nanoseconds time) {
    const auto end = clock.monotonic() + time;
    for (auto now = clock.monotonic(); now < end; now = clock.monotonic()) {
        const auto next = loop->next_timer();
        clock.advance((next && *next < end ? std::max(*next, now) : end) - now);
        loop->run_until_idle();
    }
}

void Bench::cancel() {
    if (watched_->step) watched_->step->cancel();
    loop->run_until_idle();
}

Action run_of(const std::string& program, const std::string& source) {
    executor::api::RunAction run;
    run.path = program;
    run.user = "vcap";
    run.log_source = source;
    return {.value = run};
}

Action serial_of(std::vector<Action> actions) {
    return {.value = executor::api::SerialAction{.actions = std::move(actions), .log_source = ""}};
}

Action parallel_of(std::vector<Action> actions) {
    return {.value =
                    executor::api::ParallelAction{.actions = std::move(actions), .log_source = ""}};
}

Action codependent_of(std::vector<Action> actions) {
    return {.value = executor::api::CodependentAction{
                    .actions = std::move(actions), .log_source = ""}};
}

Action timeout_of(Action action, std::chrono::nanoseconds time) {
    return {.value = executor::api::TimeoutAction{
                    .action = std::move(action), .timeout = time, .log_source = ""}};
}

Action try_of(Action action) {
    return {.value = executor::api::TryAction{.action = std::move(action), .log_source = ""}};
}

Action progress_of(Action action) {
    return {.value = executor::api::EmitProgressAction{
                    .action = std::move(action),
                    .start_message = "begins",
                    .success_message = "worked",
                    .failure_message_prefix = "failed",
                    .log_source = "STG"}};
}

}  // namespace test
