#include "tests/kernel/launch/fixture.hpp"
#include "tests/support/needs.hpp"

using test::Box;

TEST_CASE("a container is created, a process runs and its exit code is told") {
    NEEDS(root, userns);
    const bool user_namespace = GENERATE(true, false);
    Box box(user_namespace);
    box.must_create();
    const auto output = box.run(box.process("p", {"/bin/sh", "-c", "echo out; echo err >&2; exit 42"}));
    CHECK(output.error.text == "");
    CHECK(output.out == "out\n");
    CHECK(output.err == "err\n");
    CHECK(output.code == 42);
}
