// One function per command, one file each; the value is the exit code. Called by main, which prints
// errors.
#pragma once

#include "base/result.hpp"
#include "cli/context.hpp"

namespace cli {

base::Result<int> run_command(Context& context, const RunOptions& options);
base::Result<int> run_command(Context& context, const CreateOptions& options);
base::Result<int> run_command(Context& context, const PlanOptions& options);
base::Result<int> run_command(Context& context, const ListOptions& options);
base::Result<int> run_command(Context& context, const InspectOptions& options);
base::Result<int> run_command(Context& context, const DestroyOptions& options);
base::Result<int> run_command(Context& context, const ExecOptions& options);
base::Result<int> run_command(Context& context, const AttachOptions& options);
base::Result<int> run_command(Context& context, const LogsOptions& options);
base::Result<int> run_command(Context& context, const PsOptions& options);
base::Result<int> run_command(Context& context, const StatsOptions& options);
base::Result<int> run_command(Context& context, const CopyOptions& options);
base::Result<int> run_command(Context& context, const ImagePullOptions& options);
base::Result<int> run_command(Context& context, const ImageListOptions& options);
base::Result<int> run_command(Context& context, const ImageInspectOptions& options);
base::Result<int> run_command(Context& context, const ImageRemoveOptions& options);
base::Result<int> run_command(Context& context, const ImagePruneOptions& options);
base::Result<int> run_command(Context& context, const ImageVerifyOptions& options);
base::Result<int> run_command(Context& context, const DenialsOptions& options);
base::Result<int> run_command(Context& context, const AuditOptions& options);
base::Result<int> run_command(Context& context, const AuditVerifyOptions& options);
base::Result<int> run_command(Context& context, const AuditShowOptions& options);
base::Result<int> run_command(Context& context, const ConnectionsOptions& options);
base::Result<int> run_command(Context& context, const ExplainOptions& options);
base::Result<int> run_command(Context& context, const DoctorOptions& options);
base::Result<int> run_command(Context& context, const FeaturesOptions& options);
base::Result<int> run_command(Context& context, const CellStateOptions& options);
base::Result<int> run_command(Context& context, const CellContainersOptions& options);
base::Result<int> run_command(Context& context, const CellEvacuateOptions& options);
base::Result<int> run_command(Context& context, const CellLogsOptions& options);
base::Result<int> run_command(Context& context, const TaskRunOptions& options);

}  // namespace cli
