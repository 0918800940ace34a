#include "executor/core/credentials.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <errno.h>
#include <fcntl.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace executor {

namespace sys = base::sys;

// Locks: `work` before mutex_.
struct InstanceCredentials::Entry {
    explicit Entry(CredentialFiles given) : files(std::move(given)) {}

    std::mutex work;  // over the making of keys and the writing of files: the last one counts
    const CredentialFiles files;
    // Under mutex_.
    Subject subject;
    WallTime rotation = WallTime::max();  // nothing was issued
    std::optional<Certificate> routes;
    bool retired = false;
};

Subject subject_of(const api::Container& container) {
    Subject subject{
            .guid = container.guid,
            .organizational_units = container.info.certificate_properties.organizational_unit,
            .address = container.internal_ip,
            .internal_routes = {}};
    if (subject.address.empty()) subject.address = container.internal_ip_v6;
    if (subject.address.empty()) subject.address = container.external_ip;
    for (const auto& route : container.info.internal_routes)
        subject.internal_routes.push_back(route.hostname);
    return subject;
}

base::Result<std::unique_ptr<InstanceCredentials>> InstanceCredentials::open(
        const IdentitySettings& settings,
        std::string directory,
        const base::Clock& clock,
        Complain complain) {
    std::unique_ptr<InstanceCredentials> made(
            new InstanceCredentials(std::move(directory), clock, std::move(complain)));
    if (!settings.ca_certificate_file.empty()) made->identity_ = TRY(Identity::open(settings));
    return made;
}

InstanceCredentials::~InstanceCredentials() {
    stop();
}

void InstanceCredentials::start() {
    if (enabled()) thread_ = std::thread([this] { run(); });
}

void InstanceCredentials::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

InstanceCredentials::EntryPtr InstanceCredentials::find(const std::string& guid) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(guid);
    return found == entries_.end() ? nullptr : found->second;
}

// A creation that is begun anew has an entry already, which may be retired: it stays.
InstanceCredentials::EntryPtr InstanceCredentials::insert(
        const std::string& guid, CredentialFiles files) {
    auto entry = std::make_shared<Entry>(std::move(files));
    const std::lock_guard lock(mutex_);
    return entries_.try_emplace(guid, std::move(entry)).first->second;
}

base::Result<std::string> InstanceCredentials::prepare(const std::string& guid) {
    auto files = TRY(CredentialFiles::open(directory_, guid));
    return insert(guid, std::move(files))->files.path();
}

void InstanceCredentials::name(const Subject& subject) {
    const auto entry = find(subject.guid);
    if (!entry) return;
    const std::lock_guard lock(mutex_);
    entry->subject = subject;
}

base::Result<void> InstanceCredentials::issue(const std::string& guid) {
    const auto entry = find(guid);
    if (!entry) return base::ok;
    const std::lock_guard work(entry->work);
    Subject subject;
    {
        const std::lock_guard lock(mutex_);
        if (entry->retired) return base::ok;
        subject = entry->subject;
    }
    auto issued = TRY(identity_->issue(subject, clock_.wall()));
    TRY(entry->files.write(issued.instance));
    const std::lock_guard lock(mutex_);
    entry->rotation = rotation_time(issued.instance);
    entry->routes = std::move(issued.internal_routes);
    changed_ = true;
    wake_.notify_all();
    return base::ok;
}

base::Result<void> InstanceCredentials::issue_for_routes(const std::string& guid) {
    const auto entry = find(guid);
    if (!entry) return base::ok;
    const std::lock_guard work(entry->work);
    Subject subject;
    {
        const std::lock_guard lock(mutex_);
        // Before the first issue there is nothing to replace: that one will name these routes.
        if (entry->retired || entry->rotation == WallTime::max()) return base::ok;
        subject = entry->subject;
    }
    auto issued = TRY(identity_->issue_for_routes(subject, clock_.wall()));
    const std::lock_guard lock(mutex_);
    entry->routes = std::move(issued);
    return base::ok;
}

