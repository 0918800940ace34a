"""Proves that every rule of tools/lint can fail, and that decent code passes: each case is a small tree with one fault."""
import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

LINT = str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "lint")
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("lint", LINT)
module = importlib.util.module_from_spec(importlib.util.spec_from_loader("lint", loader))
loader.exec_module(module)


def run(*options):
    """Exit status and output of the linter, in this process: a hundred Pythons would take half a minute."""
    output = io.StringIO()
    with mock.patch.object(sys, "argv", [LINT, *options]), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = module.main()
    return status, output.getvalue()

HEADER = "// A thing that a test needs to be there. Used by the tests of the linter.\n#pragma once\n"
CMAKE = {
    "CMakeLists.txt": "add_subdirectory(base)\nadd_subdirectory(low)\nadd_subdirectory(high)\n",
    "base/CMakeLists.txt": "project_library(base_sys DIR ${CMAKE_CURRENT_SOURCE_DIR}/sys DEPS base_core TWIN)\n",
    "base/README.md": "`sys`\n", "low/README.md": "`part`\n", "high/README.md": "high\n", "tests/README.md": "tests\n",
    "base/result.hpp": HEADER,
    "base/sys/file.hpp": HEADER + '#include "base/result.hpp"\n',
    "low/CMakeLists.txt": "project_library(low DEPS base)\nadd_subdirectory(part)\n",
    "low/part/CMakeLists.txt": "project_library(low_part DEPS base)\n",
    "low/low.hpp": HEADER + '#include "base/result.hpp"\n',
    "low/part/part.hpp": HEADER + '#include "low/low.hpp"\n',
    "high/CMakeLists.txt": "project_library(high DEPS low base)\nproject_program(tool SOURCES main.cpp DEPS low_part)\n",
    "high/high.cpp": '#include "low/low.hpp"\n#include "base/sys/file.hpp"\n',
    "high/main.cpp": '#include "low/part/part.hpp"\n',
}


