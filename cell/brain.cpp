#include "cell/brain.hpp"

#include "base/fail.hpp"
#include "rep/core/memory_brain.hpp"

namespace cell {

base::Result<BrainKind> parse_brain(const std::string& text) {
    if (text == "none") return BrainKind::none;
    if (text == "memory") return BrainKind::memory;
    return base::fail(base::Errc::invalid, "brain.endpoint: '{}' is neither none nor memory", text);
}

std::unique_ptr<brain::api::Brain> make_brain(BrainKind kind, const base::Clock& clock) {
    switch (kind) {
        case BrainKind::none:
            return nullptr;
        case BrainKind::memory:
            return std::make_unique<rep::core::MemoryBrain>(clock);
    }
    return nullptr;
}

}  // namespace cell
