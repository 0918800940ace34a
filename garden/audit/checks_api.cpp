// Section 14 and NNP-05: who on the host can reach the engine and what it keeps.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"

namespace garden::audit {

namespace {

using Place = HostView::Place;

std::string mode_of(const Place& place) {
    return place.there ? base::format("{} mode {:04o} owner {}", place.path, place.mode, place.uid)
                       : place.path + " is not there";
}

// Root's, and without any of the bits of `forbidden`.
void judge_place(const Place& place, std::uint32_t forbidden, Offenders& offenders) {
    if (!place.there) return offenders.add(mode_of(place));
    if (place.uid != 0 || (place.mode & forbidden) != 0) offenders.add(mode_of(place));
}

Verdict private_directory(const Place& place, std::uint32_t forbidden, const char* expected) {
    Offenders offenders;
    judge_place(place, forbidden, offenders);
    return offenders.verdict(mode_of(place), expected, "stat");
}

}  // namespace

void check_api(const HostView& host, Judge& judge) {
    judge.decide("NNP-05/store", private_directory(host.store, 0077, "owner root, mode 0700"));
    judge.decide(
            "NNP-05/state", private_directory(host.state, 0027, "owner root, mode 0750 or less"));
    judge.decide(
            "NNP-05/nosuid", {.ok = host.store.nosuid && host.store.nodev,
                              .observed = base::format(
                                      "{}{}", host.store.nosuid ? "nosuid" : "suid",
                                      host.store.nodev ? ",nodev" : ",dev"),
                              .expected = "nosuid,nodev",
                              .source = "statvfs of " + host.store.path});
    if (host.sockets.empty()) {
        judge.skip("API-01/mode", "the API is not served at a unix socket");
        judge.skip("API-01/directory", "the API is not served at a unix socket");
    } else {
        Offenders modes;
        Offenders directories;
        for (const auto& socket : host.sockets) judge_place(socket, 0117, modes);
        for (const auto& place : host.socket_directories) judge_place(place, 0022, directories);
        std::string seen;
        for (const auto& socket : host.sockets)
            seen += (seen.empty() ? "" : "; ") + mode_of(socket);
        judge.decide("API-01/mode", modes.verdict(seen, "owner root, mode 0660 or less", "stat"));
        judge.decide(
                "API-01/directory",
                directories.verdict("root's alone to write", "not writable by others", "stat"));
    }
    Offenders open;
    for (const auto& endpoint : host.plain_tcp) open.add(endpoint);
    judge.decide("API-03/tcp", open.verdict("none", "none", "the daemon's configuration"));
}

}  // namespace garden::audit
