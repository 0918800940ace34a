"""The command line over a real cell: what people type, with the program that they type it to."""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

import case
from case import Case, name
from cell import WAIT, Cell, free_port, wait_for


def environment(cell):
    """The addresses of `cell`, and no daemon of this machine."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CLOCHE_")}
    return {**kept, "CLOCHE_HOST": "unix://" + cell.garden_socket, "CLOCHE_CELL": "unix://" + cell.socket,
            "CLOCHE_REP": getattr(cell, "rep", "tcp://127.0.0.1:1")}


def spawn(cell, *words, stdin=subprocess.DEVNULL):
    command = [os.path.join(cell.programs, "cloche"), *words]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(cell))


def cloche(cell, *words, stdin=None):
    """(exit code, standard output, standard error)"""
    program = spawn(cell, *words, stdin=subprocess.PIPE)
    try:
        out, err = program.communicate(stdin, timeout=WAIT)
    except subprocess.TimeoutExpired:
        program.kill()
        raise AssertionError(f"cloche {words} did not end: {program.communicate()}") from None
    return program.returncode, out, err


def shell(script, **fields):
    return {"run": {"path": "/bin/sh", "args": ["-c", script], "user": "vcap", **fields}}


class CommandLine(Case):
    def recipe(self, script, **fields):
        """A file with a run request."""
        return self.write({"rootfs": self.cell.rootfs, "run": shell(script), "memory_mb": 32, "disk_mb": 32, **fields})

    def task(self, script, **fields):
        """A file with a task of the receptor."""
        return self.write({"task_guid": name("task"), "domain": "tests", "rootfs": self.cell.rootfs, "memory_mb": 32,
                           "disk_mb": 32, "action": shell(script), **fields})

    def write(self, recipe):
        path = os.path.join(self.cell.home, name("recipe") + ".json")
        with open(path, "w") as out:
            json.dump(recipe, out)
        self.addCleanup(os.unlink, path)
        return path

    def cloche(self, *words, **how):
        return cloche(self.cell, *words, **how)

    def ok(self, *words, **how):
        code, out, err = self.cloche(*words, **how)
        self.assertEqual(code, 0, f"{words}: {err}\n{self.cell.log_text()}")
        return out

    def begin(self, *words):
        program = spawn(self.cell, *words)

        def end():
            if program.poll() is None:
                program.kill()
            program.communicate()

        self.addCleanup(end)
        return program

    # What is there.

    def test_containers_are_listed_with_what_became_of_them(self):
        good, bad = name("good"), name("bad")
        self.cell.run(good, ports=[{"container_port": 8080}])
        self.cell.run(bad, "exit 7")
        self.cell.until(good, "running")
        self.cell.until(bad, "completed")
        lines = {line.split()[0]: line for line in self.ok("cell", "containers").splitlines()}
        self.assertRegex(lines["GUID"], "GUID +STATE +KIND +MEMORY +DISK +AGE +ADDRESS +EXTERNAL +PORTS +REASON")
        self.assertRegex(lines[good], r"running +- +32 MiB +32 MiB +\d+ s +10\.2\d+\.\S+ +\S+ +\d+->8080")
        self.assertRegex(lines[bad], "completed.*Exited with status 7")
        listed = {one["guid"]: one for one in json.loads(self.ok("cell", "containers", "--json"))}
        self.assertEqual(listed[bad]["run_result"]["failed"], True)
        self.assertEqual(set(listed), {good, bad})

    def test_a_cell_that_is_not_there_is_named_with_the_flag(self):
        nowhere = "unix://" + os.path.join(self.cell.home, "none.sock")
        code, _, err = self.cloche("cell", "containers", "--cell", nowhere)
        self.assertEqual(code, 4)
        self.assertIn(f"is celld running? it was looked for at {nowhere}; --cell or CLOCHE_CELL", err)
        code, _, err = self.cloche("cell", "state", "--rep", "tcp://127.0.0.1:1")
        self.assertEqual(code, 4)
        self.assertIn("--rep or CLOCHE_REP", err)

    # Tasks.

    def test_a_task_runs_and_its_output_is_ours_by_kind(self):
        code, out, err = self.cloche("task", "run", "--local", self.recipe("echo hello; echo trouble >&2; cat /etc/hostname"))
        self.assertEqual(code, 0, err)
        self.assertEqual(out.splitlines()[0], "hello")
        self.assertIn("trouble\n", err)
        self.assertNotIn("trouble", out)
        self.assertIn("Cell cell-1 creating container", err)
        self.assertNotIn("Cell cell-1", out)
        self.assertEqual(self.cell.list(), {})

    def test_all_of_the_output_arrives_before_the_end(self):
        # More than a follower's queue would hold if we did not read, less than is thrown away.
        out = self.ok("task", "run", "--local", "-q", self.recipe("i=0; while [ $i -lt 3000 ]; do echo line-$i; i=$((i+1)); done"))
        lines = [line for line in out.splitlines() if line.startswith("line-")]
        self.assertEqual(lines, [f"line-{i}" for i in range(3000)])

    def test_a_task_that_fails_says_why(self):
        code, out, err = self.cloche("task", "run", "--local", "--quiet", "--guid", "my-task", self.recipe("echo so far; exit 3"))
        self.assertEqual(code, 1)
        self.assertIn("so far\n", out)
        self.assertNotIn("Cell cell-1", err)
        self.assertIn("cloche: task my-task failed: ", err)
        self.assertIn("Exited with status 3", err)
        self.assertEqual(self.cell.list(), {})

    def test_the_result_file_comes_last_or_into_a_file(self):
        task = self.task("echo working; echo -n the-result > /tmp/result", result_file="/tmp/result")
        out = self.ok("task", "run", "--local", task)
        self.assertTrue(out.startswith("working\n"))
        self.assertTrue(out.endswith("the-result"))
        into = os.path.join(self.cell.home, name("result"))
        self.addCleanup(os.unlink, into)
        out = self.ok("task", "run", "--local", "--result", into, task)
        self.assertNotIn("the-result", out)
        with open(into) as text:
            self.assertEqual(text.read(), "the-result")

    def test_the_end_is_one_object_with_json(self):
        task = self.task("echo working; echo -n 42 > /tmp/result", result_file="/tmp/result")
        code, out, err = self.cloche("task", "run", "--local", "--json", task)
        self.assertEqual(code, 0, err)
        end = json.loads(out)
        self.assertEqual((end["failed"], end["stopped"], end["failure_reason"], end["result"]), (False, False, "", "42"))
        self.assertIn("working\n", err)
        code, out, _ = self.cloche("task", "run", "--local", "--json", self.recipe("exit 9"))
        self.assertEqual(code, 1)
        self.assertIn("status 9", json.loads(out)["failure_reason"])

    def test_a_result_that_is_not_there_is_an_error_and_nothing_is_left(self):
        code, _, err = self.cloche("task", "run", "--local", self.task("true", result_file="/tmp/none"))
        self.assertEqual(code, 1)
        self.assertIn("result file /tmp/none", err)
        code, _, err = self.cloche("task", "run", "--local", self.task("mkdir /tmp/d", result_file="/tmp/d"))
        self.assertEqual(code, 1)
        self.assertIn("result file /tmp/d: it is not a regular file", err)
        self.assertEqual(self.cell.list(), {})

    def test_a_recipe_comes_from_standard_input_with_its_variables(self):
        recipe = {"rootfs": self.cell.rootfs, "run": shell("echo $COLOUR"), "env": [{"name": "COLOUR", "value": "blue"}]}
        self.assertEqual(self.ok("task", "run", "--local", "-", stdin=json.dumps(recipe)).splitlines()[0], "blue")

    def test_what_is_wrong_in_a_recipe_is_named_and_nothing_is_reserved(self):
        for recipe, words in (({"rootfs": "/r"}, "run: an action is required"),
                              ({"run": {"run": {"path": ""}}}, "run.run.path: must not be empty"),
                              ({"run": shell("true"), "memory_mbb": 3}, "memory_mbb: unknown in a run request"),
                              ({"run": shell("true"), "memory_mb": "3"}, "memory_mb: expected"),
                              ({"action": {"run": {"path": "true"}}, "rootfs": "/r"}, "action.run.user"),
                              ({"run": shell("true"), "egress_rules": [{"protocol": "x"}]}, "egress_rules[0].protocol: 'x'")):
            code, _, err = self.cloche("task", "run", "--local", self.write(recipe))
            self.assertEqual(code, 2, (recipe, err))
            self.assertIn(words, err)
        self.assertEqual(self.cloche("task", "run", "--local", "-", stdin="{[")[0], 2)
        self.assertEqual(self.cloche("task", "run", "--local", os.path.join(self.cell.home, "no-file"))[0], 3)
        code, _, err = self.cloche("task", "run", "--local", self.recipe("true", memory_mb=1 << 30))
        self.assertEqual(code, 1)
        self.assertIn("insufficient resources available: memory_mb", err)
        self.assertEqual(self.cell.list(), {})

    def test_a_root_filesystem_that_is_not_there_fails_the_task(self):
        code, _, err = self.cloche("task", "run", "--local", self.write({"rootfs": "/no/such/rootfs", "run": shell("true")}))
        self.assertEqual(code, 1)
        self.assertIn("failed: ", err)
        self.assertEqual(self.cell.list(), {})

    def test_interrupted_once_a_task_ends_gracefully(self):
        program = self.begin("task", "run", "--local", "--guid", "asked", self.recipe(
            "trap 'echo goodbye; exit 0' TERM; echo ready; while true; do sleep 0.1; done"))
        self.assertEqual(program.stdout.readline(), "ready\n")  # live: the task goes on
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=WAIT)
        self.assertEqual(program.returncode, 1, err)
        self.assertIn("goodbye\n", out)
        self.assertIn("cloche: task asked was stopped", err)
        self.assertEqual(self.cell.list(), {})

    def test_interrupted_twice_a_task_is_deleted(self):
        program = self.begin("task", "run", "--local", "--keep", "--guid", "deaf", self.recipe(
            "trap '' TERM; echo ready; while true; do sleep 0.1; done", graceful_shutdown_interval_ms=3000))
        self.assertEqual(program.stdout.readline(), "ready\n")
        program.send_signal(signal.SIGINT)
        wait_for("the first signal to count", lambda: "stopping" in program.stderr.readline())
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=WAIT)
        self.assertEqual(program.returncode, 1)
        self.assertIn("task deaf: deleted before it had ended", err)
        self.assertEqual(self.cell.list(), {})

    def test_a_kept_container_can_be_looked_at(self):
        guid = name("kept")
        code, _, err = self.cloche("task", "run", "--local", "--keep", "--guid", guid, self.recipe("echo once; exit 1"))
        self.assertEqual(code, 1)
        self.assertIn(f"kept: {guid}\n", err)
        self.assertEqual(self.cell.get(guid)["state"], "completed")
        self.assertRegex(self.ok("cell", "logs", guid), r"\d{4}-\d\d-\d\dT\S+ TASK out once\n")
        code, _, err = self.cloche("task", "run", "--local", "--guid", guid, self.recipe("true"))
        self.assertEqual(code, 1)
        self.assertIn("container guid not available", err)
        self.assertEqual(set(self.cell.list()), {guid})  # what was there is not ours to delete

    def test_what_was_listed_runs_again_under_another_guid(self):
        guid = name("old")
        self.cell.run(guid, "echo again")
        self.cell.until(guid, "completed")
        listed = json.loads(self.ok("cell", "containers", "--json"))[0]
        listed["Tags"] = {"lifecycle": "task", "result-file": "/etc/passwd"}
        out = self.ok("task", "run", "--local", "--guid", name("new"), "-", stdin=json.dumps(listed))
        self.assertTrue(out.startswith("again\n"))
        self.assertIn("vcap:x:1000", out)

    def test_a_cell_that_is_killed_ends_the_command_and_its_container_goes_on(self):
        program = self.begin("task", "run", "--local", "--guid", "orphan", self.recipe("echo ready; exec sleep 1000"))
        self.assertEqual(program.stdout.readline(), "ready\n")
        self.cell.kill("celld")
        _, err = program.communicate(timeout=WAIT)
        self.assertEqual(program.returncode, 4, err)
        self.assertIn("its container is left; look with: cloche cell logs orphan", err)
        self.cell.start_celld()
        self.assertEqual(self.cell.until("orphan", "running")["guid"], "orphan")

    # Logs.

    def test_logs_are_followed_live_until_the_container_goes(self):
        guid = name("log")
        self.cell.run(guid, "echo first; read x < /tmp/gate; echo second >&2; exec sleep 1000", user="root",
                      setup=shell("mkfifo /tmp/gate"))
        wait_for("the first line", lambda: ("LOG", "first") in self.cell.lines(guid))
        program = self.begin("cell", "logs", "-f", "-n", "1", guid)
        self.assertTrue(program.stdout.readline().endswith(" LOG out first\n"))
        self.ok("exec", guid, "sh", "-c", "echo go > /tmp/gate")
        self.assertTrue(program.stdout.readline().endswith(" LOG err second\n"))
        self.assertEqual(self.cell.delete(guid).status, 200)
        program.communicate(timeout=WAIT)
        self.assertEqual(program.returncode, 0)

    def test_a_reader_that_is_too_slow_is_told_what_it_lost(self):
        guid = name("fast")
        self.cell.run(guid, f"read x < /tmp/gate; i=0; while [ $i -lt 40000 ]; do echo {'x' * 100}; i=$((i+1)); done",
                      user="root", setup=shell("mkfifo /tmp/gate"))
        self.cell.until(guid, "running")
        program = self.begin("cell", "logs", "-f", guid)
        program.stdout.readline()  # it follows, and then nobody reads
        self.ok("exec", guid, "sh", "-c", "echo go > /tmp/gate")
        self.cell.until(guid, "completed")
        self.assertEqual(self.cell.delete(guid).status, 200)
        out, err = program.communicate(timeout=WAIT)
        self.assertEqual(program.returncode, 0, err)
        lost = sum(int(number) for number in re.findall(r"cloche: (\d+) lines? \w+ lost here", err))
        self.assertGreater(lost, 0)
        self.assertEqual(out.count("x" * 100) + lost, 40000)

    def test_logs_asks_the_cell_first_and_gardend_for_the_rest(self):
        guid, other = name("log"), name("garden")
        self.cell.run(guid, "echo one; echo two; echo three")
        self.cell.until(guid, "completed")
        lines = [json.loads(line) for line in self.ok("logs", "--json", guid).splitlines()]
        self.assertEqual([one["text"] for one in lines if one["text"] in ("one", "two", "three")], ["one", "two", "three"])
        self.assertEqual(len(self.ok("logs", "-n", "2", guid).splitlines()), 2)
        self.ok("run", "--name", other, self.cell.rootfs, "sh", "-c", "echo a; echo b; echo c")
        self.addCleanup(self.cloche, "container", "destroy", other)
        self.assertEqual(self.ok("logs", other), "a\nb\nc\n")
        self.assertEqual(self.ok("logs", "-n", "2", other), "b\nc\n")
        self.assertEqual(self.ok("logs", "-n", "0", other), "")
        self.assertEqual(self.ok("logs", "-n", "9", other), "a\nb\nc\n")
        nowhere = "unix://" + os.path.join(self.cell.home, "none.sock")
        self.assertEqual(self.ok("logs", "--cell", nowhere, other), "a\nb\nc\n")
        self.assertEqual(self.cloche("cell", "logs", other)[0], 3)
        self.assertEqual(self.cloche("logs", "nobody")[0], 3)


class Evacuation(unittest.TestCase):
    """A cell of its own: it ends."""

    def setUp(self):
        self.cell = Cell(case.cell.programs, shutil.which("busybox"), tag="cv", pool="10.213.16.0/20")
        self.addCleanup(self.stop)
        self.cell.rep = f"tcp://127.0.0.1:{free_port()}"
        self.cell.words = ["--rep-listen", self.cell.rep, "--zone", "z7", "--evacuation-timeout", "20s"]
        self.cell.start()

    def stop(self):
        self.cell.stop()
        self.assertEqual(self.cell.cleaned, 0)

    def test_the_state_is_told_and_the_cell_is_emptied(self):
        code, out, err = cloche(self.cell, "cell", "state")
        self.assertEqual(code, 0, err)
        for words in ("cell +cell-1", "zone +z7", "evacuating +no", "memory +4.0 GiB free of 4.0 GiB", "work +0 LRPs, 0 tasks"):
            self.assertRegex(out, f"(?m)^{words}$")
        state = json.loads(cloche(self.cell, "cell", "state", "--json")[1])
        self.assertEqual((state["cell_id"], state["Zone"], state["Evacuating"]), ("cell-1", "z7", False))
        code, out, err = cloche(self.cell, "cell", "evacuate", "--wait")
        self.assertEqual((code, out), (0, ""), err)
        self.assertIn("the cell is evacuating\n", err)
        self.assertRegex(err, "the cell (is empty|has ended)\n")
        self.cell.celld.wait(WAIT)
        self.assertEqual(cloche(self.cell, "cell", "evacuate", "--wait")[0], 4)
