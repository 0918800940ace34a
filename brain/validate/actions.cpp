// Actions, recursively (receptor-api §7, bbs-api §5).
#include "base/fail.hpp"
#include "brain/validate/parts.hpp"
#include "executor/api/action.hpp"

namespace brain::validate {

namespace {

using executor::api::kMaxActionDepth;
using executor::api::kMaxActions;

class Judge {
  public:
    explicit Judge(Violations& found) : found_(found) {}

    void judge(const api::Action& action, const std::string& path, std::size_t depth) {
        if (too_much_ || found_.full()) return;
        if (depth > kMaxActionDepth || ++seen_ > kMaxActions) {
            too_much_ = true;
            found_.add(
                    "action", base::format(
                                      "{}: more than {} actions, or nested deeper than {}",
                                      path.substr(0, 64), kMaxActions, kMaxActionDepth));
            return;
        }
        const auto inner = path + "." + std::string(executor::api::kind_of(action));
        std::visit([&](const auto& a) { one(a, inner, depth); }, action.value);
    }

  private:
    void filled(const std::string& value, const std::string& path, const std::string& field) {
        if (value.empty()) found_.add(field, path + "." + field + ": must not be empty");
    }

    void checksum(const std::string& algorithm, const std::string& value, const std::string& path) {
        const auto good = executor::api::validate_checksum(algorithm, value, path);
        if (!good) found_.add("checksum", good.error().text);
    }

    void one(const std::monostate&, const std::string& path, std::size_t) {
        found_.add("action", path + ": an action is required");
    }

    void one(const executor::api::DownloadAction& a, const std::string& path, std::size_t) {
        filled(a.from, path, "from");
        filled(a.to, path, "to");
        filled(a.user, path, "user");
        checksum(a.checksum_algorithm, a.checksum_value, path);
    }

    void one(const executor::api::UploadAction& a, const std::string& path, std::size_t) {
        filled(a.to, path, "to");
        filled(a.from, path, "from");
        filled(a.user, path, "user");
    }

    void one(const executor::api::RunAction& a, const std::string& path, std::size_t) {
        filled(a.path, path, "path");
        filled(a.user, path, "user");
        for (std::size_t i = 0; i < a.env.size(); ++i)
            if (a.env[i].name.empty())
                found_.add("env", base::format("{}.env[{}].name: must not be empty", path, i));
    }

    void one(const executor::api::TimeoutAction& a, const std::string& path, std::size_t depth) {
        inside(*a.action, path, depth);
        if (a.timeout <= std::chrono::nanoseconds(0))
            found_.add(
                    "timeout",
                    base::format("{}.timeout: {} ns is not above 0", path, a.timeout.count()));
    }

    void
    one(const executor::api::EmitProgressAction& a, const std::string& path, std::size_t depth) {
        inside(*a.action, path, depth);
    }

    void one(const executor::api::TryAction& a, const std::string& path, std::size_t depth) {
        inside(*a.action, path, depth);
    }

    template <class List>
    void one(const List& a, const std::string& path, std::size_t depth) {
        if (a.actions.empty()) found_.add("actions", path + ".actions: must not be empty");
        for (std::size_t i = 0; i < a.actions.size() && !found_.full(); ++i) {
            const auto place = base::format("{}.actions[{}]", path, i);
            if (a.actions[i].empty()) {
                found_.add("actions", place + ": must not be null");
            } else {
                judge(a.actions[i], place, depth + 1);
            }
        }
    }

    void inside(const api::Action& action, const std::string& path, std::size_t depth) {
        judge(action, path + ".action", depth + 1);
    }

    Violations& found_;
    std::size_t seen_ = 0;
    bool too_much_ = false;
};

}  // namespace

Violations validate_action(const api::Action& action, std::string_view path) {
    Violations found;
    Judge(found).judge(action, std::string(path), 1);
    return found;
}

void check_action(
        Violations& found,
        const std::string& field,
        const std::optional<api::Action>& action,
        bool required) {
    if (!action || action->empty()) {
        if (required)
            found.add(field, field + ": invalid action type: exactly one action is required");
        return;
    }
    found.add_within(field, validate_action(*action, field));
}

}  // namespace brain::validate
