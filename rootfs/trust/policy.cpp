#include "rootfs/trust/policy.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/image/digest.hpp"
#include "rootfs/trust/strict.hpp"

#include <algorithm>
#include <utility>

namespace rootfs::trust {

namespace {

using base::Errc;

// Reads a policy; every file that it reads goes into the digest.
class Reader {
  public:
    Reader(std::string_view text, const Policy::ReadFile& read) : read_(read) {
        hasher_.update(text);
    }

    base::Result<Rule> rule(std::string name, const Json& list) {
        const auto what = "policy: " + name;
        if (!list.is_array() || list.empty() || list.size() > kMaxRequirements) {
            return base::fail(
                    Errc::invalid, "{}: must be a list of 1 to {} requirements", what,
                    kMaxRequirements);
        }
        Rule out{.name = std::move(name)};
        for (std::size_t i = 0; i < list.size(); ++i) {
            auto one = TRY(requirement(list[i], base::format("{}[{}]", what, i)));
            out.requirements.push_back(std::move(one));
        }
        return out;
    }

    std::string digest() { return hasher_.finish().get(); }

  private:
    base::Result<Requirement> requirement(const Json& json, const std::string& what) {
        if (!json.is_object()) return base::fail(Errc::invalid, "{}: must be an object", what);
        const auto type = TRY(required_text(json, "type", what));
        Requirement out;
        if (type == "reject" || type == "accept-anything") {
            TRY(check_members(json, {"type"}, what));
            out.kind = type == "reject" ? Kind::reject : Kind::accept_anything;
            return out;
        }
        if (type == "cosign-key") {
            TRY(check_members(json, {"type", "key", "key_file", "key_files", "identity"}, what));
            out.kind = Kind::cosign_key;
            TRY(keys(json, what, out.keys));
            out.identity = TRY(identity(json, what));
            return out;
        }
        if (type == "simple-signing") {
            TRY(check_members(json, {"type", "keyring", "lookaside", "identity"}, what));
            out.kind = Kind::simple_signing;
            out.keyring = TRY(required_text(json, "keyring", what));
            (void)TRY(content(out.keyring, what + ".keyring"));  // there, and part of the digest
            out.lookaside = TRY(lookaside(json, what));
            out.identity = TRY(identity(json, what));
            return out;
        }
        // Known to the specification and not to this version: never taken for something weaker.
        if (type == "cosign-identity" || type == "notation") {
            return base::fail(
                    Errc::unsupported, "{}: requirement '{}' is not supported here", what, type);
        }
        constexpr std::size_t kShown = 64;
        return base::fail(
                Errc::invalid, "{}: unknown requirement '{}'", what, type.substr(0, kShown));
    }

    base::Result<void> keys(
            const Json& json, const std::string& what, std::vector<PublicKey>& out) {
        const auto text = TRY(text_member(json, "key", what));
        const auto file = TRY(text_member(json, "key_file", what));
        auto files = TRY(texts_member(json, "key_files", what));
        const auto given =
                (text.empty() ? 0 : 1) + (file.empty() ? 0 : 1) + (files.empty() ? 0 : 1);
        if (given != 1) {
            return base::fail(
                    Errc::invalid, "{}: needs exactly one of 'key', 'key_file', 'key_files'", what);
        }
        if (!text.empty()) {
            out.push_back(TRY(PublicKey::parse(text, what + ".key")));
            return base::ok;
        }
        if (files.empty()) files.push_back(file);
        if (files.size() > kMaxKeys)
            return base::fail(
                    Errc::exhausted, "{}: {} keys, the limit is {}", what, files.size(), kMaxKeys);
        for (const auto& path : files) {
            const auto pem = TRY(content(path, what));
            out.push_back(TRY(PublicKey::parse(pem, what + ": " + path)));
        }
        return base::ok;
    }

    base::Result<std::string> content(const std::string& path, const std::string& what) {
        if (!path.starts_with('/'))
            return base::fail(Errc::invalid, "{}: '{}' is not an absolute path", what, path);
        auto text = TRY(read_(path).context(what));
        hasher_.update(text);
        return text;
    }

    static base::Result<std::string> lookaside(const Json& json, const std::string& what) {
        auto text = TRY(required_text(json, "lookaside", what));
        while (text.size() > 1 && text.ends_with('/')) text.pop_back();
        // A signature is worth its key, but who answers without TLS could hide one.
        if (text.starts_with('/') || text.starts_with("https://")) return text;
        constexpr std::size_t kShown = 64;
        return base::fail(
                Errc::invalid, "{}.lookaside: '{}' is no absolute directory and no https:// URL",
                what, text.substr(0, kShown));
    }

