"""Everything else: what is listed, images, copies, exit codes."""

import io
import json
import os
import shlex
import subprocess
import tarfile

import case
from machine import WAIT


class Reads(case.Case):
    def test_ps_shows_running_and_ended_processes(self):
        name = self.container()
        self.ok("exec", "-d", name, "sleep", "1000")
        text = self.ok("ps", name)
        self.assertRegex(text.split("\n")[0], "HANDLE +PROCESS +PID +USER +STATE +COMMAND")
        self.assertRegex(text, f"{name} .*running +sleep 1000")
        row = self.json("ps")["containers"][0]["processes"][0]
        self.assertTrue(os.path.exists(f"/proc/{row['host_pid']}"))

    def test_stats_are_numbers_of_every_container(self):
        first, second = self.container(), self.container("-m", "100m", "--pids", "64")
        answer = {each["handle"]: each["metrics"] for each in self.json("stats")["containers"]}
        self.assertEqual(set(answer), {first, second})
        self.assertGreater(answer[second]["Age"], 0)
        self.assertEqual(answer[second]["PidStat"]["Max"], 64)
        self.assertRegex(self.ok("stats", first), f"HANDLE +MEMORY +CPU TIME.*\n{first} ")

    def test_list_filters_by_property_and_inspect_tells_all(self):
        name = self.container("--property", "colour=blue", "-m", "32m")
        other = self.container()
        self.assertEqual(self.ok("container", "ls", "-q", "-f", "colour=blue").split(), [name])
        self.assertIn(other, self.ok("container", "list"))
        listed = self.json("container", "list")["containers"]
        self.assertEqual(sorted(each["handle"] for each in listed), sorted([name, other]))
        all_of_it = self.json("container", "inspect", name)
        self.assertEqual(all_of_it["limits"]["memory"]["limit_in_bytes"], 32 << 20)
        self.assertEqual(all_of_it["info"]["Properties"]["colour"], "blue")
        self.assertIn("32 MiB", self.ok("container", "inspect", name))

    def test_plan_says_what_create_would_do_and_changes_nothing(self):
        plan = json.loads(self.ok("container", "plan", "--name", "imagined", "-m", "48m", case.machine.rootfs))
        self.assertIn("imagined", json.dumps(plan))
        self.assertNotIn("imagined", self.handle_list())

    def test_images_are_listed_inspected_and_pruned(self):
        self.container()
        layout = self.path("image.tar")
        with tarfile.open(layout, "w") as tar:
            tar.add(case.machine.rootfs, arcname=".")
        pulled = case.machine.cloche("image", "pull", layout)
        self.assertEqual(pulled.returncode, 0, pulled.stderr)
        digest = pulled.stdout.strip()
        images = self.json("image", "list")["images"]
        self.assertIn(digest, [row["digest"] for row in images])
        self.assertRegex(self.ok("image", "ls"), "IMAGE +DIGEST +SIZE")
        self.assertEqual(self.json("image", "inspect", layout)["digest"], digest)
        self.assertEqual(self.ok("run", "--rm", layout, "echo", "from a tar"), "from a tar\n")
        self.ok("image", "remove", layout)
        self.assertEqual(case.machine.cloche("image", "inspect", layout).returncode, 3)
        self.assertIn("freed", self.ok("image", "prune"))

    def test_doctor_and_features(self):
        self.container()
        self.assertEqual(self.json("doctor"), {"orphans": []})
        self.assertEqual(self.ok("doctor"), "nothing is left over\n")
        stray = os.path.join(case.machine.home, "state/depot/stray")
        os.mkdir(stray)
        try:
            sick = case.machine.cloche("doctor")
        finally:
            os.rmdir(stray)
        self.assertEqual(sick.returncode, 1)
        self.assertRegex(sick.stdout, "KIND +NAME +REASON\nbundle +stray +belongs to no container\n")
        self.assertEqual(self.ok("doctor"), "nothing is left over\n")
        self.assertIsInstance(self.json("features"), dict)
        self.assertRegex(self.ok("features"), "NAME +VALUE")


