#include "base/fail.hpp"
#include "base/rollback.hpp"
#include "base/sys/file.hpp"
#include "garden/cgroup/forest.hpp"

#include <set>

namespace garden::cgroup {

namespace {

namespace sys = base::sys;

base::Result<void> check_name(std::string_view name) {
    if (name.empty() || name.size() > 255 || name == "." || name == ".." ||
        name.find_first_of("/\n") != std::string_view::npos) {
        return base::fail(
                base::Errc::invalid,
                "cgroup name '{}' is not one path component of at most 255 characters", name);
    }
    return base::ok;
}

class ForestDriver final : public Driver {
  public:
    explicit ForestDriver(std::shared_ptr<Forest> forest) : forest_(std::move(forest)) {}

    Layout layout() const override { return forest_->layout; }

    std::vector<std::string> hierarchies() const override {
        std::vector<std::string> names;
        for (const auto& tree : forest_->trees) names.push_back(tree.name);
        return names;
    }

    base::Result<std::unique_ptr<Group>> create(std::string_view name) override {
        TRY(check_name(name));
        const std::string own(name);
        base::Rollback rollback;
        for (const auto& tree : forest_->trees) {
            TRY(sys::make_directory_at(tree.parent, own, 0755)
                        .context(base::format("create the cgroup {} of {}", name, tree.name)));
            rollback.add([&tree, &own] { (void)sys::remove_at(tree.parent, own, true); });
        }
        rollback.commit();
        return make_group(forest_, own, true);
    }

    base::Result<std::unique_ptr<Group>> open(std::string_view name) override {
        TRY(check_name(name));
        for (const auto& tree : forest_->trees) {
            auto entry = sys::stat_at(tree.parent, std::string(name));
            if (entry && S_ISDIR(entry->st_mode))
                return make_group(forest_, std::string(name), false);
        }
        return base::fail(
                base::Errc::not_found, "no cgroup {} below {}", name, forest_->parent_name);
    }

    base::Result<std::vector<std::string>> list() override {
        std::set<std::string> names;
        for (const auto& tree : forest_->trees) {
            for (auto& name : TRY(child_groups(tree.parent))) names.insert(std::move(name));
        }
        return std::vector<std::string>(names.begin(), names.end());
    }

    base::Result<void> watch_oom(Group& group, std::function<void()> notice) override {
        return watch(group, std::move(notice));
    }

    base::Result<void> remove_parent() override {
        base::Result<void> first = base::ok;
        for (const auto& tree : forest_->trees) {
            auto removed = sys::remove_at(tree.above, forest_->parent_name, true);
            if (!removed && first)
                first = std::move(removed).context(
                        base::format("remove the cgroup parent of {}", tree.name));
        }
        return first;
    }

  private:
    std::shared_ptr<Forest> forest_;  // owners: the driver and every group, whichever lives longer
};

}  // namespace

base::Result<std::unique_ptr<Driver>> Driver::probe(std::string_view parent) {
    std::shared_ptr<Forest> forest = TRY(plant(parent));
    return std::unique_ptr<Driver>(std::make_unique<ForestDriver>(std::move(forest)));
}

}  // namespace garden::cgroup
