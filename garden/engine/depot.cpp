#include "garden/engine/depot.hpp"

#include "base/fail.hpp"
#include "base/rollback.hpp"
#include "base/sys/file.hpp"

#include <errno.h>
#include <fcntl.h>

namespace garden {

namespace {

constexpr const char* kRecord = "container.json";
constexpr const char* kProcesses = "processes";
constexpr std::size_t kRecordBytes = 128 << 20;  // above every sum of bounds in plan/validate.hpp

}  // namespace

base::Result<Depot> Depot::open(const std::string& directory) {
    TRY(base::sys::ensure_directory(directory, 0700));
    auto fd = TRY(base::sys::open_host(directory, O_RDONLY | O_DIRECTORY));
    return Depot(directory, std::move(fd));
}

std::string Depot::path_of(const Handle& handle) const {
    return directory_ + "/" + handle.get();
}

base::Result<std::vector<Handle>> Depot::list() const {
    auto listing = TRY(base::sys::open_at(fd_, ".", O_RDONLY | O_DIRECTORY));
    std::vector<Handle> handles;
    for (auto& name : TRY(base::sys::list_directory(listing)))
        handles.emplace_back(std::move(name));
    return handles;
}

base::Result<base::Fd> Depot::create_bundle(const Handle& handle) const {
    TRY(base::sys::make_directory_at(fd_, handle.get(), 0700));
    // A full disk may refuse the second one: then the first goes as well.
    base::Rollback rollback;
    rollback.add([this, &handle] { (void)remove(handle); });
    auto bundle = TRY(open_bundle(handle));
    TRY(base::sys::make_directory_at(bundle, kProcesses, 0700));
    rollback.commit();
    return bundle;
}

base::Result<base::Fd> Depot::open_bundle(const Handle& handle) const {
    return base::sys::open_at(fd_, handle.get(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

base::Result<void> Depot::remove(const Handle& handle) const {
    // An operation that was already on its way may still write a record into it.
    constexpr int kAttempts = 16;
    auto removed = base::sys::remove_tree_at(fd_, handle.get());
    for (int i = 1; i < kAttempts && !removed && removed.error().sys == ENOTEMPTY; ++i)
        removed = base::sys::remove_tree_at(fd_, handle.get());
    return removed;
}

base::Result<void> Depot::save(base::FdRef bundle, const ContainerRecord& record) {
    // No fsync: a power cut ends the containers too, and what is left is swept (docs/adr: depot).
    return base::sys::write_atomic_at(
                   bundle, kRecord, to_json(record), 0600, base::sys::Durable::no)
            .context("save the container's record");
}

base::Result<ContainerRecord> Depot::load(base::FdRef bundle) {
    return parse_record(TRY(base::sys::read_file_at(bundle, kRecord, kRecordBytes)));
}

base::Result<void> Depot::save_process(base::FdRef bundle, const ProcessRecord& record) {
    const auto name = std::string(kProcesses) + "/" + record.id;
    auto file =
            TRY(base::sys::open_at(bundle, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    return base::sys::write_all(file, to_json(record)).context("save a process record");
}

void Depot::drop_process(base::FdRef bundle, std::string_view id) {
    // Best effort: a stale row names a process that the shim does not know, and is dropped at the
    // next start.
    (void)base::sys::remove_at(bundle, std::string(kProcesses) + "/" + std::string(id));
}

std::vector<ProcessRecord> Depot::load_processes(base::FdRef bundle) {
    std::vector<ProcessRecord> records;
    auto directory = base::sys::open_at(bundle, kProcesses, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return records;
    auto names = base::sys::list_directory(*directory);
    if (!names) return records;
    for (const auto& name : *names) {
        auto text = base::sys::read_file_at(*directory, name, kRecordBytes);
        if (!text) continue;
        auto record = parse_process_record(*text);
        if (record) records.push_back(std::move(*record));
    }
    return records;
}

base::Result<void> Depot::write_file(
        base::FdRef bundle, const std::string& name, std::string_view text, std::uint32_t owner) {
    auto file =
            TRY(base::sys::open_at(bundle, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    TRY(base::sys::write_all(file, text));
    return base::sys::change_owner(file, owner, owner);
}

}  // namespace garden
