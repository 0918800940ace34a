#include "cell/brain_settings.hpp"

namespace cell {

void declare_brain(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "brain.endpoint",
             .flag = "brain",
             .help = "The cluster's brains: their URLs, or none, or memory (development and tests: "
                     "work that it does not know is destroyed)",
             .value = "URL"},
            s.brains);
    schema.add(
            {.key = "brain.ca",
             .flag = "brain-ca",
             .help = "Authority of https brains, PEM; the system's unless given",
             .value = "FILE"},
            s.brain_ca);
    schema.add(
            {.key = "brain.certificate",
             .flag = "brain-certificate",
             .help = "Certificate we show to them, PEM",
             .value = "FILE"},
            s.brain_certificate);
    schema.add(
            {.key = "brain.key",
             .flag = "brain-key",
             .help = "Its private key, PEM",
             .value = "FILE"},
            s.brain_key);
}

base::Result<void> settle_brain(Settings& s) {
    s.brain = TRY(parse_brains(
            s.brains, {.ca = s.brain_ca,
                       .certificate = s.brain_certificate,
                       .key = s.brain_key,
                       .require_client_certificate = false,
                       .server_name = {}}));
    return base::ok;
}

}  // namespace cell
