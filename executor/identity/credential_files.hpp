// The directory that a container sees at /etc/cf-instance-credentials: instance.crt and
// instance.key, replaced while the app may be reading them (executor-rep §13). Used by the
// executor's core. One caller at a time for one directory.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "executor/identity/identity.hpp"

#include <string>
#include <string_view>

namespace executor {

inline constexpr std::string_view kCredentialsTarget = "/etc/cf-instance-credentials";
inline constexpr const char* kCertificateFile = "instance.crt";
inline constexpr const char* kKeyFile = "instance.key";

// Permissions, and why a private key is readable for all: the reader is a process in the container,
// whose user has an id that is its range's base plus whatever the image says. None of that is known
// here, and the directory is mounted read-only into this one container. What keeps everybody else
// on the host away is the directory above all of these, which is 0700.
class CredentialFiles {
  public:
    // Makes `directory`/`name` and, when it is missing, `directory`, which must belong to us alone
    // (Errc::denied otherwise). What is there already stays until it is replaced, so that a
    // container which outlived us keeps its files.
    static base::Result<CredentialFiles> open(
            const std::string& directory, const std::string& name);

    // Both files, each whole at every moment. A reader that catches the moment between the two
    // finds a key that does not fit and reads again; the certificate comes last, so that whoever
    // waits for it to change finds its key there.
    base::Result<void> write(const Certificate& certificate) const;

    // To be mounted, read-only, at kCredentialsTarget.
    const std::string& path() const { return path_; }

    // Idempotent.
    static base::Result<void> remove(const std::string& directory, const std::string& name);

  private:
    CredentialFiles(std::string path, base::Fd directory)
        : path_(std::move(path)), directory_(std::move(directory)) {}

    std::string path_;
    base::Fd directory_;
};

}  // namespace executor
