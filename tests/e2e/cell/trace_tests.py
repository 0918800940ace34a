"""What goes over the wire beside the work: trace ids, and servers whose certificate nobody vouches for."""

import os
import shutil

import case
from case import Case, name
from cell import Cell, sh, wait_for
from transfer_tests import tar_of

TRACE = "7f461654-74d1-1ee5-8367-77d85df2cdab"


class Traces(Case):
    def request(self, method, target, body=None, trace=TRACE):
        return self.cell.call(method, target, body, headers={"X-Vcap-Request-Id": trace})

    def lines(self, *words, which=None):
        return [line for line in self.cell.whole_log(which).splitlines() if all(word in line for word in words)]

    def test_the_id_of_a_request_is_in_the_lines_of_both_daemons(self):
        guid = name()
        self.cell.allocate(guid)
        answer = self.request("POST", f"/containers/{guid}/run", self.cell.recipe("exec sleep 1000"))
        self.assertEqual((answer.status, answer.headers["X-Request-Id"]), (201, TRACE))
        self.cell.until(guid, "running")
        wait_for("celld's line", lambda: self.lines("request served", f"/containers/{guid}/run", f"trace={TRACE}", which="log"))
        # What celld asked of gardend for it, though long after its answer: the container and its process.
        wait_for("gardend's lines", lambda: self.lines("request served", "path=/containers ", f"trace={TRACE}", which="garden.log") and
                 self.lines("request served", f"/containers/{guid}/processes", f"trace={TRACE}", which="garden.log"))
        other = "another-request"
        self.assertEqual(self.request("DELETE", f"/containers/{guid}", trace=other).status, 200)
        wait_for("the end's line", lambda: self.lines("method=DELETE", guid, f"trace={other}", which="garden.log"))
        self.assertEqual(self.lines("method=DELETE", guid, TRACE), [])

    def test_a_request_without_an_id_has_one_of_its_own_and_no_trace(self):
        guid = name()
        self.cell.run(guid)
        self.cell.until(guid, "running")
        found = wait_for("the line", lambda: self.lines("request served", f"/containers/{guid}/run", which="log"))
        self.assertNotIn("trace=", found[0])
        self.assertRegex(found[0], "request=[0-9a-f]{32} ")

    def test_hostile_ids_are_not_copied_into_logs(self):
        guid = name()
        self.cell.run(guid)
        self.cell.until(guid, "running")
        for hostile in ("x" * 129, "evil level=error", 'evil"quote', "evil=value", "evil\tTab", "evil\\x", "evil;rm", "\u00e9vil",
                        "evil\x7f", "evil%0aforged"):
            answer = self.request("POST", f"/containers/{guid}/stop", trace=hostile.encode("latin-1"))
            # A header with a control character is no header: the whole request is refused.
            self.assertIn(answer.status, (200, 400), hostile)
            self.assertNotIn(hostile, answer.headers.get("X-Request-Id", ""))
        self.cell.result(guid)
        text = self.cell.whole_log()
        self.assertNotIn("evil", text)
        self.assertNotIn("x" * 129, text)
        self.assertIn("y" * 128, self.request("GET", "/ping", trace="y" * 128).headers["X-Request-Id"])


class UnknownServers(Case):
    """nginx with a certificate of an authority that nobody knows."""

    def test_without_the_switch_they_are_refused_and_with_it_they_serve(self):
        shared = self.cell
        with open(os.path.join(shared.files, "strange.tgz"), "wb") as out:
            out.write(tar_of({"x": "from a stranger"}))
        action = {"serial": {"actions": [
            {"download": {"from": shared.strange_url + "/strange.tgz", "to": "/tmp", "user": "vcap", "cache_key": ""}},
            sh("cat /tmp/x")]}}
        guid = name()
        shared.run(guid, action)
        self.assertTrue(shared.result(guid)["failed"])
        self.assertIn("certificate", shared.whole_log("log") + shared.text(guid))
        self.assertNotIn("from a stranger", shared.text(guid))
        other = Cell(case.cell.programs, shutil.which("busybox"), tag="c2", pool="10.215.32.0/20",
                     words=["--skip-cert-verify", "--garden-check=false", "--rep-listen", "tcp://127.0.0.1:0"])
        try:
            other.start()
            for where in (shared.strange_url, shared.tls_url):
                action["serial"]["actions"][0]["download"]["from"] = where + "/strange.tgz"
                guid = name()
                other.run(guid, action)
                result = other.result(guid)
                self.assertFalse(result["failed"], (result, other.text(guid), other.log_text()))
                self.assertIn("from a stranger", other.text(guid))
                self.assertEqual(other.delete(guid).status, 200)
        finally:
            other.stop()
        self.assertEqual(other.cleaned, 0)
