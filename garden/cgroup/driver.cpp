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
        return make(std::string(name));
    }

    base::Result<std::unique_ptr<Group>> create_below(
            std::string_view above, std::string_view name) override {
        return make(TRY(path_below(above, name)));
    }

    base::Result<std::unique_ptr<Group>> open(std::string_view name) override {
        TRY(check_name(name));
        return find(std::string(name));
    }

    base::Result<std::unique_ptr<Group>> open_below(
            std::string_view above, std::string_view name) override {
        return find(TRY(path_below(above, name)));
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
    static base::Result<std::string> path_below(std::string_view above, std::string_view name) {
        TRY(check_name(above));
        TRY(check_name(name));
        return std::string(above) + "/" + std::string(name);
    }

    base::Result<std::unique_ptr<Group>> make(const std::string& path) {
        base::Rollback rollback;
        for (const auto& tree : forest_->trees) {
            TRY(sys::make_directory_at(tree.parent, path, 0755)
                        .context(base::format("create the cgroup {} of {}", path, tree.name)));
            rollback.add([&tree, &path] { (void)sys::remove_at(tree.parent, path, true); });
        }
        rollback.commit();
        return make_group(forest_, path, true);
    }

    base::Result<std::unique_ptr<Group>> find(const std::string& path) {
        for (const auto& tree : forest_->trees) {
            auto entry = sys::stat_at(tree.parent, path);
            if (entry && S_ISDIR(entry->st_mode)) return make_group(forest_, path, false);
        }
        return base::fail(
                base::Errc::not_found, "no cgroup {} below {}", path, forest_->parent_name);
    }

    std::shared_ptr<Forest> forest_;  // owners: the driver and every group, whichever lives longer
};

}  // namespace

base::Result<std::unique_ptr<Driver>> Driver::probe(std::string_view parent) {
    std::shared_ptr<Forest> forest = TRY(plant(parent));
    return std::unique_ptr<Driver>(std::make_unique<ForestDriver>(std::move(forest)));
}

}  // namespace garden::cgroup
