#include "executor/steps/outcome.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace executor {

namespace {

constexpr std::array<std::pair<Outcome::Kind, std::string_view>, 5> kKinds{{
        {Outcome::Kind::success, "success"},
        {Outcome::Kind::failed, "failed"},
        {Outcome::Kind::cancelled, "cancelled"},
        {Outcome::Kind::grace_exceeded, "grace_exceeded"},
        {Outcome::Kind::exit_timeout, "exit_timeout"},
}};

void join(std::string& text, std::string_view more) {
    if (more.empty()) return;
    if (!text.empty()) text += "; ";
    text += more;
}

// What the whole was, when its parts say different things: what a user sees wins over what is
// hidden, and a process that would not go over both (it is counted, executor-rep §4.5).
int weight(Outcome::Kind kind) {
    switch (kind) {
        case Outcome::Kind::success:
            return 0;
        case Outcome::Kind::cancelled:
            return 1;
        case Outcome::Kind::grace_exceeded:
            return 2;
        case Outcome::Kind::failed:
            return 3;
        case Outcome::Kind::exit_timeout:
            return 4;
    }
    return 0;
}

}  // namespace

Outcome aggregate(const std::vector<Outcome>& outcomes) {
    Outcome whole;
    bool retryable = true;
    for (const auto& outcome : outcomes) {
        if (outcome.good()) continue;
        if (weight(outcome.kind) > weight(whole.kind)) whole.kind = outcome.kind;
        if (!outcome.hidden()) join(whole.message, outcome.message);
        join(whole.detail, outcome.detail);
        retryable = retryable && outcome.retryable;
    }
    whole.retryable = retryable && !whole.good();
    return whole;
}

void to_json(base::json::Writer& w, const Outcome& v) {
    const auto* const kind = std::find_if(
            kKinds.begin(), kKinds.end(), [&](const auto& pair) { return pair.first == v.kind; });
    w.begin_object().member("kind", kind->second);
    if (!v.message.empty()) w.member("message", v.message);
    if (!v.detail.empty()) w.member("detail", v.detail);
    if (v.retryable) w.member("retryable", v.retryable);
    w.end_object();
}

base::Result<void> from_json(const base::json::Node& node, Outcome& v) {
    Outcome out;
    std::string word;
    base::json::Fields fields(node);
    fields.required("kind", word)
            .optional("message", out.message)
            .optional("detail", out.detail)
            .optional("retryable", out.retryable);
    TRY(fields.finish(base::json::Unknown::ignore));
    const auto* const kind = std::find_if(
            kKinds.begin(), kKinds.end(), [&](const auto& pair) { return pair.second == word; });
    if (kind == kKinds.end()) return node.refuse("kind '" + word + "' is not known");
    out.kind = kind->first;
    v = std::move(out);
    return base::ok;
}

}  // namespace executor
