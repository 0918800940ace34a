// Where the credentials of an instance come into its life (executor-rep §4.3 step 4, §4.5, §4.6).
#include "base/fail.hpp"
#include "executor/core/local_executor.hpp"

namespace executor {

namespace {

constexpr auto kFailed = "failed to create credentials directory";

}  // namespace

// The directory must be there before the backend makes the container; what is in it names an
// address that is known only afterwards.
base::Result<void> LocalExecutor::mount_credentials(
        const api::Container& container, Mounts& mounts) {
    if (!credentials_->enabled()) return base::ok;
    const std::string inside(kCredentialsTarget);
    auto path = TRY(credentials_->prepare(container.guid).context(kFailed));
    mounts.binds.push_back(
            {.src_path = std::move(path), .dst_path = inside, .mode = 0, .origin = 0});
    mounts.environment.push_back(
            {.name = "CF_INSTANCE_CERT", .value = inside + "/" + kCertificateFile});
    mounts.environment.push_back({.name = "CF_INSTANCE_KEY", .value = inside + "/" + kKeyFile});
    return base::ok;
}

base::Result<void> LocalExecutor::issue_credentials(Node& node) {
    {
        const std::lock_guard lock(node.mutex);
        name_in_credentials(node);
    }
    return credentials_->issue(node.guid()).context(kFailed);
}

void LocalExecutor::name_in_credentials(const Node& node) {
    credentials_->name(subject_of(node.record.container));
}

// The record has the routes already: a failure is told, and the next rotation tries again.
void LocalExecutor::renew_routes(const Node& node) {
    if (auto issued = credentials_->issue_for_routes(node.guid()); !issued)
        tell(true, "certificate of internal routes: " + issued.error().text, node.guid());
}

void LocalExecutor::adopt_credentials(const Node& node) {
    Subject subject;
    bool stop = false;
    {
        const std::lock_guard lock(node.mutex);
        if (!node.record.container.is_created()) return;
        subject = subject_of(node.record.container);
        stop = node.record.stop;
    }
    if (auto adopted = credentials_->adopt(subject); !adopted)
        tell(true, "instance credentials: " + adopted.error().text, node.guid());
    // The last life may have ended between the word and the deed.
    if (stop) revoke_credentials(node);
}

// A failure must not keep a container from stopping.
void LocalExecutor::revoke_credentials(const Node& node) {
    if (auto revoked = credentials_->revoke(node.guid()); !revoked)
        tell(true, "instance credentials not revoked: " + revoked.error().text, node.guid());
}

void LocalExecutor::remove_credentials(const Node& node) {
    if (auto removed = credentials_->remove(node.guid()); !removed)
        tell(true, removed.error().text, node.guid());
}

void LocalExecutor::remove_stray_credentials() {
    std::set<std::string> known;
    for (const auto& node : nodes()) known.insert(node->guid());
    if (auto removed = credentials_->remove_others(known); !removed)
        tell(true, "stray instance credentials: " + removed.error().text);
}

}  // namespace executor
