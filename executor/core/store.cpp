#include "executor/core/store.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>

namespace executor {

namespace sys = base::sys;

namespace {

constexpr base::json::Limits kRecordLimits{.bytes = kMaxRecordBytes};

}  // namespace

void to_json(base::json::Writer& w, const Record& v) {
    w.begin_object()
            .member("container", v.container)
            .member("stop", v.stop)
            .member("dependencies", v.dependencies)
            .end_object();
}

base::Result<void> from_json(const base::json::Node& node, Record& v) {
    base::json::Fields fields(node);
    fields.required("container", v.container)
            .optional("stop", v.stop)
            .optional("dependencies", v.dependencies);
    return fields.finish(base::json::Unknown::ignore);
}

base::Result<Store> Store::open(const std::string& directory) {
    TRY(sys::ensure_directory(directory, 0700));
    const auto path = directory + "/containers";
    TRY(sys::ensure_directory(path, 0700));
    auto root = TRY(sys::open_host(path.c_str(), O_RDONLY | O_DIRECTORY));
    return Store(path, std::move(root));
}

base::Result<Store::Loaded> Store::load() {
    Loaded loaded;
    const auto names = TRY(sys::list_directory(root_));
    for (const auto& name : names) {
        if (name == ".damaged") continue;
        const auto file = name + "/record";
        const auto text = sys::read_file_at(root_, file.c_str(), kMaxRecordBytes);
        if (!text && text.error().kind == base::Errc::not_found) {
            // Killed between making the directory and its first record: nothing was promised.
            TRY(sys::remove_tree_at(root_, name.c_str()));
            continue;
        }
        auto record =
                text ? base::json::decode<Record>(*text, base::json::Rest::reject, kRecordLimits)
                     : base::Result<Record>(text.error());
        if (record && record->container.guid == name) {
            loaded.records.push_back(std::move(*record));
            continue;
        }
        auto error = record ? base::fail(base::Errc::corrupt, "is the record of another container")
                            : record.error();
        TRY(sys::ensure_directory(path_ + "/.damaged", 0700));
        TRY(sys::remove_tree_at(root_, (".damaged/" + name).c_str()));
        TRY(sys::rename_at(root_, name.c_str(), root_, (".damaged/" + name).c_str()));
        loaded.damaged.push_back({.guid = name, .error = std::move(error)});
    }
    return loaded;
}

base::Result<void> Store::save(const Record& record) {
    const auto& guid = record.container.guid;
    const auto text = base::json::encode(record);
    if (text.size() > kMaxRecordBytes)
        return base::fail(
                base::Errc::exhausted, "record of {}: {} bytes, the limit is {}", guid, text.size(),
                kMaxRecordBytes);
    const auto open = [&] {
        return sys::open_at(root_, guid.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    };
    auto directory = open();
    // Only the first record of a container finds none; making sure looks at every part of the path.
    if (!directory && directory.error().kind == base::Errc::not_found) {
        TRY(sys::ensure_directory(path_ + "/" + guid, 0700));
        directory = open();
    }
    if (!directory) return std::move(directory).error();
    return sys::write_atomic_at(*directory, "record", text, 0600, sys::Durable::no)
            .context(base::format("write record of {}", guid));
}

base::Result<void> Store::erase(std::string_view guid) {
    return sys::remove_tree_at(root_, std::string(guid).c_str());
}

base::Result<std::unique_ptr<JournalFile>> Store::journal(
        std::string_view guid, std::function<void(const base::Error&)> complain) {
    auto directory = TRY(
            sys::open_at(root_, std::string(guid).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    auto journal = std::make_unique<JournalFile>(std::move(directory), std::move(complain));
    TRY(journal->load().context(base::format("journal of {}", guid)));
    return journal;
}

base::Result<std::string> Store::directory_for(std::string_view guid, std::string_view name) {
    auto path = base::format("{}/{}/{}", path_, guid, name);
    TRY(sys::ensure_directory(path, 0755));
    return path;
}

}  // namespace executor
