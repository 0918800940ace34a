#include "cell/identity_settings.hpp"

#include "base/fail.hpp"

namespace cell {

void declare_identity(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "identity.ca_certificate",
             .flag = "identity-ca-certificate",
             .help = "Authority of instance certificates, PEM; without it there are none",
             .value = "FILE"},
            s.executor.identity.ca_certificate_file);
    schema.add(
            {.key = "identity.ca_key",
             .flag = "identity-ca-key",
             .help = "Private key of the authority of instance certificates, PEM",
             .value = "FILE"},
            s.executor.identity.ca_key_file);
    schema.add(
            {.key = "identity.validity",
             .flag = "identity-validity",
             .help = "Life of an instance certificate; it is replaced half an hour before its end, "
                     "or after 7/8 of four hours or less"},
            s.identity_validity);
    schema.add(
            {.key = "identity.key_type",
             .flag = "identity-key-type",
             .help = "Keys of instance certificates; rsa3072 costs each start a second of a core",
             .choices = {"ecdsa_p256", "rsa3072"}},
            s.identity_key_type);
}

base::Result<void> settle_identity(Settings& s) {
    auto& identity = s.executor.identity;
    if (identity.ca_certificate_file.empty() != identity.ca_key_file.empty())
        return base::fail(
                base::Errc::invalid,
                "identity.ca_certificate and identity.ca_key: '{}' and '{}', must be both or none",
                identity.ca_certificate_file, identity.ca_key_file);
    identity.validity = std::chrono::duration_cast<std::chrono::seconds>(s.identity_validity);
    if (identity.validity < std::chrono::seconds(1))
        return base::fail(
                base::Errc::invalid, "identity.validity: {}, must be 1s or more",
                base::to_text(s.identity_validity));
    identity.key_type =
            TRY(executor::parse_key_type(s.identity_key_type).context("identity.key_type"));
    return base::ok;
}

}  // namespace cell
