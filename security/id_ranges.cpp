#include "security/id_ranges.hpp"

#include "base/fail.hpp"
#include "base/sys/self.hpp"
#include "security/host_accounts.hpp"
#include "security/id_record.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

namespace security {

namespace {

base::Result<void> check_config(const IdRangesConfig& config) {
    // ID-01, ID-02: aligned, and never the first slot: there uid n would be host uid n.
    if (config.first < kIdRangeLength || config.first % kIdRangeLength != 0 ||
        config.last <= config.first || (config.last + 1) % kIdRangeLength != 0) {
        return base::fail(
                base::Errc::invalid,
                "id ranges {:#x}-{:#x}: not whole ranges of {} ids above the first", config.first,
                config.last, kIdRangeLength);
    }
    return base::ok;
}

base::Result<void> check_owner(std::string_view owner) {
    if (owner.empty() || owner.size() > kMaxIdOwner) {
        return base::fail(
                base::Errc::invalid, "owner of an id range has {} bytes, the limits are 1 and {}",
                owner.size(), kMaxIdOwner);
    }
    return base::ok;
}

IdRange range_of(std::uint32_t slot) {
    return {.base = slot * kIdRangeLength, .length = kIdRangeLength};
}

class RecordedRanges final : public IdRanges {
  public:
    RecordedRanges(IdRangesConfig config, IdRecord record)
        : config_(std::move(config)), record_(std::move(record)), accounts_(config_) {}

    base::Result<void> load();
    base::Result<IdRange> allocate(std::string_view owner) override;
    base::Result<void> rename(std::string_view from, std::string_view to) override;
    base::Result<void> release(std::string_view owner) override;
    base::Result<IdRange> find(std::string_view owner) override;
    std::vector<std::pair<std::string, IdRange>> list() override;
    std::vector<IdRange> damaged() override;

  private:
    struct Entry {
        std::uint32_t slot = 0;
        bool busy = false;  // its record is being written, outside the lock
    };

    base::Result<std::uint32_t> take_free(const TakenSlots& taken);
    base::Result<void> settle(
            const std::string& owner, std::uint32_t slot, base::Result<void> written);

