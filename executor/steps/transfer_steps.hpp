// The steps that move files: download (executor-rep §5.4) and upload (§5.5). Made by make_step();
// each runs its blocking work on its pool, whose threads are the limit of transfers at once.
#pragma once

#include "executor/api/action.hpp"
#include "executor/steps/step.hpp"

#include <memory>
#include <string>

namespace executor {

struct Tools;

// `source`: the log source it inherits, the action's own wins; `path`: its place in the journal.
std::unique_ptr<Step> make_download_step(
        const api::DownloadAction& action, Tools& tools, std::string source, std::string path);
std::unique_ptr<Step> make_upload_step(
        const api::UploadAction& action, Tools& tools, std::string source, std::string path);

}  // namespace executor
