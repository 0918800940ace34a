// Actions and egress rules as 2015 printed them: timeouts in nanoseconds, nothing that is newer
// unless it is set.
#include "brain/receptor/responses.hpp"

#include <algorithm>

namespace brain::receptor {

using base::json::Writer;

namespace {

namespace actions = executor::api;

void write_one(Writer& w, const std::monostate&) {
    w.null();
}

void write_one(Writer& w, const actions::DownloadAction& a) {
    w.begin_object().member_unless_zero("artifact", a.artifact);
    w.member("from", a.from).member("to", a.to).member("cache_key", a.cache_key);
    w.member_unless_zero("log_source", a.log_source).member("user", a.user);
    w.member_unless_zero("checksum_algorithm", a.checksum_algorithm);
    w.member_unless_zero("checksum_value", a.checksum_value).end_object();
}

void write_one(Writer& w, const actions::UploadAction& a) {
    w.begin_object().member_unless_zero("artifact", a.artifact);
    w.member("from", a.from).member("to", a.to).member_unless_zero("log_source", a.log_source);
    w.member("user", a.user).end_object();
}

void write_one(Writer& w, const actions::RunAction& a) {
    w.begin_object().member("path", a.path).member_unless_zero("args", a.args);
    w.member_unless_zero("dir", a.dir).member_unless_zero("env", a.env);
    w.key("resource_limits").begin_object();
    w.member_unless_zero("nofile", a.resource_limits.nofile);
    w.member_unless_zero("nproc", a.resource_limits.nproc).end_object();
    w.member("user", a.user).member_unless_zero("log_source", a.log_source);
    w.member_unless_zero("suppress_log_output", a.suppress_log_output).end_object();
}

void write_one(Writer& w, const actions::TimeoutAction& a) {
    w.begin_object().key("action");
    write(w, *a.action);
    w.member("timeout", static_cast<std::int64_t>(a.timeout.count()));
    w.member_unless_zero("log_source", a.log_source).end_object();
}

void write_one(Writer& w, const actions::EmitProgressAction& a) {
    w.begin_object().key("action");
    write(w, *a.action);
    w.member("start_message", a.start_message).member("success_message", a.success_message);
    w.member("failure_message_prefix", a.failure_message_prefix);
    w.member_unless_zero("log_source", a.log_source).end_object();
}

void write_one(Writer& w, const actions::TryAction& a) {
    w.begin_object().key("action");
    write(w, *a.action);
    w.member_unless_zero("log_source", a.log_source).end_object();
}

template <class List>
void write_one(Writer& w, const List& a) {
    w.begin_object().key("actions").begin_array();
    for (const auto& action : a.actions) write(w, action);
    w.end_array().member_unless_zero("log_source", a.log_source).end_object();
}

}  // namespace

void write(Writer& w, const api::Action& action) {
    if (action.empty()) {
        w.null();
        return;
    }
    w.begin_object().key(executor::api::kind_of(action));
    std::visit([&](const auto& one) { write_one(w, one); }, action.value);
    w.end_object();
}

void write(Writer& w, const api::EgressRule& rule) {
    w.begin_object().member_unless_zero("protocol", rule.protocol);
    w.member_unless_zero("destinations", rule.destinations).member_unless_zero("ports", rule.ports);
    if (rule.port_range)
        w.key("port_range")
                .begin_object()
                .member("start", rule.port_range->start)
                .member("end", rule.port_range->end)
                .end_object();
    if (rule.icmp_info)
        w.key("icmp_info")
                .begin_object()
                .member("type", rule.icmp_info->type)
                .member("code", rule.icmp_info->code)
                .end_object();
    w.member("log", rule.log).end_object();
}

}  // namespace brain::receptor
