// What a recipe and an app's staging tell launcher: whatever stands in metadata, staging_info.yml
// and the two variables of the app, there is a program with arguments that execve takes, or an
// error.
#include "lifecycle/launcher/plan.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>
#include <vector>

namespace {

bool is_absolute_and_plain(const std::string& path) {
    return path.starts_with('/') && (path + "/").find("/../") == std::string::npos &&
           (path + "/").find("/./") == std::string::npos;
}

// Words as a kernel gives them: they end at a NUL.
lifecycle::Environment environment_of(const std::vector<std::string>& words) {
    std::vector<const char*> list;
    list.reserve(words.size() + 1);
    for (const auto& word : words) list.push_back(word.c_str());
    list.push_back(nullptr);
    return lifecycle::Environment(list.data());
}

std::string text_of(std::string_view part) {
    return std::string(part.substr(0, part.find('\0')));
}

void check_environment(const lifecycle::Environment& before) {
    auto after = before;
    if (!describe_app(after)) return;
    fuzz::require(after.words().size() <= before.words().size() + 1, "one variable is new");
    for (const auto& word : after.words())
        fuzz::require(word.find('\0') == std::string::npos, "a variable is text");
    const auto again = described_application(after);
    if (again)
        fuzz::require(*again == after.get("VCAP_APPLICATION"), "described twice is the same");
    const auto url = after.get("DATABASE_URL");
    if (url != before.get("DATABASE_URL"))
        fuzz::require(
                url.starts_with("mysql2://") || url.starts_with("postgres://"), "a known scheme");
}

void check_launch(const lifecycle::LaunchRequest& request, const lifecycle::Environment& given) {
    const auto launch = lifecycle::plan_launch(request, given);
    if (!launch) {
        fuzz::require(!launch.error().text.empty(), "an error says something");
        return;
    }
    fuzz::require(!launch->argv.empty(), "there is a program");
    for (const auto& word : launch->argv)
        fuzz::require(word.find('\0') == std::string::npos, "an argument is text");
    fuzz::require(launch->directory.find('\0') == std::string::npos, "a directory is text");
    for (const auto& path : lifecycle::candidates(launch->argv[0], given.get("PATH")))
        fuzz::require(path.ends_with(launch->argv[0]), "what is tried is the program");
}

}  // namespace

// Parts, each up to 0xff: directory, command, metadata, staging_info.yml, then variables.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto next = [&input] { return text_of(input.until("\xff")); };
    const auto directory = lifecycle::absolute_path(next(), "/home/vcap");
    fuzz::require(is_absolute_and_plain(directory), "a path is absolute and plain");
    fuzz::require(
            lifecycle::absolute_path(directory, "/elsewhere") == directory,
            "an absolute path stays as it is");
    lifecycle::LaunchRequest request{.app_directory = directory};
    request.command = next();
    request.metadata = next();
    request.staging_info = next();
    std::vector<std::string> words;
    while (!input.empty()) {
        auto word = next();
        // A file of the machine that runs this is no input.
        if (!word.starts_with("VCAP_SERVICES_FILE_PATH=")) words.push_back(std::move(word));
    }
    const auto environment = environment_of(words);
    check_environment(environment);
    check_launch(request, environment);
    return 0;
}
