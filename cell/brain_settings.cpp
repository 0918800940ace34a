#include "cell/brain_settings.hpp"

namespace cell {

void declare_brain(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "brain.endpoint",
             .flag = "brain",
             .help = "The cluster's brain: none, or memory (development and tests: work that it "
                     "does not know is destroyed)",
             .value = "BRAIN"},
            s.brain);
}

base::Result<void> settle_brain(Settings& s) {
    s.brain_kind = TRY(parse_brain(s.brain));
    return base::ok;
}

}  // namespace cell
