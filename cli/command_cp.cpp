// `cloche cp`: a tar one way or the other, with docker's rules for what the copy is called.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/partial.hpp"
#include "cli/commands.hpp"
#include "cli/copy_path.hpp"
#include "cli/exit_code.hpp"
#include "cli/tar_files.hpp"
#include "cli/terminal.hpp"

#include <unistd.h>

#include <filesystem>
#include <thread>

namespace cli {

namespace {

namespace fs = std::filesystem;

std::string without_slashes(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

// Directory and last name of a path; the name is "." for "/", "." and "..", whose content is meant.
std::pair<std::string, std::string> split(const std::string& given) {
    const auto path = without_slashes(given);
    const auto slash = path.rfind('/');
    auto name = path.substr(slash == std::string::npos ? 0 : slash + 1);
    if (name.empty() || name == "." || name == "..") return {path, "."};
    if (slash == std::string::npos) return {".", name};
    return {slash == 0 ? "/" : path.substr(0, slash), name};
}

TarSource reader_of(base::FdRef fd) {
    return [fd](std::span<char> into) -> base::Result<std::size_t> {
        const auto count = TRY(base::sys::read_some(fd, into));
        if (!count) return base::fail(base::Errc::unsupported, "standard input does not block");
        return *count;
    };
}

// A directory in the container: asked by looking at the head of its archive. What cannot be read is
// taken for absent.
bool is_container_directory(Context& context, const CopyPath& path, const std::string& user) {
    auto stream = context.client.stream_out(path.handle, user, without_slashes(path.path));
    if (!stream) return false;
    const auto kind = first_entry([&](std::span<char> into) { return stream->read_some(into); });
    return kind && *kind == EntryKind::directory;
}

base::Result<void> send_local(
        Context& context, const std::string& source, const CopyPath& to, const std::string& user) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(source, error)))
        return base::fail(base::Errc::not_found, "copy {}: no such file or directory", source);
    auto name = split(source).second;
    auto directory = to.path;
    const bool into = to.path.ends_with('/') || is_container_directory(context, to, user);
    if (!into) {
        // The last part of the destination is the new name.
        const auto [parent, last] = split(to.path);
        directory = parent;
        name = last;
    }
    auto pipe = TRY(base::sys::make_pipe());
    base::Result<void> packed;
    std::thread packer([&] {
        packed = pack_tar(source, name, pipe.write);
        pipe.write.reset();
    });
    const auto read = reader_of(pipe.read);
    auto sent = context.client.stream_in(
            to.handle, user, directory, [&](std::span<char> piece) -> base::Result<std::size_t> {
                const auto count = TRY(read(piece));
                if (count > 0) return count;
                if (packer.joinable()) packer.join();
                // The end of the pipe is the end of the archive only if packing went well.
                if (!packed) return packed.error();
                return std::size_t{0};
            });
    pipe.read.reset();  // a packer that still writes gets EPIPE
    if (packer.joinable()) packer.join();
    return sent;
}

base::Result<void> fetch(
        Context& context,
        const CopyPath& from,
        const std::string& destination,
        const std::string& user) {
    auto stream = TRY(context.client.stream_out(from.handle, user, from.path));
    const TarSource tar = [&](std::span<char> into) { return stream.read_some(into); };
    const bool content = from.path.ends_with('/');
    const auto name = content ? std::string(".") : split(from.path).second;
    std::error_code error;
    if (fs::is_directory(destination, error))
        return unpack_tar(tar, destination, name, name == "." ? "" : name);
    if (destination.ends_with('/'))
        return base::fail(base::Errc::not_found, "copy to {}: no such directory", destination);
    const auto [parent, last] = split(destination);
    if (name == "." && !fs::create_directory(destination, error))
        return base::fail(
                base::Errc::denied, "create directory {}: {}", destination, error.message());
    return name == "." ? unpack_tar(tar, destination, ".", "")
                       : unpack_tar(tar, parent, name, last);
}

base::Result<void> fetch_raw(Context& context, const CopyPath& from, const std::string& user) {
    auto stream = TRY(context.client.stream_out(from.handle, user, from.path));
    std::vector<char> piece(base::http::kChunkBytes);
    for (;;) {
        const auto count = TRY(stream.read_some(piece));
        if (count == 0) return base::ok;
        TRY(print(std::string_view(piece.data(), count)));
    }
}

}  // namespace

base::Result<int> run_command(Context& context, const CopyOptions& options) {
    const auto from = TRY(parse_copy_path(options.source));
    const auto to = TRY(parse_copy_path(options.destination));
    const auto user = options.user.empty() ? std::string("root") : options.user;
    if (from.local() == to.local())
        return base::fail(
                base::Errc::invalid,
                "cp: exactly one side is in a container. hint: write it as HANDLE:PATH");
    if (from.local() && from.path == "-") {
        TRY(context.client.stream_in(
                to.handle, user, to.path, reader_of(base::FdRef(STDIN_FILENO))));
    } else if (from.local()) {
        TRY(send_local(context, from.path, to, user));
    } else if (to.path == "-") {
        if (is_terminal(base::FdRef(STDOUT_FILENO)))
            return base::fail(
                    base::Errc::invalid,
                    "cp: a tar of the container's files is not for a terminal. hint: write it to "
                    "a file with >");
        TRY(fetch_raw(context, from, user));
    } else {
        TRY(fetch(context, from, to.path, user));
    }
    return kExitOk;
}

}  // namespace cli
