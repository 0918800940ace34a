#include "brain/store/etcd_codec.hpp"

#include "base/base64.hpp"
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "base/parse.hpp"

#include <limits>

namespace brain::store {

namespace {

using base::json::Node;
using base::json::Writer;

constexpr std::size_t kMaxNews = std::size_t{64} << 20;

void write_number(Writer& out, std::string_view name, std::int64_t number) {
    out.member(name, std::to_string(number));
}

void write_compare(Writer& out, const EtcdCompare& compare) {
    out.begin_object().member("result", "EQUAL").member("key", base::encode_base64(compare.key));
    switch (compare.target) {
        case EtcdCompare::Target::create:
            out.member("target", "CREATE");
            write_number(out, "create_revision", compare.revision);
            break;
        case EtcdCompare::Target::mod:
            out.member("target", "MOD");
            write_number(out, "mod_revision", compare.revision);
            break;
        case EtcdCompare::Target::value:
            out.member("target", "VALUE").member("value", base::encode_base64(compare.value));
            break;
    }
    out.end_object();
}

void write_operation(Writer& out, const EtcdOperation& operation) {
    out.begin_object();
    switch (operation.kind) {
        case EtcdOperation::Kind::put:
            out.key("request_put");
            break;
        case EtcdOperation::Kind::remove:
            out.key("request_delete_range");
            break;
        case EtcdOperation::Kind::range:
            out.key("request_range");
            break;
    }
    out.begin_object().member("key", base::encode_base64(operation.key));
    if (operation.kind == EtcdOperation::Kind::put)
        out.member("value", base::encode_base64(operation.value));
    if (operation.lease != 0) write_number(out, "lease", operation.lease);
    out.end_object().end_object();
}

base::Result<std::string> bytes_of(const Node& object, std::string_view name) {
    const auto member = TRY(object.find(name));
    if (!member) return std::string();
    return base::decode_base64(TRY(member->string()));
}

base::Result<bool> flag_of(const Node& object, std::string_view name) {
    const auto member = TRY(object.find(name));
    if (!member) return false;
    return member->boolean();
}

base::Result<EtcdRecord> parse_record(const Node& node) {
    EtcdRecord record;
    record.key = TRY(bytes_of(node, "key"));
    record.value = TRY(bytes_of(node, "value"));
    record.create_revision = TRY(number_of(node, "create_revision"));
    record.mod_revision = TRY(number_of(node, "mod_revision"));
    record.lease = TRY(number_of(node, "lease"));
    return record;
}

base::Result<EtcdEvent> parse_event(const Node& node) {
    const auto record_node = TRY(node.find("kv"));
    if (!record_node) return node.refuse("an event without a record");
    auto record = TRY(parse_record(*record_node));
    EtcdEvent event;
    event.key = std::move(record.key);
    event.revision = record.mod_revision;
    const auto type = TRY(node.find("type"));  // absent: PUT
    if (!type || TRY(type->string()) == "PUT") event.value = std::move(record.value);
    return event;
}

}  // namespace

std::string to_json(const EtcdRange& range) {
    Writer out;
    out.begin_object().member("key", base::encode_base64(range.key));
    if (!range.end.empty()) out.member("range_end", base::encode_base64(range.end));
    if (range.limit != 0) write_number(out, "limit", range.limit);
    if (range.revision != 0) write_number(out, "revision", range.revision);
    if (range.count_only) out.member("count_only", true);
    return out.end_object().take();
}

std::string to_json(const EtcdTransaction& transaction) {
    Writer out;
    out.begin_object().key("compare").begin_array();
    for (const auto& compare : transaction.conditions) write_compare(out, compare);
    out.end_array().key("success").begin_array();
    for (const auto& operation : transaction.then) write_operation(out, operation);
    out.end_array().key("failure").begin_array();
    for (const auto& operation : transaction.otherwise) write_operation(out, operation);
    return out.end_array().end_object().take();
}

std::string watch_json(const std::string& key, const std::string& end, std::int64_t start) {
    Writer out;
    out.begin_object().key("create_request").begin_object();
    out.member("key", base::encode_base64(key));
    if (!end.empty()) out.member("range_end", base::encode_base64(end));
    if (start != 0) write_number(out, "start_revision", start);
    // Pieces of bounded size instead of one answer of any size.
    return out.member("fragment", true).end_object().end_object().take();
}

base::Result<std::int64_t> number_of(const Node& object, std::string_view name) {
    const auto member = TRY(object.find(name));
    if (!member) return 0;
    if (!member->is_string())
        return member->signed_integer(
                std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
    return base::parse_number<std::int64_t>(TRY(member->string()), name);
}

base::Result<std::int64_t> revision_of(const Node& answer) {
    const auto header = TRY(answer.find("header"));
    if (!header) return answer.refuse("an answer without header");
    return number_of(*header, "revision");
}

base::Result<EtcdRecords> parse_records(const Node& answer) {
    EtcdRecords records;
    records.revision = TRY(revision_of(answer));
    records.more = TRY(flag_of(answer, "more"));
    records.count = TRY(number_of(answer, "count"));
    const auto found = TRY(answer.find("kvs"));
    if (!found) return records;
    const auto nodes = TRY(found->elements());
    records.records.reserve(nodes.size());
    for (const auto& node : nodes) records.records.push_back(TRY(parse_record(node)));
    return records;
}

base::Result<EtcdOutcome> parse_outcome(const Node& answer) {
    EtcdOutcome outcome;
    outcome.revision = TRY(revision_of(answer));
    outcome.succeeded = TRY(flag_of(answer, "succeeded"));
    const auto responses = TRY(answer.find("responses"));
    if (!responses) return outcome;
    const auto nodes = TRY(responses->elements());
    for (const auto& node : nodes) {
        const auto range = TRY(node.find("response_range"));
        if (!range) continue;
        const auto records = TRY(range->find("kvs"));
        outcome.ranges.emplace_back();
        if (!records) continue;
        const auto first = TRY(records->elements());
        if (!first.empty()) outcome.ranges.back() = TRY(parse_record(first.front()));
    }
    return outcome;
}

base::Result<EtcdNews> parse_news(std::string_view text) {
    const auto document = TRY(base::json::Document::parse(text, {.bytes = kMaxNews}));
    const auto result = TRY(document.root().find("result"));
    if (!result)
        return base::fail(
                base::Errc::unavailable, "the watch ended: {}",
                document.root().dump().substr(0, 256));
    EtcdNews news;
    news.revision = TRY(revision_of(*result));
    news.created = TRY(flag_of(*result, "created"));
    news.cancelled = TRY(flag_of(*result, "canceled"));
    news.fragment = TRY(flag_of(*result, "fragment"));
    news.compact_revision = TRY(number_of(*result, "compact_revision"));
    const auto reason = TRY(result->find("cancel_reason"));
    if (reason) news.reason = TRY(reason->string());
    const auto events = TRY(result->find("events"));
    if (!events) return news;
    const auto nodes = TRY(events->elements());
    for (const auto& node : nodes) news.events.push_back(TRY(parse_event(node)));
    return news;
}

}  // namespace brain::store
