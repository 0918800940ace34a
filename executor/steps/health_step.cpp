#include "executor/steps/health_step.hpp"

#include "executor/logs/stream.hpp"
#include "executor/steps/duration.hpp"

namespace executor {

void HealthStep::begin() {
    // A check of an earlier life is not taken up again, so there is nothing to end.
    if (cancelled()) return finish(Outcome::cancelled());
    auto& journal = tools_.journal;
    if (journal.finished(options_.path + "/healthy")) {
        healthy_ = true;
        ready();
        // Nobody has looked while we were away.
        return begin_liveness(tools_.times.unhealthy_interval);
    }
    const bool fresh = !journal.begun(options_.path);
    journal.begin(options_.path);
    begun_at_ = journal.begun(options_.path).value_or(loop().clock().wall());
    if (fresh)
        tools_.log.say(options_.source, LogKind::out, "Starting health monitoring of container");
    if (options_.start_timeout > options_.start_timeout.zero()) {
        deadline_ = loop().after(options_.start_timeout - elapsed(), [this] {
            deadline_ = 0;
            give_up();
        });
    }
    begin_startup();
}

std::chrono::nanoseconds HealthStep::elapsed() const {
    return tools_.loop.clock().wall() - begun_at_;
}

void HealthStep::became_healthy() {
    loop().cancel(deadline_);
    deadline_ = 0;
    healthy_ = true;
    tools_.journal.finish(options_.path + "/healthy", Outcome::success());
    tools_.log.say(options_.source, LogKind::out, "Container became healthy");
    ready();
    begin_liveness({});
}

void HealthStep::say_failure(const std::string& detail, const std::string& line) {
    tools_.log.write(options_.source, LogKind::err, detail + "\n");  // may be several lines
    tools_.log.say(options_.source, LogKind::err, line);
}

void HealthStep::startup_failed(const std::string& detail) {
    const auto time = to_go_text_rounded(elapsed());
    say_failure(detail, "Failed after " + time + ": startup health check never passed.");
    finish(Outcome::failed("Instance never healthy after " + time + ": " + detail));
}

void HealthStep::liveness_failed(const std::string& detail) {
    say_failure(detail, "Container became unhealthy");
    finish(Outcome::failed("Instance became unhealthy: " + detail));
}

}  // namespace executor
