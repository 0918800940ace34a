#include "base/config.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"

#include <algorithm>
#include <cmath>

#include <CLI/CLI.hpp>

namespace base::config {

namespace {

Result<std::string> single(const std::vector<std::string>& values) {
    if (values.size() != 1) return fail(Errc::invalid, "expected one value, got {}", values.size());
    return values.front();
}

Result<bool> parse_bool(std::string_view text) {
    if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
    if (text == "false" || text == "no" || text == "off" || text == "0") return false;
    return fail(Errc::invalid, "'{}': expected true or false", text.substr(0, 64));
}

Result<double> parse_double(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
        return fail(Errc::invalid, "'{}' is not a number", text.substr(0, 64));
    }
    return value;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        if (comma > 0) out.emplace_back(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return out;
}

Result<void> check_choice(const Names& names, const std::vector<std::string>& values) {
    if (names.choices.empty()) return ok;
    for (const auto& value : values) {
        if (std::find(names.choices.begin(), names.choices.end(), value) != names.choices.end())
            continue;
        return fail(Errc::invalid, "'{}': expected {}", value, fmt::join(names.choices, ", "));
    }
    return ok;
}

std::string toml_value(const Item& item) {
    const auto values = item.get();
    const auto quoted = [&](const std::string& value) {
        const bool bare = item.type == "number" || item.type == "boolean";
        std::string escaped;
        json::append_escaped(escaped, value);
        return bare ? value : "\"" + escaped + "\"";
    };
    if (!item.list) return quoted(values.front());
    std::string out = "[";
    for (const auto& value : values) out += (out.size() > 1 ? ", " : "") + quoted(value);
    return out + "]";
}

}  // namespace

Item& Schema::keep(Names names, std::string type) {
    items_.push_back(
            Item{.names = std::move(names),
                 .type = std::move(type),
                 .list = false,
                 .boolean = false,
                 .set = {},
                 .get = {},
                 .origin = "default"});
    return items_.back();
}

void Schema::add(Names names, bool& target) {
    auto& item = keep(std::move(names), "boolean");
    item.boolean = true;
    item.set = [&target](const std::vector<std::string>& values) -> Result<void> {
        target = TRY(parse_bool(TRY(single(values))));
        return ok;
    };
    item.get = [&target] { return std::vector<std::string>{target ? "true" : "false"}; };
}

void Schema::add(Names names, std::string& target) {
    auto& item = keep(std::move(names), "text");
    item.set = [&target](const std::vector<std::string>& values) -> Result<void> {
        target = TRY(single(values));
        return ok;
    };
    item.get = [&target] { return std::vector<std::string>{target}; };
}

void Schema::add(Names names, std::vector<std::string>& target) {
    auto& item = keep(std::move(names), "list");
    item.list = true;
    item.set = [&target](const std::vector<std::string>& values) -> Result<void> {
        target = values;
        return ok;
    };
    item.get = [&target] { return target; };
}

template <class T>
void Schema::add_number(Names names, T& target) {
    auto& item = keep(std::move(names), "number");
    item.set = [&target](const std::vector<std::string>& values) -> Result<void> {
        target = TRY(parse_number<T>(TRY(single(values)), "value"));
        return ok;
    };
    item.get = [&target] { return std::vector<std::string>{std::to_string(target)}; };
}

void Schema::add(Names names, std::uint16_t& target) {
    add_number(std::move(names), target);
}

void Schema::add(Names names, std::uint32_t& target) {
    add_number(std::move(names), target);
}

void Schema::add(Names names, std::uint64_t& target) {
    add_number(std::move(names), target);
}

void Schema::add(Names names, double& target) {
    auto& item = keep(std::move(names), "number");
    item.set = [&target](const std::vector<std::string>& values) -> Result<void> {
        target = TRY(parse_double(TRY(single(values))));
        return ok;
    };
    item.get = [&target] { return std::vector<std::string>{fmt::format("{}", target)}; };
}

void Schema::add(Names names, std::chrono::nanoseconds& target) {
    auto& item = keep(std::move(names), "duration");
    item.set = [&target](const std::vector<std::string>& values) -> Result<void> {
        target = TRY(parse_duration(TRY(single(values))));
        return ok;
    };
    item.get = [&target] { return std::vector<std::string>{to_text(target)}; };
}

void Schema::ignore(std::string flag, bool values) {
    ignored_.emplace_back(std::move(flag), values);
}

void Schema::command(std::string name, std::string help) {
    commands_.emplace_back(std::move(name), std::move(help));
}

std::string Schema::variable(const Item& item) const {
    std::string name = options_.environment;
    for (const char c : item.names.flag) {
        name += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return name;
}

struct Schema::Values {
    std::vector<Entry> entries;
};

Result<void> Schema::apply(const Values& values) {
    for (const auto& entry : values.entries) {
        const auto it = std::find_if(items_.begin(), items_.end(), [&](const Item& i) {
            return i.names.key == entry.key;
        });
        if (it == items_.end())
            return fail(Errc::invalid, "{}: unknown key {}", entry.where, entry.key);
        TRY(check_choice(it->names, entry.values)
                    .context(fmt::format("{}: {}", entry.where, entry.key)));
        TRY(it->set(entry.values).context(fmt::format("{}: {}", entry.where, entry.key)));
        it->origin = "file " + entry.where;
    }
    return ok;
}

Result<void> Schema::apply_file(std::string_view text, const std::string& path) {
    Values values;
    if (is_ini(path)) {
        values.entries = TRY(read_ini_text(text, path));
        TRY(keys_of_flags(values.entries));
    } else {
        values.entries = TRY(read_config_text(text, path));
    }
    return apply(values);
}

// From names of flags to keys; what is only taken for compatibility goes, and is remembered.
Result<void> Schema::keys_of_flags(std::vector<Entry>& entries) {
    std::vector<Entry> known;
    for (auto& entry : entries) {
        const auto item = std::ranges::find_if(
                items_, [&](const Item& i) { return i.names.flag == entry.key; });
        if (item != items_.end()) {
            entry.key = item->names.key;
            // A flag that is given twice counts as given last, unless it is a list.
            if (!item->list) entry.values.erase(entry.values.begin(), entry.values.end() - 1);
            if (item->boolean && entry.values.front().empty()) entry.values.front() = "true";
            known.push_back(std::move(entry));
            continue;
        }
        const bool taken = std::ranges::any_of(
                ignored_, [&](const auto& flag) { return flag.first == entry.key; });
        if (!taken) return fail(Errc::invalid, "{}: unknown key {}", entry.where, entry.key);
        ignored_given_.push_back(entry.key);
    }
    entries = std::move(known);
    return ok;
}

Result<void> Schema::apply_environment(const std::map<std::string, std::string>& environment) {
    for (auto& item : items_) {
        const auto name = variable(item);
        const auto it = environment.find(name);
        if (it == environment.end()) continue;
        const auto values = item.list ? split(it->second) : std::vector<std::string>{it->second};
        TRY(check_choice(item.names, values).context("environment variable " + name));
        TRY(item.set(values).context("environment variable " + name));
        item.origin = "environment " + name;
    }
    return ok;
}

namespace {

// What CLI11 collects; the schema takes it from here afterwards, so that flags come last.
struct Collected {
    std::map<std::string, std::vector<std::string>> flags;
    std::map<std::string, bool> ignored;
    std::string file;
    bool check = false;
    bool print = false;
};

void declare(CLI::App& app, const std::vector<Item>& items, const Schema& schema, Collected& out) {
    for (const auto& item : items) {
        auto& values = out.flags[item.names.flag];
        auto help =
                fmt::format("{} [{}, {}]", item.names.help, item.names.key, schema.variable(item));
        const auto take = [&values](const CLI::results_t& given) {
            values.insert(values.end(), given.begin(), given.end());
            return true;
        };
        auto* option = app.add_option("--" + item.names.flag, take, help);
        const auto word = !item.names.value.empty() ? item.names.value
                          : !item.names.choices.empty()
                                  ? fmt::format("{}", fmt::join(item.names.choices, "|"))
                          : item.boolean ? std::string("BOOL")
                                         : item.type;
        option->type_name(word);
        if (item.boolean) {
            // --x alone, --x=false; "--x false" would take the next argument, so it is not allowed.
            option->expected(0, 1)->default_str("true");
        } else if (item.list) {
            option->expected(1)->allow_extra_args(false)->multi_option_policy(
                    CLI::MultiOptionPolicy::TakeAll);
        } else {
            option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
        }
    }
}

void declare_ignored(
        CLI::App& app, const std::vector<std::pair<std::string, bool>>& flags, Collected& out) {
    for (const auto& [flag, takes_value] : flags) {
        auto& given = out.ignored[flag];
        const auto note = [&given](const CLI::results_t&) { return given = true; };
        auto* option = app.add_option("--" + flag, note, "")->group("");  // hidden from --help
        // Any of them may be a list over there.
        option->expected(takes_value ? 1 : 0, 1)
                ->allow_extra_args(false)
                ->multi_option_policy(
                        takes_value ? CLI::MultiOptionPolicy::TakeAll
                                    : CLI::MultiOptionPolicy::TakeLast);
    }
}

void declare_common(
        CLI::App& app, const Schema::Options& options, Collected& collected, bool& version) {
    app.add_option(
               "--config", collected.file,
               fmt::format("Configuration file, TOML, JSON or *.ini [{}]", options.default_file))
            ->type_name("FILE");
    app.add_flag(
            "--check-config", collected.check,
            "Check configuration and flags, say what is wrong, exit");
    app.add_flag(
            "--print-config", collected.print,
            "Print the settings in force and where each comes from, exit");
    app.add_flag("-v,--version", version, "Print the version, exit");
}

}  // namespace

Result<Loaded> Schema::load(
        const std::vector<std::string>& arguments,
        const std::map<std::string, std::string>& environment) {
    CLI::App app(options_.about, options_.program);
    Collected collected;
    bool version = false;
    declare_common(app, options_, collected, version);
    declare(app, items_, *this, collected);
    declare_ignored(app, ignored_, collected);
    for (const auto& [name, help] : commands_) app.add_subcommand(name, help)->fallthrough();
    app.require_subcommand(0, 1);
    try {
        auto reversed = arguments;
        std::reverse(reversed.begin(), reversed.end());  // CLI11 takes a vector from its end
        app.parse(reversed);
    } catch (const CLI::CallForHelp&) {
        return Loaded{.next = Loaded::Next::done, .text = app.help(), .command = "", .file = ""};
    } catch (const CLI::ParseError& error) {
        return fail(Errc::invalid, "{} (see {} --help)", error.what(), options_.program);
    }
    if (version)
        return Loaded{
                .next = Loaded::Next::done,
                .text = options_.version + "\n",
                .command = "",
                .file = ""};

    Loaded loaded;
    for (const auto* chosen : app.get_subcommands()) loaded.command = chosen->get_name();
    const bool named = !collected.file.empty();
    const auto path = named ? collected.file : options_.default_file;
    auto text = path.empty() ? Result<std::string>(std::string())
                             : sys::read_host_file(path, kMaxFileBytes);
    if (text && !path.empty()) {
        loaded.file = path;
        TRY(apply_file(*text, path));
    } else if (!text && (named || text.error().kind != Errc::not_found)) {
        return std::move(text).error().context("--config");
    }
    TRY(apply_environment(environment));
    for (auto& item : items_) {
        auto& values = collected.flags[item.names.flag];
        if (values.empty()) continue;
        if (!item.list) values.erase(values.begin(), values.end() - 1);
        TRY(check_choice(item.names, values).context("--" + item.names.flag));
        TRY(item.set(values).context("--" + item.names.flag));
        item.origin = "flag --" + item.names.flag;
    }
    for (const auto& [flag, given] : collected.ignored) {
        if (given) ignored_given_.push_back(flag);
    }
    if (collected.print) {
        loaded.next = Loaded::Next::done;
        loaded.text = print();
    } else if (collected.check) {
        loaded.next = Loaded::Next::done;
        loaded.text = "configuration is good\n";
    }
    return loaded;
}

std::string Schema::print() const {
    std::string out;
    std::vector<std::string> tables{""};  // keys without a table come first, as TOML wants
    const auto table_of = [](const std::string& key) {
        const auto dot = key.rfind('.');
        return dot == std::string::npos ? std::string() : key.substr(0, dot);
    };
    for (const auto& item : items_) {
        const auto table = table_of(item.names.key);
        if (std::find(tables.begin(), tables.end(), table) == tables.end()) tables.push_back(table);
    }
    for (const auto& table : tables) {
        std::string lines;
        for (const auto& item : items_) {
            if (table_of(item.names.key) != table) continue;
            const auto name = item.names.key.substr(table.empty() ? 0 : table.size() + 1);
            lines += fmt::format("{} = {}  # {}\n", name, toml_value(item), item.origin);
        }
        if (lines.empty()) continue;
        out += table.empty() ? lines
                             : fmt::format("{}[{}]\n{}", out.empty() ? "" : "\n", table, lines);
    }
    return out;
}

}  // namespace base::config
