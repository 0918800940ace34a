// An action's running form: which step, with which log source, at which place in the journal.
#include "executor/steps/basic_step.hpp"
#include "executor/steps/combinators.hpp"
#include "executor/steps/run_step.hpp"
#include "executor/steps/transfer_steps.hpp"

#include <fmt/format.h>

namespace executor {

namespace {

// What validation lets through nowhere: an action of no kind.
class InvalidStep final : public BasicStep {
  public:
    using BasicStep::BasicStep;

  protected:
    void begin() override { finish(Outcome::failed("steps invalid", "an action without a kind")); }

    void on_cancel() override {}
};

struct Maker {
    Tools& tools;
    const std::string& source;  // inherited
    const std::string& path;

    // §5.12: parallel, codependent, timeout and try pass their source to their children; serial and
    // emit_progress do not.
    std::string own(const std::string& log_source) const {
        return log_source.empty() ? source : log_source;
    }

    std::unique_ptr<Step> child(const api::Action& action, const std::string& child_source) const {
        return make_step(action, tools, child_source, path + "/0");
    }

    Steps children(const std::vector<api::Action>& actions, const std::string& child_source) const {
        Steps out;
        for (const auto& action : actions)
            out.push_back(
                    make_step(action, tools, child_source, fmt::format("{}/{}", path, out.size())));
        return out;
    }

    std::unique_ptr<Step> operator()(std::monostate) const {
        return std::make_unique<InvalidStep>(tools.loop);
    }

    std::unique_ptr<Step> operator()(const api::DownloadAction& action) const {
        return make_download_step(action, tools, source, path);
    }

    std::unique_ptr<Step> operator()(const api::UploadAction& action) const {
        return make_upload_step(action, tools, source, path);
    }

    std::unique_ptr<Step> operator()(const api::RunAction& action) const {
        return make_run_step(action, tools, source, path);
    }

    std::unique_ptr<Step> operator()(const api::TimeoutAction& action) const {
        return timeout(tools, path, action.timeout, child(*action.action, own(action.log_source)));
    }

    std::unique_ptr<Step> operator()(const api::TryAction& action) const {
        return attempt(tools, child(*action.action, own(action.log_source)));
    }

    std::unique_ptr<Step> operator()(const api::EmitProgressAction& action) const {
        return emit_progress(
                tools, path, own(action.log_source),
                {.start = action.start_message,
                 .success = action.success_message,
                 .failure_prefix = action.failure_message_prefix},
                child(*action.action, source));
    }

    std::unique_ptr<Step> operator()(const api::SerialAction& action) const {
        return serial(tools, path, children(action.actions, source));
    }

    std::unique_ptr<Step> operator()(const api::ParallelAction& action) const {
        return parallel(tools, children(action.actions, own(action.log_source)));
    }

    std::unique_ptr<Step> operator()(const api::CodependentAction& action) const {
        return codependent(
                tools, children(action.actions, own(action.log_source)),
                {.error_on_exit = true, .cancel_others_on_exit = false});
    }
};

}  // namespace

std::unique_ptr<Step> make_step(
        const api::Action& action, Tools& tools, std::string source, std::string path) {
    return std::visit(Maker{.tools = tools, .source = source, .path = path}, action.value);
}

}  // namespace executor
