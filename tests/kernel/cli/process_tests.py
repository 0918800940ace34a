"""Commands about processes: run with and without a pull, terminals, exec, attach, logs."""

import os
import signal
import subprocess
import time

import case
from machine import WAIT, wait_for


class Run(case.Case):
    def test_the_exit_code_and_both_outputs_are_the_process_s(self):
        done = case.machine.cloche(
            "run", "--rm", case.machine.rootfs, "sh", "-c", "echo to-out; echo to-err >&2; exit 7"
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, "to-out\n", "to-err\n"))
        self.assertEqual(self.handle_list(), [])

    def test_a_signal_is_128_and_its_number(self):
        done = case.machine.cloche("run", "--rm", case.machine.rootfs, "sh", "-c", "kill -KILL $$")
        self.assertEqual(done.returncode, 128 + signal.SIGKILL)

    def test_without_rm_the_container_stays(self):
        self.handles.append("stays")
        self.ok("run", "--name", "stays", case.machine.rootfs, "true")
        self.assertIn("stays", self.handle_list())

    def test_interactive_input_reaches_the_process_and_ends(self):
        self.assertEqual(
            self.ok("run", "--rm", "-i", case.machine.rootfs, "wc", "-c", stdin="x" * 300_000).strip(),
            "300000",
        )

    def test_without_interactive_the_process_reads_an_end(self):
        self.assertEqual(self.ok("run", "--rm", case.machine.rootfs, "cat", stdin="unread"), "")

    def test_much_output_arrives_whole(self):
        done = case.machine.cloche(
            "run", "--rm", case.machine.rootfs, "head", "-c", "8000000", "/dev/zero", binary=True,
            stdin=b"",
        )
        self.assertEqual((done.returncode, len(done.stdout)), (0, 8_000_000))

    def test_what_is_no_program_has_codes_of_its_own(self):
        self.assertEqual(case.machine.cloche("run", case.machine.rootfs, "no-such-program").returncode, 127)
        self.assertEqual(case.machine.cloche("run", case.machine.rootfs, "/bin/missing").returncode, 127)
        self.assertEqual(case.machine.cloche("run", case.machine.rootfs, "/etc/passwd").returncode, 126)
        self.assertEqual(case.machine.cloche("run", "-u", "nobody-here", case.machine.rootfs, "id").returncode, 125)
        self.assertEqual(self.handle_list(), [])  # nothing stays behind

    def test_flags_reach_the_container_and_the_process(self):
        os.mkdir(self.path("shared"), 0o755)
        with open(self.path("shared/file"), "w") as out:
            out.write("from the host")
        text = self.ok(
            "run", "--rm", "-e", "A=1 2", "-w", "/tmp/new", "-u", "alice", "--pids", "50",
            "-m", "64m", "-v", self.path("shared") + ":/mnt/shared", case.machine.rootfs,
            "sh", "-c", 'echo "$A"; pwd; id -un; cat /mnt/shared/file; echo x > /mnt/shared/no || echo read-only',
        )
        self.assertEqual(text.split("\n")[:3], ["1 2", "/tmp/new", "alice"])
        self.assertIn("from the host", text)
        self.assertIn("read-only", text)

    def test_detached_it_prints_the_handle_and_goes_on(self):
        self.handles.append("away")
        printed = self.ok("run", "-d", "--name", "away", case.machine.rootfs, "sleep", "1000")
        self.assertEqual(printed, "away\n")
        rows = self.json("ps", "away")["containers"][0]["processes"]
        self.assertEqual([(row["id"], row["exited"]) for row in rows], [("main", False)])

    def test_a_terminating_signal_goes_to_the_process(self):
        program = subprocess.Popen(
            case.machine.command(
                "run", "--rm", case.machine.rootfs, "sh", "-c",
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

    def test_a_slow_reader_of_endless_output_does_not_hold_signals_back(self):
        program = subprocess.Popen(
            case.machine.command("run", "--rm", case.machine.rootfs, "yes"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        pieces = 0
        while os.read(program.stdout.fileno(), 65536):
            pieces += 1
            if pieces == 20:
                program.send_signal(signal.SIGTERM)
            time.sleep(0.02)  # slower than `yes`: there is always more to read
        self.assertLess(pieces, 20 + 28)  # what was on its way, and not what came meanwhile
        program.stdout.close()
        self.assertEqual(program.wait(WAIT), 128 + signal.SIGTERM)

    def test_a_reader_that_leaves_ends_the_process(self):
        program = subprocess.Popen(
            case.machine.command("run", "--rm", case.machine.rootfs, "yes"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self.assertEqual(program.stdout.read(4), b"y\ny\n")
        program.stdout.close()
        self.assertEqual(program.wait(WAIT), 128 + signal.SIGTERM)


class Pull(case.Case):
    def tearDown(self):
        super().tearDown()
        case.machine.cloche("image", "prune")

    def test_run_pulls_what_is_not_there_and_says_how_far_it_is(self):
        image = f"{case.machine.registry.host}/team/box:1"
        first = case.machine.cloche("run", "--rm", image)
        self.assertEqual((first.returncode, first.stdout), (0, "the image's command\n"), first.stderr)
        self.assertRegex(first.stderr, "pull docker://.*: downloading [0-9a-f]{12} \\(")
        self.assertNotIn("\x1b", first.stderr)  # lines, as it is no terminal
        second = case.machine.cloche("run", "--rm", image, "sh", "-c", "echo $FROM")
        self.assertEqual((second.stdout, second.stderr), ("image\n", ""))  # it is there

    def test_on_a_terminal_bars_move(self):
        person = case.machine.terminal("image", "pull", f"docker://{case.machine.registry.host}/team/box")
        person.expect("[==")
        person.expect("\x1b[")  # redrawn in place
        self.assertEqual(person.wait(), 0)
        self.assertIn(case.machine.registry.digest, person.seen)

    def test_a_private_image_needs_its_user_each_time(self):
        image = f"{case.machine.registry.host}/private/box"
        self.assertEqual(case.machine.cloche("image", "pull", image).returncode, 1)
        self.ok("image", "pull", "--username", "alice", "--password-stdin", image, stdin="secret\n")
        self.assertNotEqual(case.machine.cloche("run", image).returncode, 0)
        with open(self.path("password"), "w") as out:
            out.write("secret\n")
        flags = ["--username", "alice", "--password-file", self.path("password")]
        self.assertEqual(self.ok("run", "--rm", *flags, image), "the image's command\n")
        self.assertEqual(self.handle_list(), [])

    def test_an_interrupted_pull_leaves_nothing(self):
        pull = subprocess.Popen(
            case.machine.command("image", "pull", f"{case.machine.registry.host}/team/box"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        while b"downloading" not in pull.stderr.readline():
            self.assertIsNone(pull.poll())
        pull.send_signal(signal.SIGINT)
        self.assertEqual(pull.wait(WAIT), -signal.SIGINT)
        pull.stderr.close()
        time.sleep(2)  # longer than the rest of the pull
        names = [row["reference"] for row in self.json("image", "list")["images"]]
        self.assertFalse([name for name in names if "team/box" in name])
        self.assertEqual(self.json("doctor"), {"orphans": []})

    def test_what_the_registry_does_not_have_is_3(self):
        done = case.machine.cloche("image", "pull", f"{case.machine.registry.host}/team/none")
        self.assertEqual(done.returncode, 3, done.stderr)


class Terminals(case.Case):
    def test_run_gives_a_terminal_of_our_size_that_follows(self):
        person = case.machine.terminal("run", "--rm", "-it", case.machine.rootfs, "sh", columns=91, rows=17)
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

    def test_a_terminal_without_one_here_ends_with_the_pipe(self):
        done = case.machine.cloche(
            "run", "--rm", "-it", case.machine.rootfs, "sh", stdin="echo $((6 * 7))\n"
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("42\r\n", done.stdout)

    def test_an_interrupt_key_reaches_the_process_and_not_us(self):
        person = case.machine.terminal("run", "--rm", "-it", case.machine.rootfs, "sh")
        person.expect("# ")
        person.type("sleep 1000\r")
        person.expect("sleep 1000")
        time.sleep(0.5)  # the shell starts it
        person.type("\x03")
        person.expect("# ")
        person.type("echo code $?\r")
        person.expect("code 130")
        person.expect("# ")  # the key is an end only while the shell reads
        person.type("\x04")
        person.wait()
        self.assertTrue(person.settings_kept)

    def test_the_detach_keys_leave_it_running_and_attach_finds_it(self):
        self.handles.append("left")
        person = case.machine.terminal("run", "-it", "--rm", "--name", "left", case.machine.rootfs, "sh")
        person.expect("# ")
        person.type("\x10\x11")
        self.assertEqual(person.wait(), 0)
        self.assertTrue(person.settings_kept)
        self.assertIn("left", self.handle_list())  # --rm or not
        again = case.machine.terminal("attach", "-t", "left", columns=70, rows=20)
        again.type("\r")
        again.expect("# ")
        again.type("stty size; exit 9\r")
        again.expect("20 70")
        self.assertEqual(again.wait(), 9)
        self.assertTrue(again.settings_kept)

    def test_the_terminal_is_restored_when_the_container_goes(self):
        self.handles.append("goes")
        person = case.machine.terminal("run", "-it", "--name", "goes", case.machine.rootfs, "sh")
        person.expect("# ")
        self.assertTrue(person.raw())
        self.ok("container", "destroy", "goes")
        self.assertNotEqual(person.wait(), 0)
        self.assertTrue(person.settings_kept)

    def test_the_terminal_is_restored_when_we_are_told_to_end(self):
        person = case.machine.terminal(
            "run", "--rm", "-it", case.machine.rootfs, "sh", "-c", "trap '' TERM; echo up; sleep 1000"
        )
        person.expect("up")
        person.program.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        person.program.send_signal(signal.SIGTERM)  # asked twice: it is killed
        self.assertEqual(person.wait(), 128 + signal.SIGKILL)
        self.assertTrue(person.settings_kept)

    def test_tables_have_colours_on_a_terminal_only(self):
        self.container()
        person = case.machine.terminal("container", "list")
        person.expect("\x1b[1m")
        self.assertEqual(person.wait(), 0)
        plain = case.machine.terminal("container", "list", "--no-color")
        plain.wait()
        self.assertNotIn("\x1b", plain.seen)
        self.assertNotIn("\x1b", self.ok("container", "list"))


class Exec(case.Case):
    def test_exec_runs_in_the_same_container(self):
        name = self.container()
        self.ok("exec", name, "sh", "-c", "echo kept > /tmp/kept")
        self.assertEqual(self.ok("exec", name, "cat", "/tmp/kept"), "kept\n")
        self.assertEqual(case.machine.cloche("exec", name, "sh", "-c", "exit 42").returncode, 42)
        self.assertEqual(self.ok("exec", "-i", name, "cat", stdin="through"), "through")
        self.assertEqual(
            self.ok("exec", "-e", "B=2", "-w", "/etc", "-u", "alice", name, "sh", "-c", "echo $B; pwd; id -u"),
            "2\n/etc\n1000\n",
        )

    def test_exec_with_a_terminal(self):
        name = self.container()
        person = case.machine.terminal("exec", "-it", name, "sh", columns=66, rows=33)
        person.expect("# ")
        person.type("stty size\r")
        person.expect("33 66")
        person.type("exit 4\r")
        self.assertEqual(person.wait(), 4)

    def test_exec_of_what_is_no_program(self):
        name = self.container()
        self.assertEqual(case.machine.cloche("exec", name, "no-such-program").returncode, 127)

    def test_attach_sees_what_comes_and_writes_to_it(self):
        name = self.container()
        first = subprocess.Popen(
            case.machine.command("exec", "-i", name, "sh", "-c", "echo up; read line; echo got $line; exit 6"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.assertEqual(first.stdout.readline(), b"up\n")
        second = case.machine.cloche("attach", name, stdin="hello\n")
        self.assertEqual((second.returncode, second.stdout), (6, "got hello\n"))
        self.assertEqual(first.communicate(timeout=WAIT)[0], b"got hello\n")
        self.assertEqual(first.returncode, 6)

    def test_a_detached_terminal_waits_for_somebody(self):
        self.handles.append("waits")
        self.ok("run", "-dit", "--name", "waits", case.machine.rootfs, "sh")
        person = case.machine.terminal("attach", "-t", "waits")
        person.type("\r")
        person.expect("# ")
        person.type("exit 8\r")
        self.assertEqual(person.wait(), 8)

    def test_a_watcher_that_is_interrupted_leaves_the_process_alone(self):
        name = self.container()
        self.ok("exec", "-d", name, "sh", "-c", "while :; do echo tick; sleep 0.1; done")
        watcher = subprocess.Popen(
            case.machine.command("attach", "--no-stdin", name), stdin=subprocess.DEVNULL,
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
            case.machine.command("logs", "-f", name, process), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        self.assertEqual(follower.stdout.readline(), b"one\n")
        self.ok("exec", name, "touch", "/tmp/go")
        self.assertEqual(follower.communicate(timeout=WAIT)[0], b"two\n")
        self.assertEqual(follower.returncode, 0)
        self.assertEqual(self.ok("logs", name, process), "one\ntwo\n")

    def first_logs(self, name):
        done = case.machine.cloche("logs", name)
        return done if done.stdout and done.stderr else None

    def test_a_daemon_that_goes_leaves_the_process_to_be_found_again(self):
        name = self.container()
        self.ok("exec", "-d", name, "sh", "-c", "while :; do echo tick; sleep 0.2; done")
        watcher = subprocess.Popen(
            case.machine.command("attach", "--no-stdin", name), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self.assertEqual(watcher.stdout.readline(), b"tick\n")
        case.machine.end_daemon()
        said = watcher.communicate(timeout=WAIT)[1].decode()
        self.assertEqual(watcher.returncode, 4, said)
        self.assertIn("hint:", said)
        case.machine.serve()
        again = subprocess.Popen(
            case.machine.command("attach", "--no-stdin", name), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        line = again.stdout.readline()
        again.terminate()
        said = again.communicate(timeout=WAIT)[1].decode()
        self.assertEqual(line, b"tick\n", f"{said}\n{case.machine.log_text()}")
