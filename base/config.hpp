// Config: one declaration per setting gives its TOML (or JSON) key, its environment variable, its
// flag, its help line and its default. Precedence: flag > environment > file > default. Used by
// every daemon's main and by `cloche`.
//
//     Schema schema({.program = "gardend", .about = "…", .environment = "GARDEND_",
//                    .default_file = "/etc/cloche/gardend.toml"});
//     schema.add({.key = "network.pool", .flag = "network-pool", .help = "…"}, config.pool);
//     auto loaded = schema.load(arguments, environment);  // fills the targets
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base::config {

struct Entry;

inline constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;

struct Names {
    std::string key;   // "network.pool": table and key of the file
    std::string flag;  // "network-pool"; the variable is <prefix>NETWORK_POOL
    std::string help;
    std::string value;                 // what stands for the value in --help: "CIDR"; "" = by type
    std::vector<std::string> choices;  // when not empty nothing else is accepted
};

// One setting as text, for printing and for documentation.
struct Item {
    Names names;
    std::string type;  // "boolean", "text", "number", "duration", "list"
    bool list = false;
    bool boolean = false;
    std::function<Result<void>(const std::vector<std::string>&)> set;
    std::function<std::vector<std::string>()> get;
    std::string origin = "default";  // "flag --x", "environment X", "file /etc/… line 3"
};

struct Loaded {
    // `done`: everything asked for has been said in `text` (--help, --version, --print-config,
    // --check-config).
    enum class Next : std::uint8_t { run, done };
    Next next = Next::run;
    std::string text;
    std::string command;  // the subcommand, "" without one
    std::string file;     // the file that was read, "" without one
};

class Schema {
  public:
    struct Options {
        std::string program;
        std::string about;
        std::string environment;   // prefix of the variables: "GARDEND_"
        std::string default_file;  // read when it exists and --config is not given
        std::string version;
    };

    explicit Schema(Options options) : options_(std::move(options)) {}

    void add(Names names, bool& target);
    void add(Names names, std::string& target);
    void add(
            Names names,
            std::vector<std::string>& target);  // flag repeated; variable comma separated
    void add(Names names, std::uint16_t& target);
    void add(Names names, std::uint32_t& target);
    void add(Names names, std::uint64_t& target);
    void add(Names names, double& target);
    void add(Names names, std::chrono::nanoseconds& target);
    // A flag of another server that is taken and has no function here (garden-behaviours §E).
    // `values`: takes an argument.
    void ignore(std::string flag, bool values);
    void command(std::string name, std::string help);

    // `arguments` without the program's name. Errc::invalid: usage, Errc::not_found: --config names
    // no file.
    Result<Loaded> load(
            const std::vector<std::string>& arguments,
            const std::map<std::string, std::string>& environment);
    std::string print() const;  // TOML that reads back to the same settings, origins as comments

    const std::vector<Item>& items() const { return items_; }

    std::string variable(const Item& item) const;

    // Flags given that are only there for compatibility; main says so once.
    const std::vector<std::string>& ignored() const { return ignored_given_; }

  private:
    struct Values;  // text values by key, with where they came from
    template <class T>
    void add_number(Names names, T& target);
    Item& keep(Names names, std::string type);
    Result<void> apply(const Values& values);
    Result<void> apply_file(std::string_view text, const std::string& path);
    Result<void> keys_of_flags(std::vector<Entry>& entries);
    Result<void> apply_environment(const std::map<std::string, std::string>& environment);

    Options options_;
    std::vector<Item> items_;
    std::vector<std::pair<std::string, bool>> ignored_;
    std::vector<std::string> ignored_given_;
    std::vector<std::pair<std::string, std::string>> commands_;
};

// One leaf of a configuration file. Private to base/config*.cpp.
struct Entry {
    std::string key;
    std::vector<std::string> values;
    std::string where;  // "/etc/… line 3"
};

// The form of Garden's own server: `long-flag-name = value` in section [server], lists by
// repetition; keys are names of flags. Said by the file's name: *.ini.
bool is_ini(std::string_view path);
Result<std::vector<Entry>> read_ini_text(std::string_view text, std::string_view path);

// `path` decides only the words in errors; text that starts with '{' is JSON, everything else TOML.
Result<std::vector<Entry>> read_config_text(std::string_view text, std::string_view path);

}  // namespace base::config