class Copy(case.Case):
    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def read(self, name):
        with open(self.path(name)) as text:
            return text.read()

    def test_a_file_goes_in_and_comes_back(self):
        name = self.container()
        self.write("a", "content" * 100_000, 0o750)
        self.ok("cp", self.path("a"), f"{name}:/tmp/b")  # a new name
        self.ok("cp", self.path("a"), f"{name}:/tmp")  # into a directory
        self.assertEqual(self.ok("exec", name, "sh", "-c", "cmp /tmp/a /tmp/b && stat -c %a /tmp/b"), "750\n")
        self.ok("cp", f"{name}:/tmp/b", self.path("c"))
        self.assertEqual(self.read("c"), "content" * 100_000)
        os.mkdir(self.path("into"))
        self.ok("cp", f"{name}:/tmp/b", self.path("into"))
        self.assertEqual(self.read("into/b"), "content" * 100_000)

    def test_a_directory_goes_in_and_comes_back(self):
        name = self.container()
        self.write("tree/inner/file", "deep")
        os.symlink("inner/file", self.path("tree/link"))
        self.ok("cp", self.path("tree"), f"{name}:/tmp")
        self.ok("cp", self.path("tree"), f"{name}:/srv/renamed")
        self.assertEqual(
            self.ok("exec", name, "cat", "/tmp/tree/link", "/srv/renamed/inner/file"), "deepdeep"
        )
        self.ok("cp", f"{name}:/tmp/tree", self.path("back"))
        self.assertEqual(self.read("back/inner/file"), "deep")
        self.assertEqual(os.readlink(self.path("back/link")), "inner/file")
        self.ok("cp", f"{name}:/tmp/tree/", self.path("content"))
        self.assertEqual(self.read("content/inner/file"), "deep")
        self.ok("cp", f"{name}:/tmp/tree/.", self.path("content-too"))
        self.assertEqual(self.read("content-too/inner/file"), "deep")
        self.ok("cp", self.path("tree/."), f"{name}:/srv/of-tree")
        self.ok("cp", self.path("tree/."), f"{name}:/srv")
        self.ok("exec", name, "cmp", "/srv/of-tree/inner/file", "/srv/inner/file")

    def test_a_tar_is_not_for_a_terminal(self):
        name = self.container()
        person = case.machine.terminal("cp", f"{name}:/etc/passwd", "-")
        self.assertEqual(person.wait(), 2)
        self.assertIn("not for a terminal", person.seen)
        self.assertNotIn("alice", person.seen)

    def test_tars_go_through_pipes(self):
        name = self.container()
        self.write("tree/file", "piped")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(self.path("tree"), arcname="tree")
        sent = case.machine.cloche("cp", "-", f"{name}:/tmp", stdin=packed.getvalue(), binary=True)
        self.assertEqual(sent.returncode, 0, sent.stderr)
        got = case.machine.cloche("cp", f"{name}:/tmp/tree", "-", stdin=b"", binary=True)
        with tarfile.open(fileobj=io.BytesIO(got.stdout)) as tar:
            self.assertEqual(tar.extractfile("tree/file").read(), b"piped")

    def test_files_belong_to_the_user_who_was_named(self):
        name = self.container()
        self.write("mine", "x")
        self.ok("cp", "-u", "alice", self.path("mine"), f"{name}:/tmp/mine")
        self.assertEqual(self.ok("exec", name, "stat", "-c", "%U", "/tmp/mine"), "alice\n")

    def test_what_is_missing_is_an_error(self):
        name = self.container()
        self.assertEqual(case.machine.cloche("cp", self.path("none"), f"{name}:/tmp").returncode, 3)
        self.assertNotEqual(case.machine.cloche("cp", f"{name}:/none", self.path("x")).returncode, 0)
        self.assertFalse(os.path.exists(self.path("x")))
        self.assertEqual(case.machine.cloche("cp", "/a", "/b").returncode, 2)

    def test_a_hostile_container_does_not_write_outside(self):
        name = self.container()
        self.write("victim", "untouched")
        self.ok("exec", name, "sh", "-c", f"mkdir -p /tmp/t && ln -s {self.scratch} /tmp/t/out")
        self.ok("cp", f"{name}:/tmp/t", self.path("got"))
        self.assertTrue(os.path.islink(self.path("got/out")))
        self.assertEqual(self.read("victim"), "untouched")


class Codes(case.Case):
    def test_an_unknown_handle_is_3(self):
        for words in (
            ("container", "inspect", "no-such"), ("container", "destroy", "no-such"),
            ("exec", "no-such", "true"), ("attach", "no-such"), ("logs", "no-such"),
            ("ps", "no-such"), ("stats", "no-such"), ("cp", "no-such:/a", "/tmp/x"),
        ):
            done = case.machine.cloche(*words)
            self.assertEqual(done.returncode, 3, f"{words}: {done.stderr}")
            self.assertIn("unknown handle: no-such", done.stderr)
            self.assertEqual(done.stdout, "")
        self.ok("container", "destroy", "--ignore-missing", "no-such")

    def test_an_unknown_process_is_3(self):
        name = self.container()
        self.assertEqual(case.machine.cloche("attach", name, "none").returncode, 3)
        self.assertEqual(case.machine.cloche("logs", name, "none").returncode, 3)

    def test_usage_is_2(self):
        for words in ((), ("frobnicate",), ("run",), ("run", "-m", "lots", "x"), ("exec", "h"),
                      ("container",), ("cp", "only-one"), ("stats", "--no-such-flag")):
            done = case.machine.cloche(*words)
            self.assertEqual(done.returncode, 2, f"{words}: {done.stderr}")
            self.assertLess(len(done.stderr.split("\n")), 5)  # not the whole help

    def test_no_daemon_is_4(self):
        nowhere = "unix://" + self.path("nobody.sock")
        for words in (("container", "list"), ("run", case.machine.rootfs, "true"), ("doctor",),
                      ("exec", "h", "true"), ("cp", "h:/a", "/tmp/x")):
            done = case.machine.cloche(*words, host=nowhere)
            self.assertEqual(done.returncode, 4, f"{words}: {done.stderr}")
            self.assertIn("hint:", done.stderr)

    def test_the_daemon_is_reached_by_tls_with_certificates_of_both_sides(self):
        machine = case.machine
        flags = ["--tls-ca", machine.certificate, "--tls-cert", machine.certificate, "--tls-key", machine.key]
        name = self.container()
        done = machine.cloche(*flags, "container", "list", "-q", host=machine.tls_host)
        self.assertEqual((done.returncode, done.stdout), (0, name + "\n"), done.stderr)
        for bad in ([], flags[:2], flags[2:]):
            done = machine.cloche(*bad, "container", "list", host=machine.tls_host)
            self.assertNotEqual(done.returncode, 0, bad)
            self.assertEqual(done.stdout, "")

    def test_output_that_cannot_be_written_is_1(self):
        for closed in (">&-", ">/dev/full"):
            words = shlex.join(case.machine.command("container", "list"))
            done = subprocess.run(["sh", "-c", f"{words} {closed}"], capture_output=True, timeout=WAIT)
            self.assertEqual(done.returncode, 1, closed)
            self.assertIn(b"standard output", done.stderr)

    def test_a_handle_in_use_is_1(self):
        name = self.container()
        done = case.machine.cloche("container", "create", "--name", name, case.machine.rootfs)
        self.assertEqual(done.returncode, 1)
        self.assertIn("already in use", done.stderr)
