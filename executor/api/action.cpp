// JSON and rules of actions.
#include "executor/api/action.hpp"

#include "base/fail.hpp"
#include "base/json_describe.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace executor::api {

namespace {

std::string lower(std::string text) {
    std::ranges::transform(
            text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

}  // namespace

template <class V>
void describe(V& v, EnvironmentVariable& o) {
    v.always("name", o.name);
    v.always("value", o.value);
}

BASE_JSON_DESCRIBED(EnvironmentVariable)

template <class V>
void describe(V& v, ResourceLimits& o) {
    v.omit("nofile", o.nofile);
    v.omit("nproc", o.nproc);
}

BASE_JSON_DESCRIBED(ResourceLimits)

template <class V>
void describe(V& v, DownloadAction& o) {
    v.omit("artifact", o.artifact);
    v.always("from", o.from);
    v.always("to", o.to);
    v.always("cache_key", o.cache_key);
    v.omit("log_source", o.log_source);
    v.always("user", o.user);
    v.omit("checksum_algorithm", o.checksum_algorithm);
    v.omit("checksum_value", o.checksum_value);
    // Validation of old ignored the case, the downloader did not (executor-rep §5.1).
    if constexpr (V::kReads) o.checksum_algorithm = lower(std::move(o.checksum_algorithm));
}

template <class V>
void describe(V& v, UploadAction& o) {
    v.omit("artifact", o.artifact);
    v.always("from", o.from);
    v.always("to", o.to);
    v.omit("log_source", o.log_source);
    v.always("user", o.user);
}

template <class V>
void describe(V& v, RunAction& o) {
    v.always("path", o.path);
    v.omit("args", o.args);
    v.omit("dir", o.dir);
    v.omit("env", o.env);
    v.always("resource_limits", o.resource_limits);
    v.always("user", o.user);
    v.omit("log_source", o.log_source);
    v.always("suppress_log_output", o.suppress_log_output);
    if constexpr (V::kReads) {
        // [2015]: root or the platform's user instead of a name.
        std::optional<bool> privileged;
        v.omit("privileged", privileged);
        if (o.user.empty() && privileged) o.user = *privileged ? "root" : "vcap";
    }
}

template <class V>
void describe(V& v, TimeoutAction& o) {
    v.always("action", *o.action);
    std::int64_t milliseconds =
            std::chrono::duration_cast<std::chrono::milliseconds>(o.timeout).count();
    v.always("timeout_ms", milliseconds);
    if constexpr (V::kReads) {
        std::int64_t nanoseconds = 0;  // [2015]
        v.omit("timeout", nanoseconds);
        constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 1'000'000;
        o.timeout = milliseconds != 0 ? std::chrono::milliseconds(std::min(milliseconds, kMost))
                                      : std::chrono::nanoseconds(nanoseconds);
    }
    v.omit("log_source", o.log_source);
}

template <class V>
void describe(V& v, EmitProgressAction& o) {
    v.always("action", *o.action);
    v.always("start_message", o.start_message);
    v.always("success_message", o.success_message);
    v.always("failure_message_prefix", o.failure_message_prefix);
    v.omit("log_source", o.log_source);
}

template <class V>
void describe(V& v, TryAction& o) {
    v.always("action", *o.action);
    v.omit("log_source", o.log_source);
}

template <class V, class List>
void describe_list(V& v, List& o) {
    v.always("actions", o.actions);
    v.omit("log_source", o.log_source);
}

template <class V>
void describe(V& v, ParallelAction& o) {
    describe_list(v, o);
}

template <class V>
void describe(V& v, SerialAction& o) {
    describe_list(v, o);
}

template <class V>
void describe(V& v, CodependentAction& o) {
    describe_list(v, o);
}

BASE_JSON_DESCRIBED(DownloadAction)
BASE_JSON_DESCRIBED(UploadAction)
BASE_JSON_DESCRIBED(RunAction)
BASE_JSON_DESCRIBED(TimeoutAction)
BASE_JSON_DESCRIBED(EmitProgressAction)
BASE_JSON_DESCRIBED(TryAction)
BASE_JSON_DESCRIBED(ParallelAction)
BASE_JSON_DESCRIBED(SerialAction)
BASE_JSON_DESCRIBED(CodependentAction)

namespace {

// In the order of Action::Value.
constexpr auto kKinds = std::to_array<std::string_view>(
        {"", "download", "upload", "run", "timeout", "emit_progress", "try", "parallel", "serial",
         "codependent"});

template <std::size_t I = 1>
base::Result<void> read_kind(std::size_t kind, const base::json::Node& node, Action::Value& out) {
    if constexpr (I < kKinds.size()) {
        if (kind != I) return read_kind<I + 1>(kind, node, out);
        std::variant_alternative_t<I, Action::Value> value;
        TRY(from_json(node, value));
        out = std::move(value);
        return base::ok;
    } else {
        return node.refuse("unknown kind of action");
    }
}

struct Judge {
    std::size_t left = kMaxActions;

    base::Result<void> require(bool holds, const std::string& path, std::string_view text) {
        if (holds) return base::ok;
        return base::fail(base::Errc::invalid, "{}: {}", path, text);
    }

    base::Result<void> filled(const std::string& value, const std::string& path) {
        return require(!value.empty(), path, "must not be empty");
    }

    base::Result<void> judge(const Action& action, const std::string& path, std::size_t depth) {
        TRY(require(depth <= kMaxActionDepth, path, "actions are nested deeper than 32"));
        TRY(require(left-- > 0, path, "more than 1000 actions"));
        const auto inner = path + "." + std::string(kind_of(action));
        return std::visit([&](const auto& a) { return one(a, inner, depth); }, action.value);
    }

    base::Result<void> one(const std::monostate&, const std::string& path, std::size_t) {
        return base::fail(base::Errc::invalid, "{}: an action is required", path);
    }

    base::Result<void> one(const DownloadAction& a, const std::string& path, std::size_t) {
        TRY(filled(a.from, path + ".from"));
        TRY(filled(a.to, path + ".to"));
        TRY(filled(a.user, path + ".user"));
        return validate_checksum(a.checksum_algorithm, a.checksum_value, path);
    }

    base::Result<void> one(const UploadAction& a, const std::string& path, std::size_t) {
        TRY(filled(a.from, path + ".from"));
        TRY(filled(a.to, path + ".to"));
        return filled(a.user, path + ".user");
    }

    base::Result<void> one(const RunAction& a, const std::string& path, std::size_t) {
        TRY(filled(a.path, path + ".path"));
        for (std::size_t i = 0; i < a.env.size(); ++i)
            TRY(filled(a.env[i].name, base::format("{}.env[{}].name", path, i)));
        return filled(a.user, path + ".user");
    }

    base::Result<void> one(const TimeoutAction& a, const std::string& path, std::size_t depth) {
        TRY(require(
                a.timeout > std::chrono::nanoseconds(0), path + ".timeout_ms", "must be positive"));
        return judge(*a.action, path + ".action", depth + 1);
    }

    base::Result<void> one(
            const EmitProgressAction& a, const std::string& path, std::size_t depth) {
        return judge(*a.action, path + ".action", depth + 1);
    }

    base::Result<void> one(const TryAction& a, const std::string& path, std::size_t depth) {
        return judge(*a.action, path + ".action", depth + 1);
    }

    template <class List>

    requires requires(const List& list) { list.actions; }

    base::Result<void> one(const List& a, const std::string& path, std::size_t depth) {
        TRY(require(!a.actions.empty(), path + ".actions", "must not be empty"));
        for (std::size_t i = 0; i < a.actions.size(); ++i)
            TRY(judge(a.actions[i], base::format("{}.actions[{}]", path, i), depth + 1));
        return base::ok;
    }
};

}  // namespace

base::Result<void> validate_checksum(
        std::string_view algorithm, std::string_view value, std::string_view path) {
    if (algorithm.empty() != value.empty())
        return base::fail(
                base::Errc::invalid, "{}: checksum_algorithm and checksum_value come together",
                path);
    constexpr auto kKnown = std::to_array<std::string_view>({"", "md5", "sha1", "sha256"});
    if (std::ranges::find(kKnown, algorithm) == kKnown.end())
        return base::fail(
                base::Errc::invalid, "{}.checksum_algorithm: '{}' is not one of md5, sha1, sha256",
                path, algorithm);
    return base::ok;
}

std::string_view kind_of(const Action& action) {
    return kKinds[action.value.index()];
}

base::Result<void> validate(const Action& action, std::string_view path) {
    return Judge{}.judge(action, std::string(path), 1);
}

void to_json(base::json::Writer& w, const Action& v) {
    if (v.empty()) {
        w.null();
        return;
    }
    w.begin_object().key(kind_of(v));
    std::visit(
            [&](const auto& action) {
                if constexpr (!std::is_same_v<std::decay_t<decltype(action)>, std::monostate>)
                    to_json(w, action);
            },
            v.value);
    w.end_object();
}

base::Result<void> from_json(const base::json::Node& node, Action& v) {
    v.value = std::monostate();
    if (node.is_null()) return base::ok;
    const auto members = TRY(node.members());
    std::size_t found = 0;
    for (const auto& [name, member] : members) {
        // Go writes every kind of its union, the others as null.
        if (member.is_null()) continue;
        if (++found > 1) return node.refuse("an action has exactly one kind");
        const auto kind = std::ranges::find(kKinds.begin() + 1, kKinds.end(), name);
        if (kind == kKinds.end()) return node.refuse("'" + name + "' is no kind of action");
        TRY(read_kind(static_cast<std::size_t>(kind - kKinds.begin()), member, v.value));
    }
    if (found == 0 && !members.empty()) return base::ok;
    if (found == 0) return node.refuse("an action has exactly one kind");
    return base::ok;
}

}  // namespace executor::api
