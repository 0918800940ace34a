// Routes of cells, domains and versions (receptor-api §6), and the cookie.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "brain/receptor/api.hpp"
#include "brain/receptor/errors.hpp"
#include "brain/receptor/responses.hpp"
#include "brain/validate/validate.hpp"

#include <fcntl.h>

#include <limits>

namespace brain::receptor {

namespace {

constexpr std::size_t kMaxVersionBytes = 4 * 1024;

// The first line that begins exactly so; the rest of the line is seconds (receptor-api §6).
base::Result<std::chrono::seconds> time_to_live(const Request& request) {
    constexpr std::string_view kMaxAge = "max-age=";
    bool has_header = false;
    for (const auto& [name, value] : request.headers) {
        if (!base::http::equal_ignoring_case(name, "Cache-Control")) continue;
        has_header = true;
        if (!value.starts_with(kMaxAge)) continue;
        const auto seconds = TRY(base::parse_number<std::uint32_t>(
                std::string_view(value).substr(kMaxAge.size()), "max-age"));
        return std::chrono::seconds(seconds);
    }
    if (has_header)
        return base::fail(base::Errc::invalid, "Cache-Control: no line begins with 'max-age='");
    return std::chrono::seconds(0);
}

std::string upper(std::string_view name) {
    std::string out;
    for (const char c : name) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return out;
}

}  // namespace

Response Api::list_cells(Request&) {
    const auto cells = brain_.list_cells();
    if (!cells) return unknown(cells.error());
    base::json::Writer w;
    w.begin_array();
    for (const auto& cell : *cells) write(w, cell);
    w.end_array();
    return Response::json(w.take());
}

Response Api::upsert_domain(Request& request) {
    const auto domain = request.param("domain");
    if (domain.empty()) return missing("domain");
    const auto ttl = time_to_live(request);
    if (!ttl) return refuse(kInvalidRequest, ttl.error().text);
    // InvalidDomain was declared and never sent (receptor-api §1.1).
    if (const auto found = validate::validate_domain(domain); !found.empty())
        return refuse(kUnknownError, found);
    const auto done = brain_.upsert_domain(domain, *ttl);
    if (!done) return unknown(done.error());
    return {.status = 204};
}

Response Api::list_domains(Request&) {
    const auto domains = brain_.fresh_domains();
    if (!domains) return unknown(domains.error());
    return Response::json(base::json::encode(*domains));
}

Response Api::version(Request&) {
    base::json::Writer w;
    w.begin_object();
    const auto directory =
            settings_.version_files_path.empty()
                    ? base::Result<base::Fd>(base::Fd())
                    : base::sys::open_host(
                              settings_.version_files_path.c_str(), O_RDONLY | O_DIRECTORY);
    for (const std::string_view name :
         {"cf_release", "cf_routing_release", "diego_release", "garden_linux_release",
          "lattice_release", "lattice_release_image", "ltc", "receptor"}) {
        if (!directory || !*directory) break;
        auto text = base::sys::read_file_at(*directory, upper(name).c_str(), kMaxVersionBytes);
        if (!text) continue;  // a release that is not part of this cluster
        while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
        w.member_unless_zero(name, *text);
    }
    w.end_object();
    return Response::json(w.take());
}

Response Api::auth_cookie(Request& request) {
    return access_.make_cookie(request);
}

}  // namespace brain::receptor
