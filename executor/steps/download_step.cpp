// Download (executor-rep §5.4): through the cache, then as a tar stream into the container.
#include "base/fail.hpp"
#include "base/sys/partial.hpp"
#include "executor/fetch/fetch.hpp"
#include "executor/steps/transfer.hpp"
#include "executor/steps/transfer_steps.hpp"

namespace executor {

namespace {

struct Download {
    api::DownloadAction action;
    Tools& tools;
    TransferTalk talk;

    Outcome operator()(const std::stop_token& stop) const {
        talk.say(base::format("Downloading {}...", action.artifact));
        auto fetched = tools.fetcher.tar(
                {.url = action.from,
                 .cache_key = action.cache_key,
                 .checksum_algorithm = action.checksum_algorithm,
                 .checksum_value = action.checksum_value},
                stop);
        if (!fetched) {
            if (stop.stop_requested()) return Outcome::cancelled();
            return talk.fail(base::format("Downloading {}failed", talk.named()), fetched.error());
        }
        talk.say(
                fetched->downloaded > 0 ? base::format(
                                                  "Downloaded {} ({})", action.artifact,
                                                  short_size(fetched->downloaded))
                                        : base::format("Downloaded {}", action.artifact));
        return copy(fetched->file, stop);
    }

    Outcome copy(base::FdRef tar, const std::stop_token& stop) const {
        auto copied = tools.files.stream_in(
                action.user, action.to, [&](std::span<char> into) -> base::Result<std::size_t> {
                    if (stop.stop_requested())
                        return base::fail(base::Errc::cancelled, "the download was cancelled");
                    return TRY(base::sys::read_some(tar, into)).value_or(0);
                });
        if (copied) return Outcome::success();
        if (stop.stop_requested()) return Outcome::cancelled();
        const auto what = base::format("Copying {}into the container failed", talk.named());
        talk.say_error(what, copied.error().text);
        return Outcome::failed(
                base::format("{}: {}", what, cut_error(copied.error().text)), copied.error().text);
    }
};

}  // namespace

std::unique_ptr<Step> make_download_step(
        const api::DownloadAction& action, Tools& tools, std::string source, std::string path) {
    if (!action.log_source.empty()) source = action.log_source;
    Download work{
            .action = action,
            .tools = tools,
            .talk = TransferTalk(tools, std::move(source), action.artifact)};
    return std::make_unique<TransferStep>(
            tools, tools.download_pool, std::move(path), std::move(work));
}

}  // namespace executor
