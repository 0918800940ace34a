// Who leads over etcd: a key on a lease, whose create revision is the term.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "base/parse.hpp"
#include "brain/store/etcd_store.hpp"

#include <algorithm>

namespace brain::store {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxName = 1024;

std::string lease_json(std::int64_t lease) {
    base::json::Writer out;
    return out.begin_object().member("ID", std::to_string(lease)).end_object().take();
}

Term term_of(std::int64_t revision) {
    return Term{.number = static_cast<std::uint64_t>(revision)};
}

}  // namespace

base::Result<void> EtcdStore::check_form() {
    const auto form = TRY(client_->record(form_key_));
    if (!form) return base::ok;
    const auto number = TRY(base::parse_number<std::int64_t>(form->value, form_key_));
    if (number <= kEtcdForm) return base::ok;
    return base::fail(
            base::Errc::unsupported,
            "etcd {}: form {} of the store, this braind knows forms up to {}; hint: install the "
            "braind that wrote it, or a newer one",
            form_key_, number, kEtcdForm);
}

base::Result<std::int64_t> EtcdStore::grant_lease(milliseconds time_to_live) {
    // etcd counts in seconds and has a least of its own: longer is safe, the leader goes by its
    // own clock.
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(time_to_live).count();
    base::json::Writer body;
    body.begin_object().member("TTL", std::to_string(seconds)).end_object();
    const auto answer = TRY(client_->ask("lease/grant", body.take()));
    const auto lease = TRY(number_of(answer.root(), "ID"));
    if (lease == 0) return base::fail(base::Errc::corrupt, "etcd gave a lease without number");
    return lease;
}

void EtcdStore::revoke_lease(std::int64_t lease) {
    (void)client_->ask("lease/revoke", lease_json(lease));  // else it ends by itself
}

base::Result<std::optional<Term>> EtcdStore::take_lead(
        const std::string& name, std::int64_t lease) {
    const auto form = std::to_string(kEtcdForm);
    EtcdTransaction transaction;
    transaction.conditions = {{.target = EtcdCompare::Target::create, .key = leader_key_}};
    transaction.then = {
            {.kind = EtcdOperation::Kind::put, .key = leader_key_, .value = name, .lease = lease},
            {.kind = EtcdOperation::Kind::put, .key = form_key_, .value = form}};
    transaction.otherwise = {{.kind = EtcdOperation::Kind::range, .key = leader_key_}};
    const auto outcome = TRY(client_->transact(transaction));
    if (outcome.succeeded) return std::optional<Term>(term_of(outcome.revision));
    // Sent twice, and the first was it: the key is on this lease.
    if (!outcome.ranges.empty() && outcome.ranges.front() && outcome.ranges.front()->lease == lease)
        return std::optional<Term>(term_of(outcome.ranges.front()->create_revision));
    return std::optional<Term>();
}

base::Result<std::optional<Term>> EtcdStore::campaign(
        const std::string& name, milliseconds time_to_live, milliseconds patience) {
    if (name.size() > kMaxName)
        return base::fail(
                base::Errc::invalid, "name of a leader: {} bytes, at most {}", name.size(),
                kMaxName);
    if (time_to_live.count() <= 0)
        return base::fail(
                base::Errc::invalid, "time to live of a leader: {} ms, at least 1",
                time_to_live.count());
    const auto deadline = steady_clock::now() + patience;
    TRY(check_form());
    for (;;) {
        const auto present = TRY(client_->range({.key = leader_key_, .end = {}}));
        if (present.records.empty()) {
            const auto lease = TRY(grant_lease(time_to_live));
            const auto term = TRY(take_lead(name, lease));
            if (term) {
                const std::lock_guard lock(lead_mutex_);
                term_ = *term;
                lease_ = lease;
                return term;
            }
            revoke_lease(lease);
        } else if (steady_clock::now() < deadline) {
            await_end_of_leader(present.revision, deadline);
        }
        if (steady_clock::now() >= deadline) return std::optional<Term>();
    }
}

void EtcdStore::await_end_of_leader(std::int64_t after, steady_clock::time_point deadline) {
    const auto left = [deadline] {
        return std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    };
    auto stream = EtcdStream::open(*client_, leader_key_, "", after + 1, 0, {});
    if (!stream) {
        // Nothing tells when etcd is back; the campaign asks again, and says so when it is not.
        base::pause_for(std::clamp(left(), milliseconds{0}, milliseconds{100}));
        return;
    }
    // An endpoint that is stopped is silent: the campaign looks at the key again after one call's
    // time.
    const auto until = std::min(deadline, steady_clock::now() + client_->config().timeout);
    while (steady_clock::now() < until) {
        const auto wait = std::chrono::ceil<milliseconds>(until - steady_clock::now());
        const auto news = stream->next(std::max(wait, milliseconds{1}));
        if (!news || news->cancelled) return;
        for (const auto& event : news->events)
            if (!event.value) return;
    }
}

base::Result<void> EtcdStore::keep_lead(Term term) {
    std::int64_t lease = 0;
    {
        const std::lock_guard lock(lead_mutex_);
        if (term_ != term || lease_ == 0)
            return base::fail(base::Errc::conflict, "term {} is not this store's", term.number);
        lease = lease_;
    }
    const auto over = [term] {
        return base::fail(base::Errc::conflict, "term {} is over: its lease ended", term.number);
    };
    const auto answer = TRY(client_->ask("lease/keepalive", lease_json(lease)));
    const auto result = TRY(answer.root().find("result"));
    if (!result)
        return base::fail(
                base::Errc::unavailable, "etcd kept no lease: {}",
                answer.root().dump().substr(0, 256));
    if (TRY(number_of(*result, "TTL")) <= 0) return over();
    // A member that was cut off may still renew: a read that most of them agree to says whether the
    // key is there.
    const auto leader = TRY(client_->record(leader_key_));
    if (!leader || term_of(leader->create_revision) != term) return over();
    return base::ok;
}

base::Result<void> EtcdStore::resign(Term term) {
    std::int64_t lease = 0;
    {
        const std::lock_guard lock(lead_mutex_);
        if (term_ != term || lease_ == 0) return base::ok;
        lease = lease_;
    }
    const auto answer = client_->ask("lease/revoke", lease_json(lease));
    if (!answer && answer.error().kind != base::Errc::not_found) return answer.error();
    const std::lock_guard lock(lead_mutex_);
    if (term_ == term) lease_ = 0;
    return base::ok;
}

base::Result<std::optional<Leader>> EtcdStore::leader() {
    auto leader = TRY(client_->record(leader_key_));
    if (!leader) return std::optional<Leader>();
    return std::optional<Leader>(
            Leader{.term = term_of(leader->create_revision), .name = std::move(leader->value)});
}

}  // namespace brain::store
