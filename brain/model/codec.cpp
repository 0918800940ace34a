#include "brain/model/codec.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "base/parse.hpp"
#include "brain/model/codec_actual.hpp"

namespace brain::model {

using api::ActualLrp;
using api::DesiredLrp;
using api::Task;
using base::Errc;
using base::fail;
using base::Result;
using store::Change;

// ## Keys
// What a client chose stands where nothing can follow that is not of fixed form: the last part, or,
// of an actual LRP, in front of two numbers that are read from the end. So no two records share a
// key, whatever bytes a name has.
//
// ## Values
// The first byte is the form, the rest the record.

namespace {

constexpr char kJson = 1;
constexpr char kPacked = 2;  // actual LRPs; codec_actual.cpp

constexpr std::string_view kDesired = "desired/";
constexpr std::string_view kActual = "actual/";
constexpr std::string_view kTask = "task/";
constexpr std::string_view kDomain = "domain/";
constexpr std::string_view kCell = "cell/";

// A record is one level deeper here than where it was let in; its size was bounded there.
constexpr base::json::Limits kRecordLimits{
        .bytes = std::size_t{64} << 20, .depth = base::json::kMaxDepth + 8};

std::string join(std::string_view prefix, std::string_view name) {
    return std::string(prefix).append(name);
}

std::string key_of(const DesiredLrp& record) {
    return join(kDesired, record.process_guid);
}

std::string key_of(const ActualLrp& record) {
    return base::format(
            "{}{}/{}/{}", kActual, record.key.process_guid, record.key.index,
            static_cast<unsigned>(record.presence));
}

std::string key_of(const Task& record) {
    return join(kTask, record.task_guid);
}

std::string key_of(const Domain& record) {
    return join(kDomain, record.name);
}

std::string key_of(const Cell& record) {
    return join(kCell, record.presence.cell_id);
}

// Routes stand beside it, as text: they are kept as they were given, be it no JSON at all.
std::string value_of(const DesiredLrp& record) {
    DesiredLrp plain = record;
    plain.routes.clear();
    base::json::Writer w;
    w.begin_array().value(plain).value(record.routes).end_array();
    return kJson + w.take();
}

std::string value_of(const ActualLrp& record) {
    std::string out(1, kPacked);
    pack(out, record);
    return out;
}

std::string value_of(const Task& record) {
    return kJson + base::json::encode(record);
}

std::string value_of(const Domain& record) {
    base::json::Writer w;
    w.begin_object().member("expires_at", record.expires_at).end_object();
    return kJson + w.take();
}

std::string value_of(const Cell& record) {
    base::json::Writer w;
    w.begin_object().member("presence", record.presence).member("owner", record.owner).end_object();
    return kJson + w.take();
}

template <class Ptr>
std::vector<Change> changes_of(const Changed<Ptr>& change) {
    std::vector<Change> out;
    auto before = change.before ? key_of(*change.before) : std::string();
    auto after = change.after ? key_of(*change.after) : std::string();
    if (change.before && before != after) out.push_back({.key = std::move(before), .value = {}});
    if (change.after) out.push_back({.key = std::move(after), .value = value_of(*change.after)});
    return out;
}

// ## Reading

Result<void> read_record(const base::json::Node& node, DesiredLrp& out) {
    const auto parts = TRY(node.elements(2));
    if (parts.size() != 2) return node.wrong("a record and its routes");
    TRY(base::json::read(parts[0], out));
    return base::json::read(parts[1], out.routes);
}

Result<void> read_record(const base::json::Node& node, Task& out) {
    return base::json::read(node, out);
}

Result<void> read_record(const base::json::Node& node, ActualLrp& out) {
    return base::json::read(node, out);
}

Result<void> read_record(const base::json::Node& node, Domain& out) {
    base::json::Fields fields(node);
    fields.required("expires_at", out.expires_at);
    return fields.finish(base::json::Unknown::ignore);
}

Result<void> read_record(const base::json::Node& node, Cell& out) {
    base::json::Fields fields(node);
    fields.required("presence", out.presence).required("owner", out.owner);
    return fields.finish(base::json::Unknown::ignore);
}

template <class Record>
Result<void> read_json(std::string_view text, Record& out) {
    const auto document = TRY(base::json::Document::parse(text, kRecordLimits));
    return read_record(document.root(), out);
}

base::Error unknown_form(char form, char known) {
    return fail(
            Errc::unsupported,
            "form {} was written by a newer version; this one reads forms up to {}",
            static_cast<int>(static_cast<unsigned char>(form)), static_cast<int>(known));
}

template <class Record>
Result<void> read_value(std::string_view value, Record& out) {
    if (value.empty()) return fail(Errc::corrupt, "empty value");
    if (value.front() != kJson) return unknown_form(value.front(), kJson);
    return read_json(value.substr(1), out);
}

Result<void> read_value(std::string_view value, ActualLrp& out) {
    if (value.empty()) return fail(Errc::corrupt, "empty value");
    if (value.front() == kJson) return read_json(value.substr(1), out);
    if (value.front() != kPacked) return unknown_form(value.front(), kPacked);
    if (!unpack(value.substr(1), out)) return fail(Errc::corrupt, "the packed record is not whole");
    return base::ok;
}

// What the key says is what the record is; a form that repeats it must agree.
Result<void> read_key(std::string_view rest, ActualLrp& out) {
    const auto second = rest.rfind('/');
    const auto first = second == std::string_view::npos || second == 0
                               ? std::string_view::npos
                               : rest.rfind('/', second - 1);
    if (first == std::string_view::npos) return fail(Errc::corrupt, "no index and presence");
    out.key.process_guid = rest.substr(0, first);
    out.key.index = TRY(
            base::parse_number<std::int32_t>(rest.substr(first + 1, second - first - 1), "index"));
    const auto presence =
            TRY(base::parse_number<std::uint8_t>(rest.substr(second + 1), "presence"));
    if (presence > 2) return fail(Errc::corrupt, "presence: {} is not in 0..2", presence);
    out.presence = static_cast<api::Presence>(presence);
    return base::ok;
}

Result<void> read_key(std::string_view, DesiredLrp&) {
    return base::ok;
}

Result<void> read_key(std::string_view, Task&) {
    return base::ok;
}

Result<void> read_key(std::string_view rest, Domain& out) {
    out.name = rest;
    return base::ok;
}

Result<void> read_key(std::string_view, Cell&) {
    return base::ok;
}

template <class Record>
Result<std::optional<RecordChange>> read(
        std::string_view prefix, std::string_view key, std::string_view value) {
    Record record;
    auto done = read_key(key.substr(prefix.size()), record);
    if (done) done = read_value(value, record);
    if (done && key_of(record) != key) done = fail(Errc::corrupt, "it is of {}", key_of(record));
    if (!done) {
        auto error = std::move(done).error();
        if (error.kind != Errc::unsupported) error.kind = Errc::corrupt;
        return std::move(error).context(base::format("record {}", key));
    }
    using Ptr = std::shared_ptr<const Record>;
    return std::optional<RecordChange>(Changed<Ptr>{
            .before = nullptr, .after = std::make_shared<const Record>(std::move(record))});
}

}  // namespace

std::vector<Change> encode_all(const RecordChange& change) {
    return std::visit([](const auto& c) { return changes_of(c); }, change);
}

Result<std::optional<RecordChange>> decode(std::string_view key, std::string_view value) {
    if (key.starts_with(kActual)) return read<ActualLrp>(kActual, key, value);
    if (key.starts_with(kDesired)) return read<DesiredLrp>(kDesired, key, value);
    if (key.starts_with(kTask)) return read<Task>(kTask, key, value);
    if (key.starts_with(kDomain)) return read<Domain>(kDomain, key, value);
    if (key.starts_with(kCell)) return read<Cell>(kCell, key, value);
    return std::optional<RecordChange>();
}

}  // namespace brain::model
