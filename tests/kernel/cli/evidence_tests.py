"""What was refused, why, and the record of who was allowed what: denials, connections, explain-eperm, audit log."""

import json
import os
import shutil
import time

import case
from machine import wait_for

PATIENCE = 10  # seconds, for a record of the kernel


class Evidence(case.Case):
    def route(self, method, path, body=None):
        """One call as any client makes it."""
        status, answer = case.machine.call(method, path, body)
        self.assertEqual(status, 200, answer)
        return json.loads(answer)

    def refuse(self, *argv):
        done = case.machine.cloche("exec", *argv)
        self.assertNotEqual(done.returncode, 0, argv)
        return done.stderr + done.stdout

    def denial(self, name, call):
        """The row of a call that was refused; skips where the kernel's records do not reach gardend."""
        end = time.monotonic() + PATIENCE
        while True:
            found = self.route("GET", f"/cloche/v1/containers/{name}/denials")
            rows = [row for row in found["calls"] if row["call"] == call]
            if rows:
                return rows[0]
            if time.monotonic() > end:
                self.assertNotEqual(found["host"]["why"], "", "no denial, and no reason why")
                self.skipTest("audit records: " + found["host"]["why"])
            time.sleep(0.05)

    def test_refused_calls_are_listed_and_explained(self):
        name = self.container()
        self.assertIn("permission denied", self.refuse(name, "mount", "-t", "tmpfs", "none", "/tmp"))
        asked = self.json("container", "explain-eperm", name, "--call", "mount")["explanations"][0]
        self.assertEqual((asked["layer"], asked["rule"], asked["seen_as"]), ("filter", "SC-05", "EPERM"))
        text = self.ok("container", "explain-eperm", name, "--call", "mount")
        self.assertRegex(text, "call mount\n(.*\n)*layer +filter\n(.*\n)*remedy +")
        row = self.denial(name, "mount")
        self.assertEqual((row["architecture"], row["action"]), ("x86_64", "errno"))
        self.assertRegex(self.ok("container", "denials", name), r"CALL +ARCH.*\nmount +x86_64 +errno +\d+ ")
        recent = self.json("container", "explain-eperm", name)["explanations"]
        self.assertIn(("call mount", "filter"), [(each["question"], each["layer"]) for each in recent])

    def test_refused_connections_are_listed_explained_and_opened_by_the_rule_that_is_named(self):
        name, other = self.container(), self.container()
        address = self.json("container", "inspect", other)["info"]["ContainerIP"]
        end = address + ":80"
        self.assertIn("No route to host", self.refuse(name, "nc", "-w", "2", address, "80"))
        found = self.json("container", "explain-eperm", name, "--connect", end)["explanations"][0]
        self.assertEqual((found["layer"], found["rule"], found["seen_as"]), ("network", "NET-04", "EHOSTUNREACH"))

        def seen():
            denied = self.route("GET", f"/cloche/v1/containers/{name}/connections")["denied"]
            return [row for row in denied if row["destination"] == address]

        row = wait_for("the refused connection", seen)[0]
        self.assertEqual((row["reason"], row["protocol"], row["destination_port"]), ("container", "tcp", 80))
        self.assertRegex(self.ok("container", "connections", name), f"out +denied +container +tcp .*{end}")
        recent = self.json("container", "explain-eperm", name)["explanations"]
        entry = [each for each in recent if each["question"] == f"connect to {end} by tcp"][0]
        self.assertTrue(entry["refused"])
        self.assertGreaterEqual(entry["count"], 1)

        rule = json.loads(entry["remedy"].removeprefix("a NetOut rule "))
        self.route("POST", f"/containers/{name}/net/out", rule)
        self.assertIn("refused", self.refuse(name, "nc", "-w", "2", address, "80"))  # by the other itself
        self.assertFalse(self.json("container", "explain-eperm", name, "--connect", end)["explanations"][0]["refused"])

        network = self.route("GET", "/cloche/v1/network")
        self.assertEqual((network["unrepaired"], network["unlogged"]), ("", ""))
        self.assertGreaterEqual(network["denied"]["container"], 1)

    def test_explain_is_about_paths_devices_and_processes(self):
        name = self.container()
        self.ok("exec", "-d", "-u", "alice", name, "sleep", "1000")
        process = self.json("ps", name)["containers"][0]["processes"][0]["id"]
        for words, layer in (
            (("--path", "/proc/kallsyms"), "mask"),
            (("--path", "/proc/sys/kernel/hostname", "--access", "write"), "read-only"),
            (("--path", "/tmp/x"), "none"),
            (("--device", "b 8:0"), "device"),
            (("--device", "c 1:3"), "none"),
            (("--call", "chown"), "none"),
            ((process, "--call", "chown"), "capability"),
            (("--connect", "169.254.169.254:80"), "network"),
        ):
            found = self.json("container", "explain-eperm", name, *words)["explanations"][0]
            self.assertEqual(found["layer"], layer, words)
            self.assertEqual(found["refused"], layer != "none", words)
        self.assertEqual(self.ok("container", "explain-eperm", self.container()), "nothing was refused\n")

    def test_what_cannot_be_explained_is_an_error(self):
        name = self.container()
        for words, code in (
            (("no-such",), 3),
            ((name, "no-such", "--call", "mount"), 3),
            ((name, "--path", "tmp"), 2),
            ((name, "--connect", "10.0.0.1"), 2),
            ((name, "--device", "x"), 2),
            ((name, "--call", "mount", "--path", "/tmp"), 2),
            ((name, "--protocol", "tcp"), 2),
        ):
            done = case.machine.cloche("container", "explain-eperm", *words)
            self.assertEqual(done.returncode, code, f"{words}: {done.stderr}")
            self.assertEqual(done.stdout, "")


