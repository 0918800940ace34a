// What recipes and registries tell builder: command lines, names of images as people write them,
// image configurations. And the command lines of healthcheck, which is of the same kind.
#include "base/json.hpp"
#include "lifecycle/builder/request.hpp"
#include "lifecycle/builder/result.hpp"
#include "lifecycle/healthcheck/options.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>
#include <vector>

namespace {

std::vector<std::string> words_of(std::string_view text) {
    fuzz::Input input(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    std::vector<std::string> out;
    while (!input.empty()) {
        const auto word = input.until("\n");
        out.emplace_back(word.substr(0, word.find('\0')));
    }
    return out;
}

std::vector<const char*> arguments_of(const std::vector<std::string>& words) {
    std::vector<const char*> out;
    out.reserve(words.size());
    for (const auto& word : words) out.push_back(word.c_str());
    return out;
}

void name(std::string_view text) {
    const auto image = lifecycle::parse_image_name(text);
    if (!image) return;
    fuzz::require(!image->reference.repository.empty(), "an image has a name");
    const auto again = lifecycle::parse_image_name(image->shown);
    fuzz::require(again && again->shown == image->shown, "a shown name reads the same");
    fuzz::require(
            again->reference.repository == image->reference.repository &&
                    again->reference.tag == image->reference.tag,
            "a shown name is the same image");
}

void command_line(std::string_view text) {
    const auto words = words_of(text);
    const auto arguments = arguments_of(words);
    const auto request = lifecycle::parse_build_request(arguments);
    if (!request || !*request) return;
    fuzz::require((*request)->result_file.starts_with('/'), "the result has a place");
    fuzz::require(
            (*request)->insecure_registries.size() <= lifecycle::kMaxInsecureRegistries,
            "registries are bounded");
    fuzz::require(
            (*request)->credentials.username.empty() == (*request)->credentials.password.empty(),
            "credentials are whole");
}

void check_line(std::string_view text) {
    const auto words = words_of(text);
    const auto arguments = arguments_of(words);
    const auto options = lifecycle::parse_check_options(arguments);
    if (!options || !*options) return;
    fuzz::require((*options)->port != 0, "a check has a port");
    fuzz::require((*options)->timeout.count() > 0, "a look ends");
    fuzz::require((*options)->interval.count() >= 0, "no interval is negative");
    fuzz::require((*options)->startup_timeout.count() >= 0, "no start is over before it begins");
}

void configuration(std::string_view text) {
    const auto image = lifecycle::read_staged_image("team/name:tag", text);
    if (!image) return;
    fuzz::require(image->ports.size() <= lifecycle::kMaxExposedPorts, "ports are bounded");
    for (const auto& port : image->ports) fuzz::require(port.port != 0, "a port has a number");
    for (const auto& written :
         {lifecycle::execution_metadata(*image), lifecycle::staging_result(*image)}) {
        fuzz::require(base::json::Document::parse(written).has_value(), "a result is JSON");
        fuzz::require(written.find_first_of("<>&") == std::string::npos, "a result is escaped");
    }
}

}  // namespace

// First byte: which text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto which = input.byte() % 4;
    if (which == 0) name(input.rest());
    if (which == 1) command_line(input.rest());
    if (which == 2) check_line(input.rest());
    if (which == 3) configuration(input.rest());
    return 0;
}
