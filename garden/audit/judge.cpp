#include "garden/audit/judge.hpp"

#include "base/error.hpp"
#include "base/fail.hpp"

#include <algorithm>
#include <utility>

namespace garden::audit {

namespace {

constexpr std::size_t kMaxShown = 512;  // of one text of the report

std::string bounded(std::string text) {
    if (text.size() <= kMaxShown) return text;
    text.resize(kMaxShown);
    return text + "…";
}

}  // namespace

const Item& item_of(std::string_view id) {
    const auto all = catalogue();
    const auto found =
            std::find_if(all.begin(), all.end(), [&](const Item& item) { return item.id == id; });
    if (found == all.end()) base::panic("no such check in the catalogue: " + std::string(id));
    return *found;
}

api::AuditCheck& Judge::add(std::string_view id) {
    const Item& item = item_of(id);
    const auto slash = item.id.find('/');
    api::AuditCheck check;
    check.rule = item.id.substr(0, slash);
    check.check = item.id.substr(slash + 1);
    check.title = item.title;
    check.severity = item.severity;
    check.remedy = item.remedy;
    check.cis = item.cis;
    for (auto rest = item.cves; !rest.empty();) {
        const auto end = std::min(rest.find(' '), rest.size());
        check.cves.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out_.emplace_back(std::move(check));
}

void Judge::decide(std::string_view id, Verdict verdict) {
    auto& check = add(id);
    check.result = verdict.ok ? api::AuditResult::pass : api::AuditResult::fail;
    check.observed = bounded(printable(verdict.observed));
    check.expected = bounded(printable(verdict.expected));
    check.source = bounded(printable(verdict.source));
}

void Judge::skip(std::string_view id, std::string_view why) {
    auto& check = add(id);
    check.result = api::AuditResult::not_applicable;
    check.observed = why;
}

void Judge::broken(std::string_view id, std::string_view why) {
    auto& check = add(id);
    check.result = api::AuditResult::error;
    check.observed = bounded(printable(why));
}

void Judge::relax(std::string_view name, api::AuditSeverity severity, std::string_view what) {
    out_.push_back(
            {.rule = "CL-03",
             .check = printable(name),
             .title = "no relaxation is in force",
             .result = api::AuditResult::fail,
             .severity = severity,
             .observed = bounded(printable(what)),
             .expected = "the class as it is",
             .source = "the container's record and the daemon's configuration",
             .remedy = "create the container without this property, or accept it knowingly",
             .relaxation = printable(name)});
}

void Offenders::add(std::string what) {
    ++count_;
    if (count_ > kShown) return;
    if (!shown_.empty()) shown_ += "; ";
    shown_ += what;
}

std::string Offenders::text(std::string_view nothing) const {
    if (none()) return std::string(nothing);
    if (count_ <= kShown) return shown_;
    return shown_ + base::format("; and {} more", count_ - kShown);
}

Verdict Offenders::verdict(
        std::string_view nothing, std::string_view expected, std::string_view source) const {
    return {.ok = none(),
            .observed = text(nothing),
            .expected = std::string(expected),
            .source = std::string(source)};
}

std::string hex(std::uint64_t mask) {
    return base::format("{:016x}", mask);
}

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    return out;
}

}  // namespace garden::audit
