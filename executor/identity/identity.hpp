// Instance identity (executor-rep §13): certificates that say which instance of which app somebody
// is, signed by the platform's authority. Used by the executor's core, which decides when. Nothing
// here touches a disk after open(), keeps a thread or looks at a clock.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace executor {

using WallTime = std::chrono::system_clock::time_point;

// Two keys are made at each start and two at each stop. RSA keys of 3072 bits cost a core about a
// second together, which a cell that restarts hundreds of instances pays in start-up time
// (executor-rep §23); those of the curve cost less than a millisecond.
enum class KeyType : std::uint8_t { ecdsa_p256, rsa3072 };

base::Result<KeyType> parse_key_type(std::string_view word);
std::string_view to_string(KeyType type);

struct IdentitySettings {
    std::string ca_certificate_file;  // PEM; the first is the authority, others lead to its root
    std::string ca_key_file;          // PEM, without a password
    std::chrono::seconds validity = std::chrono::hours(24);
    KeyType key_type = KeyType::ecdsa_p256;
};

inline constexpr std::size_t kMaxSubjectText = 253;  // of each text in a subject, in bytes
inline constexpr std::size_t kMaxOrganizationalUnits = 64;
inline constexpr std::size_t kMaxInternalRoutes = 256;
inline constexpr std::size_t kMaxAuthorityCertificates = 16;

struct Subject {
    std::string guid;                               // common name, and a DNS name
    std::vector<std::string> organizational_units;  // of the desired app's certificate_properties
    std::string address;  // of the container, else of the host; IPv4 or IPv6; "" = none
    std::vector<std::string> internal_routes;  // host names
};

struct Certificate {
    std::string certificate;  // PEM: the leaf, then the authority
    std::string key;          // PEM; a secret
    std::string serial;       // hexadecimal, as logs and certificate tools show it
    WallTime not_before;
    WallTime not_after;
};

struct Credentials {
    Certificate instance;         // guid and address: what the app itself shows and is shown
    Certificate internal_routes;  // guid and the routes' names: for traffic between containers
};

class Identity {
  public:
    // Errors name the file: unreadable, no PEM, no authority, a password, not a pair.
    static base::Result<Identity> open(const IdentitySettings& settings);
    Identity(Identity&&) noexcept;
    Identity& operator=(Identity&&) noexcept;
    Identity(const Identity&) = delete;
    Identity& operator=(const Identity&) = delete;
    ~Identity();

    // From `now` on for the validity, but no longer than the authority itself. May be called from
    // several threads at once. Errc::invalid names the field; Errc::unavailable: the authority has
    // expired.
    base::Result<Credentials> issue(const Subject& subject, WallTime now) const;
    // The second of the two alone: the routes of a living container have changed.
    base::Result<Certificate> issue_for_routes(const Subject& subject, WallTime now) const;
    // What takes the place of an instance's credentials when it is stopped: two certificates that
    // name nobody, so that new connections fail over before the app hears of it (executor-rep
    // §4.5).
    base::Result<Credentials> revoke(WallTime now) const;

    // When a pair that an earlier life wrote must be replaced. An error: it must be now, as it is
    // not of this authority or no pair (a kill between the two files).
    base::Result<WallTime> rotation_of(std::string_view certificate, std::string_view key) const;

    std::chrono::seconds validity() const;

  private:
    struct Authority;
    explicit Identity(std::unique_ptr<const Authority> authority);
    std::unique_ptr<const Authority> authority_;
};

// When certificates must be replaced: half an hour before their end, or after 7/8 of a validity of
// four hours or less.
WallTime rotation_time(std::chrono::seconds validity, WallTime issued);

// The same for a certificate as it is: its validity may have been cut by the authority's end.
WallTime rotation_time(const Certificate& certificate);

}  // namespace executor
