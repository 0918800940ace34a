// Upload (executor-rep §5.5): a file out of the container, to an address that no message names,
// because addresses hold credentials.
#include "base/fail.hpp"
#include "executor/fetch/fetch.hpp"
#include "executor/steps/transfer.hpp"
#include "executor/steps/transfer_steps.hpp"

#include <optional>

namespace executor {

namespace {

using Read = std::function<base::Result<std::size_t>(std::span<char>)>;

// Between the container and the fetcher: a cancel is felt with the next piece.
Read stoppable(Read read, std::stop_token stop) {
    return [read = std::move(read),
            stop = std::move(stop)](std::span<char> into) -> base::Result<std::size_t> {
        if (stop.stop_requested())
            return base::fail(base::Errc::cancelled, "the upload was cancelled");
        return read(into);
    };
}

struct Upload {
    api::UploadAction action;
    Tools& tools;
    TransferTalk talk;

    Outcome operator()(const std::stop_token& stop) const {
        talk.say(base::format("Uploading {}...", action.artifact));
        // Not set: the container's stream never came.
        std::optional<base::Result<std::uint64_t>> uploaded;
        auto streamed = tools.files.stream_out(
                action.user, action.from, [&](Read read) -> base::Result<void> {
                    uploaded = tools.fetcher.upload(
                            {.url = action.to,
                             .artifact = action.artifact,
                             .tar = stoppable(std::move(read), stop)},
                            stop);
                    return base::ok;
                });
        if (stop.stop_requested() && !(uploaded && *uploaded)) return Outcome::cancelled();
        if (!uploaded) {
            const auto error = streamed ? base::fail(base::Errc::internal, "no stream")
                                        : std::move(streamed).error();
            return talk.fail(
                    base::format(
                            "Failed to establish the stream from the container{}",
                            talk.for_named()),
                    error);
        }
        return told(*uploaded);
    }

    Outcome told(const base::Result<std::uint64_t>& uploaded) const {
        if (uploaded) {
            talk.say(base::format("Uploaded {} ({})", action.artifact, short_size(*uploaded)));
            return Outcome::success();
        }
        const auto& error = uploaded.error();
        talk.say_error("Uploading failed", error.text);
        // §5.5: the reason of a failed POST stays generic.
        if (error.kind == base::Errc::unavailable) return Outcome::failed("", error.text);
        return Outcome::failed(error.text, error.text);
    }
};

}  // namespace

std::unique_ptr<Step> make_upload_step(
        const api::UploadAction& action, Tools& tools, std::string source, std::string path) {
    if (!action.log_source.empty()) source = action.log_source;
    Upload work{
            .action = action,
            .tools = tools,
            .talk = TransferTalk(tools, std::move(source), action.artifact)};
    return std::make_unique<TransferStep>(
            tools, tools.upload_pool, std::move(path), std::move(work));
}

}  // namespace executor
