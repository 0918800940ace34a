#include "cli/copy_path.hpp"

#include "base/fail.hpp"

namespace cli {

base::Result<CopyPath> parse_copy_path(std::string_view text) {
    if (text.empty()) return base::fail(base::Errc::invalid, "copy path: empty");
    const auto colon = text.find(':');
    const auto slash = text.find('/');
    const bool local = colon == std::string_view::npos || slash < colon || text.front() == '.';
    if (local) return CopyPath{.handle = {}, .path = std::string(text)};
    if (colon == 0)
        return base::fail(base::Errc::invalid, "copy path '{}': no handle before ':'", text);
    if (colon + 1 == text.size())
        return base::fail(
                base::Errc::invalid, "copy path '{}': no path behind ':'. hint: write HANDLE:/path",
                text);
    CopyPath path{
            .handle = std::string(text.substr(0, colon)),
            .path = std::string(text.substr(colon + 1))};
    // "dir/." is docker's way to say "what is in it"; Garden's is "dir/".
    if (path.path == ".") path.path = "./";
    if (path.path.ends_with("/.")) path.path.pop_back();
    while (path.path.ends_with("//")) path.path.pop_back();
    return path;
}

}  // namespace cli
