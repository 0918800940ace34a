#include "cli/arguments_registry.hpp"

namespace cli {

// `cloche container …`, `cloche image …`, and the commands about the machine.

namespace {

void add_create(CLI::App& container, Slots& slots) {
    auto* create = container.add_subcommand("create", "Create a container without a process");
    add_container_flags(*create, slots.create_container);
    create->add_option(
            "IMAGE", slots.create_container.options.image,
            "Image; the daemon's default when left out");
    create->callback([&slots] {
        slots.out.command = CreateOptions{.container = finish_container(slots.create_container)};
    });
    auto* plan = container.add_subcommand(
            "plan", "Print what create would do, as JSON; changes nothing");
    add_container_flags(*plan, slots.plan_container);
    plan->add_option(
            "IMAGE", slots.plan_container.options.image,
            "Image; the daemon's default when left out");
    plan->callback([&slots] {
        slots.out.command = PlanOptions{.container = finish_container(slots.plan_container)};
    });
}

}  // namespace

void add_container(CLI::App& app, Slots& slots) {
    auto* container =
            app.add_subcommand("container", "Create, list, inspect and destroy containers");
    container->require_subcommand(1);
    add_create(*container, slots);
    auto* list = container->add_subcommand("list", "List containers")->alias("ls");
    list->add_option("-f,--filter", slots.list.filters, "KEY=VALUE of a property; may be repeated")
            ->allow_extra_args(false);
    list->add_flag(
            "-a,--all", slots.list.all, "Also those that are half created or half destroyed");
    list->add_flag("-q,--quiet", slots.list.quiet, "Handles only");
    list->callback([&slots] { slots.out.command = slots.list; });
    auto* inspect = container->add_subcommand("inspect", "Print everything about a container");
    inspect->add_option("HANDLE", slots.inspect.handle, "Container")->required();
    inspect->callback([&slots] { slots.out.command = slots.inspect; });
    auto* destroy =
            container
                    ->add_subcommand(
                            "destroy", "Destroy containers with all their processes and files")
                    ->alias("rm");
    destroy->add_option("HANDLE", slots.destroy.handles, "Containers")->required();
    destroy->add_flag(
            "--ignore-missing", slots.destroy.ignore_missing,
            "A container that does not exist is fine");
    destroy->callback([&slots] { slots.out.command = slots.destroy; });
    add_container_evidence(*container, slots);
}

void add_image(CLI::App& app, Slots& slots) {
    auto* image = app.add_subcommand("image", "Pull, list, inspect and remove images");
    image->require_subcommand(1);
    auto* pull = image->add_subcommand("pull", "Fetch, verify and unpack an image");
    pull->add_option("IMAGE", slots.pull.image, "Image")->required();
    add_registry_flags(*pull, slots.pull.username, slots.pull.password_file);
    pull->add_flag(
                "--password-stdin", slots.pull.password_stdin,
                "Read the password from standard input")
            ->needs("--username")
            ->excludes("--password-file");
    pull->callback([&slots] { slots.out.command = slots.pull; });
    auto* list = image->add_subcommand("list", "List images")->alias("ls");
    list->callback([&slots] { slots.out.command = ImageListOptions{}; });
    auto* inspect = image->add_subcommand("inspect", "Print everything about an image");
    inspect->add_option("IMAGE", slots.image_inspect.image, "Image or digest")->required();
    inspect->callback([&slots] { slots.out.command = slots.image_inspect; });
    auto* remove =
            image->add_subcommand("remove", "Remove images that no container uses")->alias("rm");
    remove->add_option("IMAGE", slots.image_remove.images, "Images or digests")->required();
    remove->callback([&slots] { slots.out.command = slots.image_remove; });
    auto* prune = image->add_subcommand("prune", "Remove images that no container uses");
    auto* older = prune->add_option(
            "--older-than", slots.image_prune.older_than,
            "Only those that no container has used for so long: 36h, 90m");
    prune->add_flag("--all", slots.image_prune.all, "Whenever they were used; what happens anyway")
            ->excludes(older);
    prune->callback([&slots] { slots.out.command = slots.image_prune; });
    auto* verify = image->add_subcommand(
            "verify", "Compare unpacked layers with what was unpacked; exit code 1 when damaged");
    auto* one = verify->add_option("IMAGE", slots.image_verify.image, "Image or digest");
    verify->add_flag("--all", slots.image_verify.all, "Every image")->excludes(one);
    verify->callback([&slots] {
        if (slots.image_verify.all == !slots.image_verify.image.empty())
            throw CLI::ValidationError("image verify", "needs an IMAGE or --all");
        slots.out.command = slots.image_verify;
    });
}

void add_host(CLI::App& app, Slots& slots) {
    auto* doctor = app.add_subcommand(
            "doctor", "Look for leftovers that belong to no container; exit code 1 when there are");
    doctor->callback([&slots] { slots.out.command = DoctorOptions{}; });
    auto* features = app.add_subcommand(
            "features", "Print what the kernel offers and what the daemon chose");
    features->callback([&slots] { slots.out.command = FeaturesOptions{}; });
}

}  // namespace cli