    static base::Result<IdentityRule> identity(const Json& json, const std::string& what) {
        IdentityRule out;
        const Json* given = member(json, "identity");
        if (given == nullptr) return out;
        const auto here = what + ".identity";
        if (!given->is_object()) return base::fail(Errc::invalid, "{}: must be an object", here);
        const auto word = TRY(required_text(*given, "match", here));
        if (word == "remapped") {
            TRY(check_members(*given, {"match", "from", "to"}, here));
            out.match = Match::remapped;
            const auto from = TRY(required_text(*given, "from", here));
            const auto to = TRY(required_text(*given, "to", here));
            out.from = TRY(parse_scope(from, here + ".from"));
            out.to = TRY(parse_scope(to, here + ".to"));
            return out;
        }
        TRY(check_members(*given, {"match"}, here));
        if (word != "exact" && word != "repository") {
            constexpr std::size_t kShown = 64;
            return base::fail(
                    Errc::invalid, "{}.match: '{}' is not exact, repository or remapped", here,
                    word.substr(0, kShown));
        }
        out.match = word == "exact" ? Match::exact : Match::repository;
        return out;
    }

    const Policy::ReadFile& read_;
    Hasher hasher_;
};

base::Result<Rule> local_rule(const Json& json) {
    const auto word = TRY(text_member(json, "local", "policy"));
    if (!word.empty() && word != "accept" && word != "reject")
        return base::fail(Errc::invalid, "policy: local: '{}' is not accept or reject", word);
    Rule out{.name = "local"};
    out.requirements.emplace_back();
    // The operator put these files where they are: accepted unless the policy says otherwise.
    out.requirements.back().kind = word == "reject" ? Kind::reject : Kind::accept_anything;
    return out;
}

base::Result<void> check_version(const Json& json) {
    const auto version = TRY(size_member(json, "version", "policy"));
    if (version == 1) return base::ok;
    return base::fail(Errc::unsupported, "policy: version {}, known is 1", version);
}

}  // namespace

std::string_view to_string(Kind kind) {
    switch (kind) {
        case Kind::reject:
            return "reject";
        case Kind::accept_anything:
            return "accept-anything";
        case Kind::cosign_key:
            return "cosign-key";
        case Kind::simple_signing:
            return "simple-signing";
    }
    return "unknown";
}

bool Rule::rejects() const {
    return std::any_of(requirements.begin(), requirements.end(), [](const auto& requirement) {
        return requirement.kind == Kind::reject;
    });
}

bool Rule::needs_signatures() const {
    return std::any_of(requirements.begin(), requirements.end(), [](const auto& requirement) {
        return requirement.kind == Kind::cosign_key || requirement.kind == Kind::simple_signing;
    });
}

base::Result<Policy> Policy::parse(std::string_view text, const ReadFile& read) {
    if (text.size() > kMaxPolicy)
        return base::fail(
                Errc::exhausted, "policy: {} bytes, the limit is {}", text.size(), kMaxPolicy);
    const auto json = TRY(parse_json(text, "policy"));
    TRY(check_members(json, {"version", "default", "local", "registries"}, "policy"));
    TRY(check_version(json));
    Reader reader(text, read);
    Policy out;
    // Without a default a mistyped scope would let everything in.
    const Json* standard = TRY(required(json, "default", "policy"));
    out.default_ = TRY(reader.rule("default", *standard));
    out.local_ = TRY(local_rule(json));
    if (const Json* scopes = member(json, "registries")) {
        if (!scopes->is_object())
            return base::fail(Errc::invalid, "policy: 'registries' must be an object");
        if (scopes->size() > kMaxScopes)
            return base::fail(
                    Errc::exhausted, "policy: {} scopes, the limit is {}", scopes->size(),
                    kMaxScopes);
        for (const auto& entry : scopes->items()) {
            auto scope = TRY(parse_scope(entry.key(), "policy: registries"));
            auto rule = TRY(reader.rule(scope, entry.value()));
            if (!out.scopes_.emplace(scope, std::move(rule)).second)
                return base::fail(Errc::invalid, "policy: scope '{}' is there twice", scope);
        }
    }
    out.digest_ = reader.digest();
    return out;
}

base::Result<Policy> Policy::load(const std::string& path) {
    const auto text = TRY(base::sys::read_host_file(path, kMaxPolicy));
    return parse(text,
                 [](const std::string& file) {
                     return base::sys::read_host_file(file, kMaxKeyBytes);
                 })
            .context(path);
}

const Rule& Policy::rule_for(std::string_view repository) const {
    for (auto scope = repository;;) {
        const auto found = scopes_.find(scope);
        if (found != scopes_.end()) return found->second;
        const auto slash = scope.rfind('/');
        if (slash == std::string_view::npos) return default_;
        scope = scope.substr(0, slash);
    }
}

}  // namespace rootfs::trust
