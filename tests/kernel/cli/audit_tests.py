"""`cloche audit` against a real daemon: a default container has no finding, a weaker one has those it asked for."""

import json
import os
import tempfile

import case


class Audit(case.Case):
    def report(self, *arguments):
        done = case.machine.cloche("--json", "audit", *arguments)
        return done.returncode, json.loads(done.stdout)

    def test_a_default_container_passes(self):
        name = self.container()
        code, report = self.report("container", name)
        self.assertEqual(0, code)
        subject = report["subjects"][0]
        self.assertEqual(name, subject["name"])
        results = [check["result"] for check in subject["checks"] if not check.get("relaxation")]
        self.assertGreater(results.count("pass"), 50)
        self.assertNotIn("fail", results)
        self.assertNotIn("error", results)

    def test_relaxations_are_named_and_counted_by_level(self):
        with tempfile.TemporaryDirectory() as shared:
            name = self.container("--privileged", "-v", f"{shared}:/shared:rw")
            code, report = self.report("container", name)
            self.assertEqual(1, code)
            names = report["subjects"][0]["relaxations"]
            self.assertIn("privileged", names)
            self.assertIn("writable_bind_mount:/shared", names)
            self.assertEqual(0, self.report("container", name, "--level", "error")[0])

    def test_all_containers_are_compared_and_the_host_is_looked_at(self):
        first, second = self.container(), self.container()
        _, report = self.report("all")
        kinds = [(subject["kind"], subject["name"]) for subject in report["subjects"]]
        self.assertEqual([("container", each) for each in sorted([first, second])], sorted(kinds)[:2])
        self.assertEqual(1, [kind for kind, _ in kinds].count("pair"))
        self.assertEqual(1, [kind for kind, _ in kinds].count("host"))
        pair = next(subject for subject in report["subjects"] if subject["kind"] == "pair")
        self.assertEqual({"pass"}, {check["result"] for check in pair["checks"]})

    def test_every_form_is_written_and_an_unknown_container_is_told(self):
        name = self.container()
        with tempfile.TemporaryDirectory() as directory:
            for form, begin in (("text", ""), ("json", "{"), ("sarif", "{"), ("junit", "<?xml"), ("html", "<!doctype")):
                path = os.path.join(directory, form)
                self.ok("audit", "container", name, "--format", form, "-o", path)
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                self.assertTrue(text.startswith(begin), form)
                self.assertIn(name, text)
        self.assertEqual(3, case.machine.cloche("audit", "container", "nobody").returncode)
