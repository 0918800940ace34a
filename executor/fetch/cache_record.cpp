#include "executor/fetch/cache_record.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"

#include <algorithm>

namespace executor {

namespace {

constexpr std::size_t kHexDigits = 32;

}  // namespace

std::string encode_record(const CacheEntry::Record& record) {
    base::json::Writer w;
    w.begin_object()
            .member("etag", record.validators.etag)
            .member("last_modified", record.validators.last_modified)
            .member("digests", record.digests)
            .member("tar_size", record.tar_size)
            .member("directory_size", record.directory_size)
            .member("boot", record.boot)
            .end_object();
    return w.take();
}

bool is_record_name(std::string_view name) {
    if (name.size() <= kHexDigits + 1 || name[kHexDigits] != '-') return false;
    const auto hex = name.substr(0, kHexDigits);
    const auto serial = base::parse_number<std::uint64_t>(name.substr(kHexDigits + 1), "serial");
    return serial && std::all_of(hex.begin(), hex.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

base::Result<CacheEntry::Record> decode_record(std::string_view name, std::string_view text) {
    if (!is_record_name(name))
        return base::fail(base::Errc::invalid, "cache record '{}'", name.substr(0, 128));
    CacheEntry::Record record;
    record.name = name;
    record.serial = TRY(base::parse_number<std::uint64_t>(name.substr(kHexDigits + 1), "serial"));
    const auto document = TRY(base::json::Document::parse(text));
    base::json::Fields fields(document.root());
    fields.optional("etag", record.validators.etag)
            .optional("last_modified", record.validators.last_modified)
            .optional("digests", record.digests)
            .optional("tar_size", record.tar_size)
            .optional("directory_size", record.directory_size)
            .optional("boot", record.boot);
    TRY(fields.finish(base::json::Unknown::ignore));
    return record;
}

const std::string& boot_id() {
    static const std::string id =
            base::sys::read_host_file("/proc/sys/kernel/random/boot_id", 128).value_or("");
    return id;
}

}  // namespace executor