class AuditLog(case.Case):
    def lines(self):
        return [json.loads(line) for line in self.ok("audit", "log", "show", "--since", "0", "--json").splitlines()]

    def events(self, name, check=lambda line: True):
        return wait_for(name, lambda: [one for one in self.lines() if one["event"] == name and check(one)])

    def test_image_decisions_and_changed_limits_are_shown_and_the_chain_verifies(self):
        host = case.machine.registry.host
        name = "decided-image"
        self.handles.append(name)
        self.ok("container", "create", "--name", name, "-m", "64m", f"{host}/team/box:1")
        accepted = self.events("image.accepted")[-1]
        self.assertIn(f"{host}/team/box", accepted["details"]["image"])
        self.assertRegex(accepted["details"]["digest"], "^sha256:[0-9a-f]{64}$")
        refused = case.machine.cloche("container", "create", "--name", "closed", f"{host}/closed/box:1")
        self.assertNotEqual(refused.returncode, 0)
        told = self.events("image.refused")[-1]
        self.assertIn(f"{host}/closed/box", told["details"]["image"])
        self.assertNotEqual(told["details"]["reason"], "")

        status, answer = case.machine.call("PUT", f"/containers/{name}/limits/memory", {"limit_in_bytes": 48 << 20})
        self.assertEqual(status, 200, answer)
        change = self.events("policy.limits", lambda line: line["handle"] == name)[-1]
        self.assertEqual(change["details"]["memory_bytes"], 48 << 20)
        self.assertEqual(change["details"]["memory_bytes_before"], 64 << 20)
        self.assertRegex(change["actor"], r"^uid=0 gid=0 pid=\d+$")
        self.assertRegex(self.ok("audit", "log", "show"), f"SEQ +TIME +ACTOR.*\n(.*\n)*.*policy.limits +{name} ")

        status, answer = case.machine.call("GET", "/cloche/v1/audit/log?since=0&limit=3")
        page = json.loads(answer)
        self.assertEqual((status, page["lost"], len(page["lines"])), (200, 0, 3))
        self.assertEqual(json.loads(page["lines"][0])["seq"], 1)

        log = os.path.join(case.machine.home, "store/audit")
        self.assertRegex(self.ok("audit", "log", "verify", "--file", log), "^good: ")
        self.assertTrue(self.json("audit", "log", "verify", "--file", log)["good"])
        forged = self.path("audit")
        shutil.copytree(log, forged)
        with open(os.path.join(forged, "events.log"), "r+") as text:
            before = text.read()
            self.assertIn(str(48 << 20), before)
            text.seek(0)
            text.write(before.replace(str(48 << 20), str(47 << 20)))
        found = case.machine.cloche("audit", "log", "verify", "--file", forged)
        self.assertEqual(found.returncode, 1)
        self.assertRegex(found.stdout, r"events\.log:\d+: ")
