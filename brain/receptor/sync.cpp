// GET /v1/sync: downloads of programs for the command line's self-update (receptor-api §6), with
// ranges. Anybody may ask, so that nothing of the path leaves its directory and few run at once.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "brain/receptor/api.hpp"
#include "brain/receptor/errors.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace brain::receptor {

namespace {

struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;  // behind the last byte
};

// Nothing: not a range that we serve, the whole file is a right answer (RFC 9110 §14.2).
// Errc::invalid: none of it is in the file.
base::Result<std::optional<Range>> range_of(std::string_view header, std::uint64_t size) {
    constexpr std::string_view kUnit = "bytes=";
    using Found = std::optional<Range>;
    if (!header.starts_with(kUnit)) return Found();
    header.remove_prefix(kUnit.size());
    const auto dash = header.find('-');
    if (dash == std::string_view::npos || header.find(',') != std::string_view::npos)
        return Found();
    const auto number = [&](std::string_view text) {
        return base::parse_number<std::uint64_t>(text, "range");
    };
    const auto first = number(header.substr(0, dash));
    const auto last = number(header.substr(dash + 1));
    const bool open_end = dash + 1 == header.size();
    if (dash == 0) {  // the last so many bytes
        if (!last) return Found();
        if (*last == 0 || size == 0) return base::fail(base::Errc::invalid, "range: empty");
        return Found(Range{.begin = size - std::min(size, *last), .end = size});
    }
    if (!first || (!last && !open_end) || (last && *last < *first)) return Found();
    if (*first >= size) return base::fail(base::Errc::invalid, "range: behind the end");
    return Found(Range{.begin = *first, .end = open_end ? size : std::min(size - 1, *last) + 1});
}

// The base name, as 2015 took it; "." and ".." are no names of files.
base::Result<std::string> base_name(std::string_view text) {
    const auto slash = text.rfind('/');
    const auto name = slash == std::string_view::npos ? text : text.substr(slash + 1);
    if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string_view::npos)
        return base::fail(base::Errc::not_found, "no such artifact");
    return std::string(name);
}

base::Result<base::Fd> open_artifact(
        const std::string& root, std::string_view arch, std::string_view artifact) {
    if (root.empty()) return base::fail(base::Errc::not_found, "no artifacts are configured");
    const auto folder = TRY(base_name(arch));
    const auto name = TRY(base_name(artifact));
    const auto directory = TRY(base::sys::open_host(root.c_str(), O_RDONLY | O_DIRECTORY | O_PATH));
    const auto path = folder + "/" + name;
    return base::sys::open_in(
            directory, path.c_str(), O_RDONLY | O_NONBLOCK, base::sys::Resolve::in_root);
}

struct Download {
    base::Gate::Pass pass;
    base::Fd file;
    Range range;

    base::Result<void> run(base::http::Writer& writer) {
        std::vector<char> piece(base::http::kChunkBytes);
        for (auto at = range.begin; at < range.end;) {
            const auto wanted = std::min<std::uint64_t>(piece.size(), range.end - at);
            const auto count =
                    ::pread(file.get(), piece.data(), static_cast<std::size_t>(wanted),
                            static_cast<off_t>(at));
            // A file that became shorter: the client must see that the body is cut.
            if (count <= 0) return base::fail(base::Errc::corrupt, "the artifact changed");
            TRY(writer.write({piece.data(), static_cast<std::size_t>(count)}));
            at += static_cast<std::uint64_t>(count);
        }
        return base::ok;
    }
};

}  // namespace

Response Api::sync(Request& request) {
    auto pass = downloads_.enter("downloads");
    if (!pass) return busy(pass.error());
    auto file = open_artifact(
            settings_.artifact_path, request.param("arch"), request.param("artifact"));
    const auto stat = file ? base::sys::stat_fd(*file) : base::Result<struct ::stat>(file.error());
    // Not the envelope, and not 404 (receptor-api §1, §6).
    if (!stat || !S_ISREG(stat->st_mode)) return Response::text(500, "no such artifact\n");
    const auto size = static_cast<std::uint64_t>(stat->st_size);
    const auto range = range_of(request.headers.get("Range"), size);
    if (!range) {
        auto response = Response::text(416, "range not satisfiable\n");
        response.headers.set("Content-Range", base::format("bytes */{}", size));
        return response;
    }
    Response response{.status = *range ? 206 : 200};
    response.headers.set("Content-Type", "application/octet-stream");
    response.headers.set("Accept-Ranges", "bytes");
    if (*range)
        response.headers.set(
                "Content-Range",
                base::format("bytes {}-{}/{}", (*range)->begin, (*range)->end - 1, size));
    const auto download = std::make_shared<Download>(Download{
            .pass = std::move(*pass),
            .file = std::move(*file),
            .range = range->value_or(Range{.begin = 0, .end = size})});
    response.stream = [download](base::http::Writer& writer) { return download->run(writer); };
    return response;
}

}  // namespace brain::receptor
