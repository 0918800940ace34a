#include "rootfs/image/records.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/image/digest.hpp"
#include "rootfs/image/json.hpp"

#include <fcntl.h>

namespace rootfs {

namespace {

constexpr std::size_t kRecordBytes = 16 << 20;   // the config of an image is at most 8 MiB (IMG-04)

base::Result<base::Fd> subdirectory(base::FdRef parent, const char* name) {
    auto made = base::sys::make_directory_at(parent, name, 0700);
    if (!made && made.error().kind != base::Errc::already_exists) return std::move(made).error();
    return base::sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// References have slashes and may be long; their hash is a good file name.
std::string file_name(std::string_view reference) { return sha256(reference).get().substr(7) + ".json"; }

std::string text_of(const ImageRecord& record) {
    const auto& image = record.image;
    const Json out{{"reference", image.reference},
                   {"digest", image.digest},
                   {"layers", image.layers},
                   {"size", image.size},
                   {"raw_directory", image.raw_directory},
                   {"created_at", record.created_at},
                   {"env", image.config.env},
                   {"user", image.config.user},
                   {"working_dir", image.config.working_dir},
                   {"entrypoint", image.config.entrypoint},
                   {"cmd", image.config.cmd},
                   {"stop_signal", image.config.stop_signal}};
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

base::Result<ImageRecord> record_of(std::string_view text) {
    const auto json = TRY(parse_json(text, "image record"));
    constexpr const char* what = "image record";
    ImageRecord record;
    auto& image = record.image;
    image.reference = TRY(text_member(json, "reference", what));
    image.digest = TRY(text_member(json, "digest", what));
    image.layers = TRY(texts_member(json, "layers", what));
    image.size = TRY(size_member(json, "size", what));
    image.raw_directory = TRY(text_member(json, "raw_directory", what));
    record.created_at = static_cast<std::int64_t>(TRY(size_member(json, "created_at", what)));
    image.config.env = TRY(texts_member(json, "env", what));
    image.config.user = TRY(text_member(json, "user", what));
    image.config.working_dir = TRY(text_member(json, "working_dir", what));
    image.config.entrypoint = TRY(texts_member(json, "entrypoint", what));
    image.config.cmd = TRY(texts_member(json, "cmd", what));
    image.config.stop_signal = TRY(text_member(json, "stop_signal", what));
    return record;
}

// list_directory moves the position of its descriptor: every look opens its own.
base::Result<std::vector<std::string>> names_in(base::FdRef directory) {
    auto listing = TRY(base::sys::open_at(directory, ".", O_RDONLY | O_DIRECTORY));
    return base::sys::list_directory(listing);
}

}  // namespace

base::Result<ImageRecords> ImageRecords::open(base::FdRef directory) {
    auto records = TRY(subdirectory(directory, "records"));
    auto holds = TRY(subdirectory(directory, "holds"));
    return ImageRecords(std::move(records), std::move(holds));
}

base::Result<void> ImageRecords::save(const ImageRecord& record) {
    return base::sys::write_atomic_at(
            records_, file_name(record.image.reference), text_of(record), 0600, base::sys::Durable::yes);
}

base::Result<std::vector<ImageRecord>> ImageRecords::list() const {
    std::vector<ImageRecord> records;
    for (const auto& name : TRY(names_in(records_))) {
        auto text = base::sys::read_file_at(records_, name, kRecordBytes);
        if (!text) continue;
        auto record = record_of(*text);
        if (record) records.push_back(std::move(*record));
    }
    return records;
}

base::Result<ImageRecord> ImageRecords::find(std::string_view reference_or_digest) const {
    auto direct = base::sys::read_file_at(records_, file_name(reference_or_digest), kRecordBytes);
    if (direct) return record_of(*direct);
    for (auto& record : TRY(list())) {
        if (record.image.digest == reference_or_digest) return std::move(record);
    }
    return base::fail(base::Errc::not_found, "no image {}", reference_or_digest);
}

base::Result<void> ImageRecords::remove(const ImageRecord& record) {
    return base::sys::remove_at(records_, file_name(record.image.reference));
}

base::Result<void> ImageRecords::hold(std::string_view owner, std::string_view digest) {
    return base::sys::write_atomic_at(holds_, std::string(owner), digest, 0600, base::sys::Durable::no);
}

base::Result<void> ImageRecords::release(std::string_view owner) {
    return base::sys::remove_at(holds_, std::string(owner));
}

base::Result<std::vector<ImageRecords::Hold>> ImageRecords::holds() const {
    std::vector<Hold> holds;
    for (auto& owner : TRY(names_in(holds_))) {
        auto digest = base::sys::read_file_at(holds_, owner, 4096);
        holds.push_back({.owner = std::move(owner), .digest = digest ? std::move(*digest) : std::string()});
    }
    return holds;
}

}  // namespace rootfs
