#!/usr/bin/env python3
"""`cloche audit` as a program: exit codes, files, what goes where. A server of the samples answers, so that every outcome can
be had; tests/kernel/cli has the command against a real gardend.

audit_command_test.py CLOCHE
"""

import http.server
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

CLOCHE = sys.argv.pop(1)
SAMPLE = json.loads((pathlib.Path(__file__).parent / "golden" / "audit.json").read_text(encoding="utf-8"))
HOST = [subject for subject in SAMPLE["subjects"] if subject["kind"] == "host"]
OTHERS = [subject for subject in SAMPLE["subjects"] if subject["kind"] != "host"]


class Gardend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        target = urllib.parse.urlsplit(self.path)
        handles = urllib.parse.parse_qs(target.query).get("handle", [])
        status, body = 200, dict(SAMPLE)
        if target.path == "/cloche/v1/audit/host":
            body["subjects"] = HOST
        elif target.path != "/cloche/v1/audit":
            status, body = 404, {}
        elif "broken" in handles:
            status, body = 500, {"Type": "", "Message": "no", "Handle": "", "ProcessID": "", "Binary": ""}
        elif "gone" in handles:
            status = 404
            body = {"Type": "ContainerNotFoundError", "Message": "unknown handle: gone", "Handle": "gone", "ProcessID": "", "Binary": ""}
        else:
            body["subjects"] = [each for each in OTHERS if not handles or each["name"] in handles]
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


class Command(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gardend)
        cls.thread = threading.Thread(target=cls.server.serve_forever)
        cls.thread.start()
        cls.host = f"tcp://127.0.0.1:{cls.server.server_port}"

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        cls.thread.join()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def audit(self, *words, host=None):
        environment = {**os.environ, "CLOCHE_HOST": host or self.host}
        return subprocess.run([CLOCHE, "audit", *words], capture_output=True, text=True, env=environment, timeout=60)

    def test_the_exit_code_says_what_was_found(self):
        for code, words in (
                (1, ["all"]), (1, ["host"]), (1, ["container", "web-1"]),
                (0, ["container", "web-1", "--rule", "CAP"]),
                (0, ["container", "web-1", "--rule", "SC-08", "--level", "error"]),
                (1, ["container", "web-1", "--rule", "SC-08"]),
                (0, ["container", "web-1", "--rule", "CL-03"]),
                (1, ["container", "web-1", "--rule", "CL-03", "--level", "note"]),
                (1, ["container", "web-1", "--rule", "DEV-04", "--level", "error"]),
                (2, ["all", "--rule", "SC-99"]), (2, ["all", "--format", "pdf"]), (2, ["container"]),
                (3, ["container", "gone"]), (4, ["container", "broken"])):
            with self.subTest(words):
                done = self.audit(*words)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(bool(done.stdout), code < 2)
        self.assertEqual(self.audit("all", host=f"unix://{self.folder}/nothing.sock").returncode, 4)

    def test_all_is_every_container_the_pairs_and_the_machine(self):
        for words in (["--format", "json"], ["--json"]):
            report = json.loads(self.audit("all", *words).stdout)
            self.assertEqual(report["schema_version"], 1)
            self.assertEqual([subject["name"] for subject in report["subjects"]], ["web-1", "builder", "all", "cell-7"])

    def test_failed_leaves_out_lines_and_keeps_the_code(self):
        done = self.audit("container", "web-1", "--failed", "--json")
        results = {check["result"] for subject in json.loads(done.stdout)["subjects"] for check in subject["checks"]}
        self.assertEqual((results, done.returncode), ({"fail", "error"}, 1))
        self.assertEqual(self.audit("container", "web-1", "--failed", "--rule", "CAP").returncode, 0)

    def test_a_file_is_whole_and_its_owners_only(self):
        for form in ("text", "json", "sarif", "junit", "html"):
            path = self.folder / form
            done = self.audit("all", "--format", form, "-o", str(path))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("6 findings", done.stderr)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertEqual(path.read_text(encoding="utf-8"), self.audit("all", "--format", form).stdout)
        self.assertEqual(sorted(each.name for each in self.folder.iterdir()), ["html", "json", "junit", "sarif", "text"])

    def test_what_is_no_file_is_written_to_and_not_replaced(self):
        target, link = self.folder / "target", self.folder / "link"
        target.write_text("x" * 100000)
        link.symlink_to(target)
        self.assertEqual(self.audit("host", "-o", str(link)).returncode, 1)
        self.assertTrue(link.is_symlink())
        self.assertEqual(target.read_text(encoding="utf-8"), self.audit("host").stdout)
        self.assertEqual(self.audit("host", "-o", "/dev/null").returncode, 1)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_a_file_that_cannot_be_written_is_named(self):
        done = self.audit("host", "-o", str(self.folder / "no" / "such"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("--output", done.stderr)

    def test_colours_are_for_terminals(self):
        self.assertNotIn("\x1b", self.audit("all").stdout)


if __name__ == "__main__":
    unittest.main()