    const IdRangesConfig config_;
    const IdRecord record_;
    std::mutex mutex_;  // all below; never held while a record is written
    HostAccounts accounts_;
    std::map<std::string, Entry, std::less<>> owners_;
    std::vector<std::uint32_t> free_;
    std::set<std::uint32_t> damaged_;
};

base::Result<void> RecordedRanges::load() {
    const TakenSlots& taken = *TRY(accounts_.taken());
    std::set<std::uint32_t> used;
    base::Result<void> problem = base::ok;
    TRY(record_.each([&](IdRecord::Slot slot) {
        used.insert(slot.number);
        if (slot.damaged) {
            damaged_.insert(slot.number);
            return;
        }
        const auto conflict = taken.find(slot.number);
        if (conflict != taken.end() && problem) {
            problem = base::fail(  // ID-12: fail closed
                    base::Errc::conflict,
                    "id range {:#x} of {} contains {} of this host; "
                    "hint: move the account out of {:#x}-{:#x}",
                    slot.number * kIdRangeLength, slot.owner, conflict->second, config_.first,
                    config_.last);
        }
        const auto [it, fresh] =
                owners_.try_emplace(slot.owner, Entry{.slot = slot.number, .busy = false});
        if (!fresh && problem) {
            problem = base::fail(
                    base::Errc::corrupt, "id ranges {:#x} and {:#x} have the same owner {}",
                    it->second.slot * kIdRangeLength, slot.number * kIdRangeLength, slot.owner);
        }
    }));
    TRY(std::move(problem));
    for (std::uint32_t slot = config_.first / kIdRangeLength; slot <= config_.last / kIdRangeLength;
         ++slot) {
        if (!used.contains(slot)) free_.push_back(slot);
    }
    return base::ok;
}

// A random free slot that no host account has (ID-03). Taken ones stay in the list: accounts come
// and go.
base::Result<std::uint32_t> RecordedRanges::take_free(const TakenSlots& taken) {
    std::size_t left = free_.size();
    while (left > 0) {
        const auto at = TRY(base::sys::random_below(static_cast<std::uint32_t>(left)));
        const std::uint32_t slot = free_[at];
        --left;
        std::swap(free_[at], free_[left]);
        if (taken.contains(slot)) continue;
        std::swap(free_[left], free_.back());
        free_.pop_back();
        return slot;
    }
    return base::fail(  // ID-04: sharing is never a fallback
            base::Errc::exhausted, "no free id range in {:#x}-{:#x}: {} are in use, {} damaged",
            config_.first, config_.last, owners_.size(), damaged_.size());
}

// Ends what `busy` began. After a failed write nobody knows what the disk holds: the slot is not
// given out again.
base::Result<void> RecordedRanges::settle(
        const std::string& owner, std::uint32_t slot, base::Result<void> written) {
    const std::lock_guard lock(mutex_);
    if (written) {
        owners_.at(owner).busy = false;
        return base::ok;
    }
    owners_.erase(owner);
    damaged_.insert(slot);
    return written;
}

base::Result<IdRange> RecordedRanges::allocate(std::string_view owner) {
    TRY(check_owner(owner));
    const std::string name(owner);
    std::uint32_t slot = 0;
    {
        const std::lock_guard lock(mutex_);
        if (owners_.contains(name)) {
            return base::fail(base::Errc::already_exists, "{} already owns an id range", name);
        }
        slot = TRY(take_free(*TRY(accounts_.taken())));
        owners_[name] = {.slot = slot, .busy = true};
    }
    TRY(settle(name, slot, record_.write(slot, name)));
    return range_of(slot);
}

base::Result<void> RecordedRanges::rename(std::string_view from, std::string_view to) {
    TRY(check_owner(to));
    const std::string name(to);
    std::uint32_t slot = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto old = owners_.find(from);
        if (old == owners_.end())
            return base::fail(base::Errc::not_found, "{} owns no id range", from);
        if (old->second.busy)
            return base::fail(base::Errc::conflict, "the id range of {} is being changed", from);
        if (owners_.contains(name)) {
            return base::fail(base::Errc::already_exists, "{} already owns an id range", name);
        }
        slot = old->second.slot;
        owners_.erase(old);
        owners_[name] = {.slot = slot, .busy = true};
    }
    return settle(name, slot, record_.write(slot, name));
}

base::Result<void> RecordedRanges::release(std::string_view owner) {
    const std::string name(owner);
    std::uint32_t slot = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto old = owners_.find(owner);
        if (old == owners_.end()) return base::ok;
        if (old->second.busy)
            return base::fail(base::Errc::conflict, "the id range of {} is being changed", owner);
        old->second.busy = true;
        slot = old->second.slot;
    }
    auto written = record_.write(slot, {});
    const std::lock_guard lock(mutex_);
    if (!written) {
        // Still the owner's: releasing can be tried again.
        owners_[name].busy = false;
        return written;
    }
    owners_.erase(name);
    if (slot >= config_.first / kIdRangeLength && slot <= config_.last / kIdRangeLength)
        free_.push_back(slot);
    return base::ok;
}

base::Result<IdRange> RecordedRanges::find(std::string_view owner) {
    const std::lock_guard lock(mutex_);
    const auto found = owners_.find(owner);
    if (found == owners_.end())
        return base::fail(base::Errc::not_found, "{} owns no id range", owner);
    if (found->second.busy)
        return base::fail(base::Errc::conflict, "the id range of {} is being changed", owner);
    return range_of(found->second.slot);
}

std::vector<std::pair<std::string, IdRange>> RecordedRanges::list() {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, IdRange>> out;
    out.reserve(owners_.size());
    for (const auto& [owner, entry] : owners_) out.emplace_back(owner, range_of(entry.slot));
    return out;
}

std::vector<IdRange> RecordedRanges::damaged() {
    const std::lock_guard lock(mutex_);
    std::vector<IdRange> out;
    for (const auto slot : damaged_) out.push_back(range_of(slot));
    return out;
}

}  // namespace

base::Result<std::unique_ptr<IdRanges>> IdRanges::open(IdRangesConfig config) {
    TRY(check_config(config));
    auto record = TRY(IdRecord::open(
            config.directory, config.first / kIdRangeLength, config.last / kIdRangeLength));
    auto ranges = std::make_unique<RecordedRanges>(std::move(config), std::move(record));
    TRY(ranges->load());
    return std::unique_ptr<IdRanges>(std::move(ranges));
}

}  // namespace security
