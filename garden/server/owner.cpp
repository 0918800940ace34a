#include "garden/server/owner.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

namespace garden::server {

namespace {

namespace sys = base::sys;

constexpr std::size_t kRecordBytes = 16 * 1024;  // two paths

base::Result<Owner> from_text(std::string_view text) {
    const auto document = TRY(base::json::Document::parse(text));
    Owner owner;
    base::json::Fields fields(document.root());
    fields.required("depot", owner.depot).required("store", owner.store);
    TRY(fields.finish(base::json::Unknown::ignore));
    return owner;
}

std::string to_text(const Owner& owner) {
    base::json::Writer writer;
    writer.begin_object().member("depot", owner.depot).member("store", owner.store).end_object();
    return writer.take() + "\n";
}

std::string without_links(const std::string& path) {
    std::error_code unusable;
    const auto found = std::filesystem::canonical(path, unusable);
    return unusable ? path : found.string();
}

// In doubt it has some: what cannot be looked at may be about to be mounted.
bool has_containers(const std::string& depot) {
    const auto bundles = sys::open_host(depot + "/depot", O_RDONLY | O_DIRECTORY);
    if (!bundles) return bundles.error().kind != base::Errc::not_found;
    const auto names = sys::list_directory(*bundles);
    return !names || !names->empty();
}

}  // namespace

base::Result<void> claim_tag(const std::string& path, const Owner& owner, bool take_over) {
    const Owner mine{.depot = without_links(owner.depot), .store = without_links(owner.store)};
    const auto text = sys::read_host_file(path, kRecordBytes);
    if (!text && text.error().kind != base::Errc::not_found) return text.error();
    // A record cut short by a crash says nothing; so did the versions that wrote none.
    const auto before = text ? from_text(*text) : base::Result<Owner>(mine);
    if (before && before->depot != mine.depot && !take_over && has_containers(before->depot))
        return base::fail(
                base::Errc::conflict,
                "{}: the containers of this tag belong to the depot {}, not to {}; hint: give this "
                "gardend another --tag, start it with --depot {} --store {}, or take the other's "
                "containers down for good with --take-over",
                path, before->depot, mine.depot, before->depot, before->store);
    const auto slash = path.rfind('/');
    const auto directory = TRY(sys::open_host(path.substr(0, slash), O_RDONLY | O_DIRECTORY));
    return sys::write_atomic_at(
            directory, path.substr(slash + 1).c_str(), to_text(mine), 0600, sys::Durable::no);
}

base::Result<void> release_tag(const std::string& path) {
    return sys::remove_at(base::FdRef(AT_FDCWD), path);
}

}  // namespace garden::server