def lint(files, *options):
    """Exit status and output of the linter over CMAKE plus `files`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**CMAKE, **files}.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return run("--root", folder, *options)


class Rules(unittest.TestCase):
    def passes(self, files):
        status, output = lint(files)
        self.assertEqual((status, output), (0, ""))

    def fails(self, rule, files, words=""):
        status, output = lint(files)
        self.assertEqual(status, 1, output)
        self.assertIn(f"[{rule}]", output)
        self.assertIn(words, output)
        others = [line for line in output.splitlines() if "[" in line and f"[{rule}]" not in line]
        self.assertEqual(others, [], "only the rule under test may speak")

    def test_decent_code_passes(self):
        self.passes({})
        self.passes({
            "low/a.cpp": '#include "low/low.hpp"\n\n#include <string>\n\n// system("x"), ::open(p), using namespace std: only a comment\n'
                         'const char* text = "co_await {}; strcpy(a, b)";\nint n = 1\'000\'000;\n',
            "low/b.cpp": "Task<int> f() {\n    auto options = Options{.a = 1};\n    CO_TRY(auto x, co_await g(std::move(options)));\n"
                         "    if (co_await ready(x)) {\n        co_return 1;\n    }\n    co_return x;\n}\n\n"
                         "base::Result<int> plain() {\n    const int a = TRY(h());\n    return a;\n}\n",
            "tests/t.cpp": 'using namespace low;\nint main() { ::system("true"); }\n',
            "docs/a.md": "[here](b.md#a-part) and [there](https://example.org/x)\n", "docs/b.md": "## A part\n",
            "tools/x": "#!/bin/sh\necho \"$1\"\n",
        })

    def test_includes(self):
        self.fails("includes", {"low/up.cpp": '#include "high/high.hpp"\n'}, "does not link high")
        self.fails("includes", {"base/up.cpp": '#include "low/low.hpp"\n'}, "base may not include")
        self.fails("includes", {"high/side.cpp": '#include "low/part/part.hpp"\n'}, "does not link low/part")
        self.fails("includes", {"low/near.cpp": '#include "low.hpp"\n'}, "from the top")
        self.fails("includes", {"low/t.cpp": '#include "tests/support/x.hpp"\n'}, "tests")
        self.fails("includes", {"low/CMakeLists.txt": "project_library(low DEPS base high)\nadd_subdirectory(part)\n"}, "added after it")

    def test_coroutines(self):
        start = "Task<int> f() {\n"
        self.fails("coroutines", {"low/a.cpp": start + "    auto x = co_await g(Options{.a = 1});\n    co_return x;\n}\n"}, "braces")
        self.fails("coroutines", {"low/a.cpp": start + "    auto x = co_await g([&] { return 1; });\n    co_return x;\n}\n"}, "braces")
        self.fails("coroutines", {"low/a.cpp": start + "    co_return (co_await g()) + (co_await h());\n}\n"}, "two co_await")
        self.fails("coroutines", {"low/a.cpp": start + "    const int a = TRY(g());\n    co_return a;\n}\n"}, "TRY in a coroutine")
        self.fails("coroutines", {"low/a.cpp": "void f() {\n    spawn([this]() -> Task<void> { co_return; });\n}\n"}, "lambda")

    def test_calls(self):
        for line in ('system("ls");', 'std::system("ls");', '::popen("ls", "r");', "sprintf(a, b);", "strcpy(a, b);", "int n = atoi(a);",
                     "auto n = std::stoul(a);", "thread.detach();", "spawn(f(), asio::detached);", "::usleep(5);", "std::this_thread::sleep_for(t);",
                     "::fork();", "int n = ::open(a, 0);", "::openat(a, b, 0);", "::read(a, b, 1);", "::write(a, b, 1);", "::rename(a, b);",
                     "::mount(a, b, c, 0, d);", "::setns(a, 0);", "auto w = std::source_location::current();"):
            with self.subTest(line):
                self.fails("calls", {"low/a.cpp": f"void f() {{\n    {line}\n}}\n"})
        self.passes({"base/sys/a.cpp": "void f() {\n    ::openat(a, b, 0);\n    ::read(a, b, 1);\n}\n"})
        self.passes({"low/a.cpp": "void f() {\n    file.open(a);\n    Store::open(a);\n    lease.system();\n    ::mkdirat(a, b, 0);\n}\n"})

    def test_ranges(self):
        self.fails("ranges", {"low/a.cpp": "void f() {\n    for (auto& x : list(a).value()) use(x);\n}\n"}, "a name")
        self.fails("ranges", {"low/a.cpp": "void f() {\n    for (auto& x :\n         list().value()) {\n    }\n}\n"}, "a name")
        self.passes({"low/a.cpp": "void f() {\n    for (auto& x : TRY(list())) use(x);\n    for (auto& t : k) out.push_back(g(t).value());\n"
                                  "    for (auto& x : known.value()) use(x);\n}\n"})

    def test_headers(self):
        self.fails("headers", {"low/a.hpp": "#pragma once\n"}, "what this is")
        self.fails("headers", {"low/a.hpp": "// short\n#pragma once\n"}, "what this is")
        self.fails("headers", {"low/a.hpp": "// A header that says what it is and who uses it.\nint a;\n"}, "pragma")

    def test_length(self):
        self.passes({"low/a.cpp": "int a;\n" * 500})
        self.fails("length", {"low/a.cpp": "int a;\n" * 501}, "501 lines")

    def test_namespaces(self):
        self.fails("namespaces", {"low/a.cpp": "using namespace std;\n"})
        self.fails("namespaces", {"tests/a.hpp": HEADER + "using namespace low;\n"})
        self.fails("namespaces", {"low/a.hpp": HEADER + "using namespace std::chrono_literals;\n"})

    def test_types(self):
        first = "namespace low::part {\n\nstruct Twin final : Base<int> {\n    int a = 0;\n};\n\n}\n"
        self.fails("types", {"low/a.cpp": first, "low/b.cpp": "namespace low {\nnamespace part {\nclass [[nodiscard]] Twin {\n};\n}\n}\n"}, "low::part::Twin")
        self.fails("types", {"low/a.hpp": HEADER + "struct Same {\n};\n", "high/b.hpp": HEADER + "enum class Same : int { one };\n"}, "low/a.hpp:3")
        self.fails("types", {"low/a.cpp": "struct Out {\n    struct In {\n    };\n};\n", "low/b.cpp": "struct Out::In {\n};\n"}, "Out::In")
        self.fails("types", {"tests/a.cpp": first, "low/b.cpp": first}, "low/b.cpp:3")
        self.fails("types", {"tests/a.cpp": first, "tests/b.cpp": first}, "tests/a.cpp:3")
        hidden = "namespace low {\nnamespace {\nstruct Own {\n};\n}\nvoid f() {\n    struct Inner {\n    };\n}\n}\n"
        self.passes({"low/a.cpp": hidden, "low/b.cpp": hidden, "tests/one/c.cpp": first, "tests/two/d.cpp": first,
                     "tests/README.md": "`one` `two`\n"})
        self.passes({"low/a.cpp": "namespace low {\nclass Later;\nstruct Same {\n};\ntemplate <>\nstruct Box<int> {\n};\n}\n",
                     "low/b.cpp": "namespace high {\nclass Later;\nstruct Same {\n};\ntemplate <>\nstruct Box<bool> {\n};\n}\n"})

    def test_machine(self):
        self.fails("machine", {"docs/a.md": "see /tmp" + "/wt/x\n"})
        self.fails("machine", {"low/a.cpp": '// as in /work' + '/main/x\n'})
        self.fails("machine", {"docs/a.md": "written with cl" + "aude\n"})
        self.passes({"docs/a.md": "bind /tmp/x and /srv/work" + "/main, home /home/vcap\n"})

    def test_text(self):
        self.fails("text", {"docs/a.md": "space \n"}, "trailing")
        self.fails("text", {"low/a.cpp": "\tint a;\n"}, "tab")
        self.fails("text", {"low/a.cpp": "int a;"}, "newline")
        self.fails("text", {"low/a.cpp": "// TO" + "DO later\n"}, "issue")
        self.passes({"low/a.cpp": "// TO" + "DO(#12) later\n"})

    def test_links(self):
        self.fails("links", {"docs/a.md": "[here](gone.md)\n"}, "gone.md")
        self.fails("links", {"docs/a.md": "[part](b.md#two-words)\n", "docs/b.md": "# Two other words\n"}, "no such heading")
        self.fails("links", {"docs/a.md": "[part](#gone)\n"}, "no such heading")
        self.passes({"docs/a.md": "`[not](a/link)`\n```\n[nor](this)\n```\n"})
        self.passes({"docs/a.md": "[part](b.md#two-words-1-x) [here](#a-b)\n# A b\n", "docs/b.md": "# Two words: 1 (`x`)\n"})

    def test_readme(self):
        self.fails("readme", {"low/deep/a.cpp": "int a;\n"}, "low/deep")
        self.passes({"low/deep/a.cpp": "int a;\n", "low/deep/README.md": "deep\n"})
        self.passes({"low/deep/a.cpp": "int a;\n", "low/README.md": "| `part` | near |\n| `low/deep` | far down |\n"})

    def test_shell(self):
        self.fails("shell", {"tools/x": "#!/bin/sh\necho $1\n"}, "SC2086")

    def test_every_rule_has_a_test(self):
        listed = run("--list")[1]
        for line in listed.splitlines():
            self.assertTrue(hasattr(self, "test_" + line.split()[0]), line)

    def test_one_rule_and_one_file_can_be_asked(self):
        files = {"low/a.cpp": "using namespace std;\nint a;"}
        self.assertEqual(lint(files, "--rule", "text")[1].count("[namespaces]"), 0)
        self.assertEqual(lint(files, "low/low.hpp")[0], 0)


if __name__ == "__main__":
    unittest.main()
