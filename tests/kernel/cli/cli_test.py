#!/usr/bin/env python3
"""The program `cloche` against a real gardend: every command, codes, streams, terminals.

cli_test.py --programs DIR [TestName…]; DIR holds gardend, its helpers and cloche. Needs root and a
static busybox; without them it prints SKIP and ends with 77 (1 when CLOCHE_NO_SKIP is set).
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

from machine import Machine, WAIT, wait_for

machine = None  # made by main, as unittest builds the test objects itself


class Case(unittest.TestCase):
    def setUp(self):
        self.handles = []
        self.scratch = tempfile.mkdtemp(dir=machine.home)

    def tearDown(self):
        if self.handles:
            machine.cloche("container", "destroy", "--ignore-missing", *self.handles)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.scratch, name)

    def container(self, *flags):
        """A container of our own that the test's end destroys."""
        name = f"{self.id().rsplit('.', 1)[-1].replace('_', '-')[-32:].strip('-')}-{len(self.handles)}"
        self.handles.append(name)
        self.ok("container", "create", "--name", name, *flags, machine.rootfs)
        return name

    def ok(self, *words, **how):
        done = machine.cloche(*words, **how)
        if done.returncode != 0:
            self.fail(f"cloche {' '.join(words)}: {done.returncode}: {done.stderr}\n{machine.log_text()}")
        return done.stdout

    def json(self, *words):
        return json.loads(self.ok(*words, "--json"))

    def handle_list(self):
        return self.ok("container", "list", "-q").split()


