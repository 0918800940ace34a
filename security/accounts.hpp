// Users and groups of a container, read from its own files by descriptor, never with the host's NSS
// (ID-09, ID-10). Used by garden/engine.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace security {

struct User {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t>
            groups;  // supplementary; empty with an explicit group (garden-api 10.3)
    std::string home = "/";
    std::string name;  // passwd name of uid, or ""
};

// Copies of the two files, as text; missing files are empty texts.
struct AccountFiles {
    std::string passwd;
    std::string group;
};

// Reads etc/passwd and etc/group below `root` (openat2 RESOLVE_IN_ROOT); 1 MiB, 10,000 lines,
// regular files only.
base::Result<AccountFiles> read_account_files(base::FdRef root);
// `text`: "", "name", "uid", "name:group", "uid:gid", mixed. Error texts of garden-api §3.
base::Result<User> resolve_user(std::string_view text, const AccountFiles& files);

}  // namespace security