std::optional<Certificate> InstanceCredentials::internal_routes(const std::string& guid) const {
    const auto entry = find(guid);
    if (!entry) return std::nullopt;
    const std::lock_guard lock(mutex_);
    return entry->routes;
}

base::Result<void> InstanceCredentials::adopt(const Subject& subject) {
    if (!enabled()) return base::ok;
    const auto path = directory_ + "/" + subject.guid + "/";
    const auto certificate = sys::read_host_file(path + kCertificateFile);
    if (!certificate && certificate.error().sys == ENOENT) return base::ok;
    auto files = TRY(CredentialFiles::open(directory_, subject.guid));
    const auto key = sys::read_host_file(path + kKeyFile);
    auto rotation = clock_.wall();
    if (certificate && key)
        if (const auto known = identity_->rotation_of(*certificate, *key)) rotation = *known;
    const auto entry = insert(subject.guid, std::move(files));
    const std::lock_guard lock(mutex_);
    entry->subject = subject;
    entry->rotation = rotation;
    changed_ = true;
    wake_.notify_all();
    return base::ok;
}

void InstanceCredentials::retire(const std::string& guid) {
    const auto entry = find(guid);
    if (!entry) return;
    const std::lock_guard lock(mutex_);
    entry->retired = true;
    entry->routes.reset();
}

base::Result<void> InstanceCredentials::revoke(const std::string& guid) {
    const auto entry = find(guid);
    if (!entry) return base::ok;
    retire(guid);
    const std::lock_guard work(entry->work);  // behind a rotation on its way
    // By that time it may have been deleted.
    if (find(guid) != entry) return base::ok;
    const auto nobody = TRY(identity_->revoke(clock_.wall()));
    return entry->files.write(nobody.instance);
}

base::Result<void> InstanceCredentials::remove(const std::string& guid) {
    const auto entry = find(guid);
    if (!entry) return CredentialFiles::remove(directory_, guid);
    retire(guid);
    const std::lock_guard work(entry->work);
    {
        const std::lock_guard lock(mutex_);
        entries_.erase(guid);
    }
    return CredentialFiles::remove(directory_, guid);
}

base::Result<void> InstanceCredentials::remove_others(const std::set<std::string>& guids) {
    const auto directory = sys::open_host(directory_, O_RDONLY | O_DIRECTORY);
    if (!directory && directory.error().sys == ENOENT) return base::ok;
    if (!directory) return directory.error();
    const auto names = TRY(sys::list_directory(*directory));
    for (const auto& name : names)
        if (!guids.contains(name)) TRY(sys::remove_tree_at(*directory, name));
    return base::ok;
}

// How long a failed rotation rests: what is left after a rotation's time is twice as long or more
// (executor-rep §13).
std::chrono::seconds InstanceCredentials::pause() const {
    return std::clamp(
            identity_->validity() / 16, std::chrono::seconds(1), std::chrono::seconds(60));
}

WallTime InstanceCredentials::rotate() {
    const auto now = clock_.wall();
    std::vector<std::string> due;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [guid, entry] : entries_)
            if (!entry->retired && entry->rotation <= now) due.push_back(guid);
    }
    for (const auto& guid : due) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) break;
        }
        auto issued = issue(guid);
        if (issued) continue;
        complain_(guid, "rotation of instance credentials: " + issued.error().text);
        const auto entry = find(guid);
        const std::lock_guard lock(mutex_);
        if (entry) entry->rotation = clock_.wall() + pause();
    }
    const std::lock_guard lock(mutex_);
    auto next = WallTime::max();
    for (const auto& [guid, entry] : entries_)
        if (!entry->retired) next = std::min(next, entry->rotation);
    return next;
}

void InstanceCredentials::run() {
    constexpr std::chrono::seconds kLongest{60};  // the wall's clock is set, and nobody says so
    for (;;) {
        const auto now = clock_.wall();
        const auto next = std::clamp<WallTime>(rotate(), now, now + kLongest);
        std::unique_lock lock(mutex_);
        (void)wake_.wait_for(lock, next - now, [&] { return stopping_ || changed_; });
        if (stopping_) return;
        changed_ = false;
    }
}

}  // namespace executor
