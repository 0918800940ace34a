#include "executor/identity/credential_files.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace executor {

namespace {

constexpr mode_t kOurs = 0700;
constexpr mode_t kTheirs = 0755;  // the mount point: any id of the container passes
constexpr mode_t kReadable = 0644;

base::Result<void> check_name(const std::string& name) {
    if (!name.empty() && name.find('/') == std::string::npos && !name.starts_with('.'))
        return base::ok;
    return base::fail(base::Errc::invalid, "'{}' is not a name for a directory", name);
}

// The directory above all containers' ones.
base::Result<base::Fd> open_ours(const std::string& path) {
    TRY(base::sys::ensure_directory(path, kOurs));
    auto directory = TRY(base::sys::open_host(path, O_RDONLY | O_DIRECTORY));
    const auto status = TRY(base::sys::stat_fd(directory));
    if ((status.st_mode & 077) != 0)
        return base::fail(
                base::Errc::denied,
                "credentials directory '{}' has mode {:04o}: others would reach private keys in it "
                "(hint: chmod 700 {})",
                path, status.st_mode & 07777U, path);
    return directory;
}

// A new file with exactly these permissions, whatever the umask of the program.
base::Result<void> write_new(
        base::FdRef directory, const std::string& name, std::string_view text) {
    // What a kill has left goes: it may be somebody else's content.
    TRY(base::sys::remove_at(directory, name));
    const auto file = TRY(base::sys::open_at(
            directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, kReadable));
    TRY(base::sys::write_all(file, text));
    if (::fchmod(file.get(), kReadable) != 0) return base::fail_errno("chmod {}", name);
    return base::ok;
}

}  // namespace

base::Result<CredentialFiles> CredentialFiles::open(
        const std::string& directory, const std::string& name) {
    TRY(check_name(name));
    const auto ours = TRY(open_ours(directory));
    const auto made = base::sys::make_directory_at(ours, name, kTheirs);
    if (!made && made.error().sys != EEXIST) return made.error();
    auto theirs = TRY(base::sys::open_at(ours, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (::fchmod(theirs.get(), kTheirs) != 0)
        return base::fail_errno("chmod {}/{}", directory, name);
    return CredentialFiles(directory + "/" + name, std::move(theirs));
}

base::Result<void> CredentialFiles::write(const Certificate& certificate) const {
    const auto named = "write instance credentials in " + path_;
    const std::string new_key = std::string(".") + kKeyFile;
    const std::string new_certificate = std::string(".") + kCertificateFile;
    // Both are complete before the first is renamed: the moment between the two is short. No fsync:
    // after a crash of the machine there is no container to read them.
    TRY(write_new(directory_, new_key, certificate.key).context(named));
    TRY(write_new(directory_, new_certificate, certificate.certificate).context(named));
    TRY(base::sys::rename_at(directory_, new_key, directory_, kKeyFile).context(named));
    TRY(base::sys::rename_at(directory_, new_certificate, directory_, kCertificateFile)
                .context(named));
    return base::ok;
}

base::Result<void> CredentialFiles::remove(const std::string& directory, const std::string& name) {
    TRY(check_name(name));
    auto ours = base::sys::open_host(directory, O_RDONLY | O_DIRECTORY);
    if (!ours && ours.error().sys == ENOENT) return base::ok;
    if (!ours) return std::move(ours).error();
    return base::sys::remove_tree_at(*ours, name).context("remove instance credentials");
}

}  // namespace executor