class Run(Case):
    def test_the_exit_code_and_both_outputs_are_the_process_s(self):
        done = machine.cloche(
            "run", "--rm", machine.rootfs, "sh", "-c", "echo to-out; echo to-err >&2; exit 7"
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, "to-out\n", "to-err\n"))
        self.assertEqual(self.handle_list(), [])

    def test_a_signal_is_128_and_its_number(self):
        done = machine.cloche("run", "--rm", machine.rootfs, "sh", "-c", "kill -KILL $$")
        self.assertEqual(done.returncode, 128 + signal.SIGKILL)

    def test_without_rm_the_container_stays(self):
        self.handles.append("stays")
        self.ok("run", "--name", "stays", machine.rootfs, "true")
        self.assertIn("stays", self.handle_list())

    def test_interactive_input_reaches_the_process_and_ends(self):
        self.assertEqual(
            self.ok("run", "--rm", "-i", machine.rootfs, "wc", "-c", stdin="x" * 300_000).strip(),
            "300000",
        )

    def test_without_interactive_the_process_reads_an_end(self):
        self.assertEqual(self.ok("run", "--rm", machine.rootfs, "cat", stdin="unread"), "")

    def test_much_output_arrives_whole(self):
        done = machine.cloche(
            "run", "--rm", machine.rootfs, "head", "-c", "8000000", "/dev/zero", binary=True,
            stdin=b"",
        )
        self.assertEqual((done.returncode, len(done.stdout)), (0, 8_000_000))

    def test_what_is_no_program_has_codes_of_its_own(self):
        self.assertEqual(machine.cloche("run", machine.rootfs, "no-such-program").returncode, 127)
        self.assertEqual(machine.cloche("run", machine.rootfs, "/bin/missing").returncode, 127)
        self.assertEqual(machine.cloche("run", machine.rootfs, "/etc/passwd").returncode, 126)
        self.assertEqual(machine.cloche("run", "-u", "nobody-here", machine.rootfs, "id").returncode, 125)
        self.assertEqual(self.handle_list(), [])  # nothing stays behind

    def test_flags_reach_the_container_and_the_process(self):
        os.mkdir(self.path("shared"), 0o755)
        with open(self.path("shared/file"), "w") as out:
            out.write("from the host")
        text = self.ok(
            "run", "--rm", "-e", "A=1 2", "-w", "/tmp/new", "-u", "alice", "--pids", "50",
            "-m", "64m", "-v", self.path("shared") + ":/mnt/shared", machine.rootfs,
            "sh", "-c", 'echo "$A"; pwd; id -un; cat /mnt/shared/file; echo x > /mnt/shared/no || echo read-only',
        )
        self.assertEqual(text.split("\n")[:3], ["1 2", "/tmp/new", "alice"])
        self.assertIn("from the host", text)
        self.assertIn("read-only", text)

    def test_detached_it_prints_the_handle_and_goes_on(self):
        self.handles.append("away")
        printed = self.ok("run", "-d", "--name", "away", machine.rootfs, "sleep", "1000")
        self.assertEqual(printed, "away\n")
        rows = self.json("ps", "away")["containers"][0]["processes"]
        self.assertEqual([(row["id"], row["exited"]) for row in rows], [("main", False)])

    def test_a_terminating_signal_goes_to_the_process(self):
        program = subprocess.Popen(
            machine.command(
                "run", "--rm", machine.rootfs, "sh", "-c",
                "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.1; done",
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self.assertEqual(program.stdout.readline(), b"ready\n")
        program.send_signal(signal.SIGTERM)
        self.assertEqual(program.communicate(timeout=WAIT)[0], b"asked\n")
        self.assertEqual(program.returncode, 3)
        self.assertEqual(self.handle_list(), [])

    def test_a_reader_that_leaves_ends_the_process(self):
        program = subprocess.Popen(
            machine.command("run", "--rm", machine.rootfs, "yes"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self.assertEqual(program.stdout.read(4), b"y\ny\n")
        program.stdout.close()
        self.assertEqual(program.wait(WAIT), 128 + signal.SIGTERM)


class Pull(Case):
    def tearDown(self):
        super().tearDown()
        machine.cloche("image", "prune")

    def test_run_pulls_what_is_not_there_and_says_how_far_it_is(self):
        image = f"{machine.registry.host}/team/box:1"
        first = machine.cloche("run", "--rm", image)
        self.assertEqual((first.returncode, first.stdout), (0, "the image's command\n"), first.stderr)
        self.assertRegex(first.stderr, "pull docker://.*: downloading [0-9a-f]{12} \\(")
        self.assertNotIn("\x1b", first.stderr)  # lines, as it is no terminal
        second = machine.cloche("run", "--rm", image, "sh", "-c", "echo $FROM")
        self.assertEqual((second.stdout, second.stderr), ("image\n", ""))  # it is there

    def test_on_a_terminal_bars_move(self):
        person = machine.terminal("image", "pull", f"docker://{machine.registry.host}/team/box")
        person.expect("[==")
        person.expect("\x1b[")  # redrawn in place
        self.assertEqual(person.wait(), 0)
        self.assertIn(machine.registry.digest, person.seen)

    def test_what_the_registry_does_not_have_is_3(self):
        done = machine.cloche("image", "pull", f"{machine.registry.host}/team/none")
        self.assertEqual(done.returncode, 3, done.stderr)


class Terminals(Case):
    def test_run_gives_a_terminal_of_our_size_that_follows(self):
        person = machine.terminal("run", "--rm", "-it", machine.rootfs, "sh", columns=91, rows=17)
        person.expect("# ")
        self.assertTrue(person.raw())
        person.type("stty size; echo term=$TERM\r")
        person.expect("17 91")
        person.resize(120, 40)
        person.type("sleep 1; stty size; tty\r")
        person.expect("40 120")
        person.type("exit 5\r")
        self.assertEqual(person.wait(), 5)
        self.assertTrue(person.settings_kept)

    def test_an_interrupt_key_reaches_the_process_and_not_us(self):
        person = machine.terminal("run", "--rm", "-it", machine.rootfs, "sh")
        person.expect("# ")
        person.type("sleep 1000\r")
        person.expect("sleep 1000")
        time.sleep(0.5)  # the shell starts it
        person.type("\x03")
        person.expect("# ")
        person.type("echo code $?\r")
        person.expect("code 130")
        person.type("\x04")
        person.wait()
        self.assertTrue(person.settings_kept)

    def test_the_detach_keys_leave_it_running_and_attach_finds_it(self):
        self.handles.append("left")
        person = machine.terminal("run", "-it", "--rm", "--name", "left", machine.rootfs, "sh")
        person.expect("# ")
        person.type("\x10\x11")
        self.assertEqual(person.wait(), 0)
        self.assertTrue(person.settings_kept)
        self.assertIn("left", self.handle_list())  # --rm or not
        again = machine.terminal("attach", "-t", "left", columns=70, rows=20)
        again.type("\r")
        again.expect("# ")
        again.type("stty size; exit 9\r")
        again.expect("20 70")
        self.assertEqual(again.wait(), 9)
        self.assertTrue(again.settings_kept)

    def test_the_terminal_is_restored_when_the_container_goes(self):
        self.handles.append("goes")
        person = machine.terminal("run", "-it", "--name", "goes", machine.rootfs, "sh")
        person.expect("# ")
        self.assertTrue(person.raw())
        self.ok("container", "destroy", "goes")
        self.assertNotEqual(person.wait(), 0)
        self.assertTrue(person.settings_kept)

    def test_the_terminal_is_restored_when_we_are_told_to_end(self):
        person = machine.terminal(
            "run", "--rm", "-it", machine.rootfs, "sh", "-c", "trap '' TERM; echo up; sleep 1000"
        )
        person.expect("up")
        person.program.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        person.program.send_signal(signal.SIGTERM)  # asked twice: it is killed
        self.assertEqual(person.wait(), 128 + signal.SIGKILL)
        self.assertTrue(person.settings_kept)

    def test_tables_have_colours_on_a_terminal_only(self):
        self.container()
        person = machine.terminal("container", "list")
        person.expect("\x1b[1m")
        self.assertEqual(person.wait(), 0)
        plain = machine.terminal("container", "list", "--no-color")
        plain.wait()
        self.assertNotIn("\x1b", plain.seen)
        self.assertNotIn("\x1b", self.ok("container", "list"))


class Exec(Case):
    def test_exec_runs_in_the_same_container(self):
        name = self.container()
        self.ok("exec", name, "sh", "-c", "echo kept > /tmp/kept")
        self.assertEqual(self.ok("exec", name, "cat", "/tmp/kept"), "kept\n")
        self.assertEqual(machine.cloche("exec", name, "sh", "-c", "exit 42").returncode, 42)
        self.assertEqual(self.ok("exec", "-i", name, "cat", stdin="through"), "through")
        self.assertEqual(
            self.ok("exec", "-e", "B=2", "-w", "/etc", "-u", "alice", name, "sh", "-c", "echo $B; pwd; id -u"),
            "2\n/etc\n1000\n",
        )

    def test_exec_with_a_terminal(self):
        name = self.container()
        person = machine.terminal("exec", "-it", name, "sh", columns=66, rows=33)
        person.expect("# ")
        person.type("stty size\r")
        person.expect("33 66")
        person.type("exit 4\r")
        self.assertEqual(person.wait(), 4)

    def test_exec_of_what_is_no_program(self):
        name = self.container()
        self.assertEqual(machine.cloche("exec", name, "no-such-program").returncode, 127)

    def test_attach_sees_what_comes_and_writes_to_it(self):
        name = self.container()
        first = subprocess.Popen(
            machine.command("exec", "-i", name, "sh", "-c", "echo up; read line; echo got $line; exit 6"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.assertEqual(first.stdout.readline(), b"up\n")
        second = machine.cloche("attach", name, stdin="hello\n")
        self.assertEqual((second.returncode, second.stdout), (6, "got hello\n"))
        self.assertEqual(first.communicate(timeout=WAIT)[0], b"got hello\n")
        self.assertEqual(first.returncode, 6)

    def test_a_detached_terminal_waits_for_somebody(self):
        self.handles.append("waits")
        self.ok("run", "-dit", "--name", "waits", machine.rootfs, "sh")
        person = machine.terminal("attach", "-t", "waits")
        person.type("\r")
        person.expect("# ")
        person.type("exit 8\r")
        self.assertEqual(person.wait(), 8)

    def test_a_watcher_that_is_interrupted_leaves_the_process_alone(self):
        name = self.container()
        self.ok("exec", "-d", name, "sh", "-c", "while :; do echo tick; sleep 0.1; done")
        watcher = subprocess.Popen(
            machine.command("attach", "--no-stdin", name), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        self.assertEqual(watcher.stdout.readline(), b"tick\n")
        watcher.send_signal(signal.SIGINT)
        self.assertEqual(watcher.wait(WAIT), 0)
        watcher.stdout.close()
        rows = self.json("ps", name)["containers"][0]["processes"]
        self.assertFalse(rows[0]["exited"])

    def test_logs_are_kept_and_followed(self):
        name = self.container()
        process = self.ok(
            "exec", "-d", name, "sh", "-c", "echo one; echo bad >&2; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo two"
        ).strip()
        logs = wait_for("the first line", lambda: self.first_logs(name))
        self.assertEqual((logs.stdout, logs.stderr), ("one\n", "bad\n"))
        follower = subprocess.Popen(
            machine.command("logs", "-f", name, process), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        self.assertEqual(follower.stdout.readline(), b"one\n")
        self.ok("exec", name, "touch", "/tmp/go")
        self.assertEqual(follower.communicate(timeout=WAIT)[0], b"two\n")
        self.assertEqual(follower.returncode, 0)
        self.assertEqual(self.ok("logs", name, process), "one\ntwo\n")

    def first_logs(self, name):
        done = machine.cloche("logs", name)
        return done if done.stdout and done.stderr else None


class Reads(Case):
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
        plan = json.loads(self.ok("container", "plan", "--name", "imagined", "-m", "48m", machine.rootfs))
        self.assertIn("imagined", json.dumps(plan))
        self.assertNotIn("imagined", self.handle_list())

    def test_images_are_listed_inspected_and_pruned(self):
        self.container()
        layout = self.path("image.tar")
        with tarfile.open(layout, "w") as tar:
            tar.add(machine.rootfs, arcname=".")
        pulled = machine.cloche("image", "pull", layout)
        self.assertEqual(pulled.returncode, 0, pulled.stderr)
        digest = pulled.stdout.strip()
        images = self.json("image", "list")["images"]
        self.assertIn(digest, [row["digest"] for row in images])
        self.assertRegex(self.ok("image", "ls"), "IMAGE +DIGEST +SIZE")
        self.assertEqual(self.json("image", "inspect", layout)["digest"], digest)
        self.assertEqual(self.ok("run", "--rm", layout, "echo", "from a tar"), "from a tar\n")
        self.ok("image", "remove", layout)
        self.assertEqual(machine.cloche("image", "inspect", layout).returncode, 3)
        self.assertIn("freed", self.ok("image", "prune"))

    def test_doctor_and_features(self):
        self.container()
        self.assertEqual(self.json("doctor"), {"orphans": []})
        self.assertEqual(self.ok("doctor"), "nothing is left over\n")
        self.assertIsInstance(self.json("features"), dict)
        self.assertRegex(self.ok("features"), "NAME +VALUE")


class Copy(Case):
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

    def test_tars_go_through_pipes(self):
        name = self.container()
        self.write("tree/file", "piped")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(self.path("tree"), arcname="tree")
        sent = machine.cloche("cp", "-", f"{name}:/tmp", stdin=packed.getvalue(), binary=True)
        self.assertEqual(sent.returncode, 0, sent.stderr)
        got = machine.cloche("cp", f"{name}:/tmp/tree", "-", stdin=b"", binary=True)
        with tarfile.open(fileobj=io.BytesIO(got.stdout)) as tar:
            self.assertEqual(tar.extractfile("tree/file").read(), b"piped")

    def test_files_belong_to_the_user_who_was_named(self):
        name = self.container()
        self.write("mine", "x")
        self.ok("cp", "-u", "alice", self.path("mine"), f"{name}:/tmp/mine")
        self.assertEqual(self.ok("exec", name, "stat", "-c", "%U", "/tmp/mine"), "alice\n")

    def test_what_is_missing_is_an_error(self):
        name = self.container()
        self.assertEqual(machine.cloche("cp", self.path("none"), f"{name}:/tmp").returncode, 3)
        self.assertNotEqual(machine.cloche("cp", f"{name}:/none", self.path("x")).returncode, 0)
        self.assertFalse(os.path.exists(self.path("x")))
        self.assertEqual(machine.cloche("cp", "/a", "/b").returncode, 2)

    def test_a_hostile_container_does_not_write_outside(self):
        name = self.container()
        self.write("victim", "untouched")
        self.ok("exec", name, "sh", "-c", f"mkdir -p /tmp/t && ln -s {self.scratch} /tmp/t/out")
        self.ok("cp", f"{name}:/tmp/t", self.path("got"))
        self.assertTrue(os.path.islink(self.path("got/out")))
        self.assertEqual(self.read("victim"), "untouched")


class Codes(Case):
    def test_an_unknown_handle_is_3(self):
        for words in (
            ("container", "inspect", "no-such"), ("container", "destroy", "no-such"),
            ("exec", "no-such", "true"), ("attach", "no-such"), ("logs", "no-such"),
            ("ps", "no-such"), ("stats", "no-such"), ("cp", "no-such:/a", "/tmp/x"),
        ):
            done = machine.cloche(*words)
            self.assertEqual(done.returncode, 3, f"{words}: {done.stderr}")
            self.assertIn("unknown handle: no-such", done.stderr)
            self.assertEqual(done.stdout, "")
        self.ok("container", "destroy", "--ignore-missing", "no-such")

    def test_an_unknown_process_is_3(self):
        name = self.container()
        self.assertEqual(machine.cloche("attach", name, "none").returncode, 3)
        self.assertEqual(machine.cloche("logs", name, "none").returncode, 3)

    def test_usage_is_2(self):
        for words in ((), ("frobnicate",), ("run",), ("run", "-m", "lots", "x"), ("exec", "h"),
                      ("container",), ("cp", "only-one"), ("stats", "--no-such-flag")):
            done = machine.cloche(*words)
            self.assertEqual(done.returncode, 2, f"{words}: {done.stderr}")
            self.assertLess(len(done.stderr.split("\n")), 5)  # not the whole help

    def test_no_daemon_is_4(self):
        nowhere = "unix://" + self.path("nobody.sock")
        for words in (("container", "list"), ("run", machine.rootfs, "true"), ("doctor",),
                      ("exec", "h", "true"), ("cp", "h:/a", "/tmp/x")):
            done = machine.cloche(*words, host=nowhere)
            self.assertEqual(done.returncode, 4, f"{words}: {done.stderr}")
            self.assertIn("hint:", done.stderr)

    def test_a_handle_in_use_is_1(self):
        name = self.container()
        done = machine.cloche("container", "create", "--name", name, machine.rootfs)
        self.assertEqual(done.returncode, 1)
        self.assertIn("already in use", done.stderr)


def skip(reason):
    print("SKIP:", reason)
    sys.exit(1 if os.environ.get("CLOCHE_NO_SKIP") else 77)


def main():
    global machine
    words = sys.argv[1:]
    if len(words) < 2 or words[0] != "--programs":
        sys.exit(__doc__)
    busybox = shutil.which("busybox")
    if os.geteuid() != 0:
        skip("root is needed")
    if busybox is None:
        skip("a static busybox is needed")
    machine = Machine(words[1], busybox)
    try:
        machine.start()
        result = unittest.main(argv=[sys.argv[0], *words[2:]], exit=False, verbosity=2).result
        left = machine.cloche("container", "list", "-a", "-q").stdout.split()
    finally:
        cleaned = machine.stop()
    if left or cleaned != 0:
        sys.exit(f"containers are left: {left}; cleanup ended with {cleaned}")
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
