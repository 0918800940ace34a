#!/usr/bin/env python3
"""The samples of the audit's forms, read by what reads such files: XML, SARIF and HTML readers.

audit_forms_test.py [GOLDEN_DIR]. With CLOCHE_SARIF_SCHEMA=FILE and python3-jsonschema the SARIF samples are compared with
that schema too; the checks here are what the schema demands of the members that we write.
"""

import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import xml.etree.ElementTree

GOLDEN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "golden")
SAMPLES = ("audit", "hostile")
LEVELS = {"none", "note", "warning", "error"}
VOID = {"meta", "input", "br", "hr"}


def read(name):
    return (GOLDEN / name).read_text(encoding="utf-8")


class Junit(unittest.TestCase):
    def test_the_counts_are_those_of_the_cases(self):
        for sample in SAMPLES:
            with self.subTest(sample):
                root = xml.etree.ElementTree.fromstring(read(f"{sample}.xml"))
                self.assertEqual(root.tag, "testsuites")
                for element in [root, *root]:
                    cases = list(element.iter("testcase"))
                    self.assertEqual(int(element.get("tests")), len(cases))
                    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                        count = sum(case.find(tag) is not None for case in cases)
                        self.assertEqual(int(element.get(attribute)), count, attribute)
                for suite in root:
                    self.assertEqual([child.tag for child in suite][:1], ["properties"])
                    for case in suite.iter("testcase"):
                        self.assertLessEqual({"classname", "name", "time"}, set(case.keys()))

    def test_xmllint_accepts_it(self):
        if shutil.which("xmllint") is None:
            self.skipTest("no xmllint")
        for sample in SAMPLES:
            done = subprocess.run(["xmllint", "--noout", "--nonet", str(GOLDEN / f"{sample}.xml")], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


class Sarif(unittest.TestCase):
    def members(self, thing, required, optional=()):
        self.assertLessEqual(set(required), set(thing))
        self.assertLessEqual(set(thing), set(required) | set(optional))

    def message(self, thing):
        self.members(thing, ["text"])
        self.assertTrue(thing["text"])
        # Neither a link nor a placeholder: each bracket has its backslash, each brace its double.
        self.assertIsNone(re.search(r"(?<!\\)(?:\\\\)*[\[\]]", thing["text"]))
        self.assertNotRegex(thing["text"].replace("{{", "").replace("}}", ""), r"[{}]")

    def run_of(self, sample):
        log = json.loads(read(f"{sample}.sarif"))
        self.members(log, ["version", "$schema", "runs"])
        self.assertEqual(log["version"], "2.1.0")
        (run,) = log["runs"]
        self.members(run, ["tool", "invocations", "columnKind", "results", "properties"])
        self.assertEqual(run["columnKind"], "unicodeCodePoints")
        return run

    def rule(self, rule):
        self.members(rule, ["id", "shortDescription", "fullDescription", "defaultConfiguration", "properties"], ["help"])
        for name in ("shortDescription", "fullDescription", "help"):
            if name in rule:
                self.message(rule[name])
        self.assertIn(rule["defaultConfiguration"]["level"], LEVELS)
        properties = rule["properties"]
        self.assertLessEqual({"cis", "cves", "tags"}, set(properties))
        self.assertEqual(len(properties["tags"]), len(set(properties["tags"])))
        self.assertRegex(properties["security-severity"], r"^\d+\.\d$")

    def result(self, result, rules):
        self.members(result, ["ruleId", "ruleIndex", "kind", "level", "message", "locations", "fingerprints",
                              "partialFingerprints", "properties"])
        self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
        # 3.27.9: what is no fail has no level.
        self.assertIn((result["kind"], result["level"] == "none"), {("fail", False), ("open", True)})
        self.assertIn(result["level"], LEVELS)
        self.message(result["message"])
        (location,) = result["locations"]
        self.members(location, ["physicalLocation", "logicalLocations"])
        self.assertRegex(location["physicalLocation"]["artifactLocation"]["uri"], r"^(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+$")
        (logical,) = location["logicalLocations"]
        self.members(logical, ["name", "kind", "fullyQualifiedName"])

    def test_it_is_built_as_the_standard_says(self):
        for sample in SAMPLES:
            with self.subTest(sample):
                run = self.run_of(sample)
                driver = run["tool"]["driver"]
                self.members(driver, ["name", "version", "rules"])
                self.assertEqual(driver["name"], "cloche")
                rules = driver["rules"]
                self.assertEqual(len({rule["id"] for rule in rules}), len(rules))
                for rule in rules:
                    self.rule(rule)
                    self.assertNotIn("helpUri", rule)
                for result in run["results"]:
                    self.result(result, rules)
                (invocation,) = run["invocations"]
                notes = invocation["toolExecutionNotifications"]
                self.assertEqual(invocation["executionSuccessful"], not notes)
                self.assertEqual(len(notes), sum(result["kind"] == "open" for result in run["results"]))

    def test_two_findings_never_have_one_fingerprint(self):
        results = self.run_of("audit")["results"]
        for where in ("fingerprints", "partialFingerprints"):
            prints = [json.dumps(result[where]) for result in results]
            self.assertEqual(len(set(prints)), len(prints))

    def test_the_official_schema_accepts_it(self):
        schema = os.environ.get("CLOCHE_SARIF_SCHEMA")
        if not schema:
            self.skipTest("CLOCHE_SARIF_SCHEMA names no file")
        import jsonschema
        validator = jsonschema.Draft7Validator(json.loads(pathlib.Path(schema).read_text(encoding="utf-8")))
        for sample in SAMPLES:
            log = json.loads(read(f"{sample}.sarif"))
            errors = [f"{list(error.path)}: {error.message[:200]}" for error in validator.iter_errors(log)]
            if sample == "hostile":  # there the daemon's time is no time either; a reader must survive, not be pleased
                errors = [error for error in errors if "endTimeUtc" not in error]
            self.assertEqual(errors, [])


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.targets, self.tags, self.faults = [], [], [], set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"{tag}: an attribute twice")
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            elif name == "href":
                self.targets.append(value)
            elif name.startswith("on") or name == "style":
                self.faults.append(f"{tag}: {name}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> ends {self.open[-3:]}")
        else:
            self.open.pop()


class Html(unittest.TestCase):
    def test_it_is_well_built_and_foreign_text_makes_no_element(self):
        known = None
        for sample in SAMPLES:
            with self.subTest(sample):
                page = Page()
                page.feed(read(f"{sample}.html"))
                self.assertEqual((page.faults, page.open), ([], []))
                self.assertEqual(len(page.ids), len(set(page.ids)))
                for target in page.targets:
                    self.assertTrue(target.startswith("#") and target[1:] in page.ids, target)
                self.assertNotIn("script", page.tags)
                known = known or page.tags
                self.assertLessEqual(page.tags, known)


if __name__ == "__main__":
    unittest.main()
