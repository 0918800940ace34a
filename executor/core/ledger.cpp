#include "executor/core/ledger.hpp"

#include "base/fail.hpp"
#include "executor/api/executor.hpp"

namespace executor {

base::Result<void> Ledger::take(const api::Container& container) {
    std::string shortage;
    const auto need = [&](std::string_view what, std::int64_t wanted, std::int64_t left) {
        if (wanted <= left || wanted == 0) return;
        if (!shortage.empty()) shortage += ", ";
        shortage += base::format("{} {} of {}", what, wanted, left);
    };
    need("memory_mb", container.memory_mb, remaining_.memory_mb);
    need("disk_mb", container.disk_mb, remaining_.disk_mb);
    need("containers", 1, remaining_.containers);
    if (!shortage.empty()) return api::make_error(api::kInsufficientResources, shortage);
    adopt(container);
    return base::ok;
}

void Ledger::adopt(const api::Container& container) {
    remaining_.memory_mb -= container.memory_mb;
    remaining_.disk_mb -= container.disk_mb;
    remaining_.containers -= 1;
}

void Ledger::give_back(const api::Container& container) {
    remaining_.memory_mb += container.memory_mb;
    remaining_.disk_mb += container.disk_mb;
    remaining_.containers += 1;
}

}  // namespace executor
