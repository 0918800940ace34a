"""What the tests share: the machine, containers that go with the test, and commands that must work."""

import json
import os
import shutil
import tempfile
import unittest

machine = None  # set by cli_test.py before the first test: unittest makes the objects itself


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
