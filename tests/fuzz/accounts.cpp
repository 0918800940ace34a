// Users of a container, out of its own passwd and group files: what a user name means is decided by
// the rules of garden-api 10.3, whatever the files hold (ID-09, ID-10).
#include "security/accounts.hpp"

#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <string>

// The text of a request up to the first "\n--\n", then passwd, then group.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::string text(input.until("\n--\n"));
    security::AccountFiles files;
    files.passwd = input.until("\n--\n");
    files.group = input.rest();
    const auto user = security::resolve_user(text, files);
    if (!user) {
        fuzz::require(!user.error().text.empty(), "an error says something");
        return 0;
    }
    fuzz::require(!user->home.empty(), "a user has a home");
    fuzz::require(user->home.find('\0') == std::string::npos, "a home is a C string");
    const bool number =
            !text.empty() && text.size() < 10 &&
            std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (number) fuzz::require(user->uid == std::stoul(text), "a number is that user id");
    const auto colon = text.find(':');
    if (colon != std::string::npos && colon + 1 < text.size())  // "user:" is "user"
        fuzz::require(user->groups.empty(), "an explicit group is the only one");
    // The same question has the same answer.
    const auto again = security::resolve_user(text, files);
    fuzz::require(
            again && again->uid == user->uid && again->gid == user->gid &&
                    again->groups == user->groups && again->home == user->home,
            "an answer does not change");
    return 0;
}
