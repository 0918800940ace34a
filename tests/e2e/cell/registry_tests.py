"""Images from a registry that asks for a password (Debian's docker-registry), by the login of the recipe."""

import glob
import os
import shutil
import stat
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../images"))

import case  # noqa: E402
from case import Case, name  # noqa: E402
from cell import Cell, Stream, sh  # noqa: E402
from harness import Registry  # noqa: E402
from imagekit.images import RUN_BUSYBOX, busybox_layer  # noqa: E402
from imagekit.layout import Layout  # noqa: E402

MISSING = [program for program in ("docker-registry", "htpasswd", "skopeo") if not shutil.which(program)]
PASSWORD = "rose:thorn-7d1f"  # not a word of any other text
WRONG = "a-wrong-one-9c2e"


@unittest.skipIf(MISSING and not os.environ.get("CLOCHE_NO_SKIP"), f"needs {MISSING}")
class PrivateImages(Case):
    @classmethod
    def setUpClass(cls):
        cls.cell = Cell(case.cell.programs, shutil.which("busybox"), tag="c1", pool="10.215.16.0/20")
        cls.addClassCleanup(cls.cell.stop)
        cls.registry = Registry(os.path.join(cls.cell.home, "registry"), "keeper", PASSWORD)
        cls.addClassCleanup(cls.registry.daemon.stop)
        images = os.path.join(cls.cell.home, "images")
        Layout(images).add("locked", [busybox_layer().tar()], RUN_BUSYBOX)
        cls.registry.push(images, "locked", f"keeper:{PASSWORD}")
        cls.cell.garden_words = ["--insecure-docker-registry", cls.registry.address, "--log-level", "debug"]
        cls.cell.words = ["--garden-check=false", "--rep-listen", "tcp://127.0.0.1:0", "--log-level", "debug"]
        cls.cell.start()

    def setUp(self):
        """The cell is the class's."""

    def tearDown(self):
        for guid in self.cell.list():
            self.assertEqual(self.cell.delete(guid).status, 200)
        self.assertEqual(self.cell.handles(), set())

    def start(self, script="cat /etc/passwd; exec sleep 1000", **login):
        guid = name()
        self.cell.run(guid, sh(script, "root"), rootfs=self.registry.uri("locked"), **login)
        return guid

    def words_of_the_world(self):
        """Everything that somebody else may read: logs, states, files that are not root's alone."""
        seen = {"log": self.cell.whole_log()}
        for file in glob.glob(os.path.join(self.cell.home, "**"), recursive=True, include_hidden=True):
            if os.path.isfile(file) and not file.startswith((self.registry.directory, self.cell.rootfs)):
                if self.readable_by_others(file):
                    with open(file, "rb") as data:
                        seen[file] = data.read(1 << 20).decode(errors="replace")
        return seen

    def readable_by_others(self, file):
        if not os.stat(file).st_mode & (stat.S_IROTH | stat.S_IRGRP):
            return False
        while (file := os.path.dirname(file)) != self.cell.home:
            if not os.stat(file).st_mode & (stat.S_IXOTH | stat.S_IXGRP):
                return False
        return True

    def assert_secret(self, password, *more):
        for where, text in [*self.words_of_the_world().items(), *enumerate(more)]:
            self.assertNotIn(password, text, where)

    def test_the_right_password_runs_the_image_and_is_told_to_nobody(self):
        events = Stream(self.cell.socket, "/events")
        try:
            guid = self.start(image_username="keeper", image_password=PASSWORD)
            self.cell.until(guid, "running")
            state = self.cell.call("GET", f"/containers/{guid}").body.decode()
            listed = self.cell.call("GET", "/containers").body.decode()
            garden = self.cell.garden_call("GET", f"/containers/{guid}/info").body.decode()
            self.assertIn("alice:x:1000", self.cell.text(guid))
            self.assertIn('"image_username":"keeper"', state)
            self.assert_secret(PASSWORD, state, listed, garden, repr(events.events), self.cell.text(guid))
        finally:
            events.close()
        # Nor to who opens the disk later: the login has done its work.
        with open(os.path.join(self.cell.state, "containers", guid, "record")) as record:
            self.assertNotIn(PASSWORD, record.read())

    def test_a_login_goes_with_the_allocation_of_2015_too(self):
        guid = name()
        recipe = self.cell.recipe(sh("exec sleep 1000", "root"), rootfs=self.registry.uri("locked"),
                                  image_username="keeper", image_password=PASSWORD)
        self.assertEqual(self.cell.allocate(guid, **recipe), {})
        self.assertNotIn(PASSWORD, self.cell.call("GET", f"/containers/{guid}").body.decode())
        self.assertEqual(self.cell.call("POST", f"/containers/{guid}/run", "").status, 201)
        self.cell.until(guid, "running")

    def test_a_wrong_password_fails_with_words_and_without_the_password(self):
        self.registry_image_is_cached()
        guid = self.start(image_username="keeper", image_password=WRONG)
        result = self.cell.result(guid)
        self.assertTrue(result["failed"] and result["Retryable"], result)
        self.assertTrue(result["failure_reason"].startswith("failed to create container"), result)
        for word in (self.registry.address, "denies access"):
            self.assertIn(word, result["failure_reason"])
        self.assert_secret(WRONG, result["failure_reason"], self.cell.text(guid))

    def test_without_a_login_it_says_that_one_is_needed(self):
        self.registry_image_is_cached()
        result = self.cell.result(self.start())
        self.assertTrue(result["failed"])
        self.assertIn("user name and password", result["failure_reason"])

    def registry_image_is_cached(self):
        """What one caller has pulled is not another's who cannot log in."""
        guid = self.start(image_username="keeper", image_password=PASSWORD)
        self.cell.until(guid, "running")
        self.assertEqual(self.cell.delete(guid).status, 200)

    def test_a_restart_in_the_middle_of_a_pull_still_knows_the_login(self):
        guid = name()
        self.cell.run(guid, sh("exec sleep 1000", "root"), rootfs=self.registry.uri("locked"),
                      image_username="keeper", image_password=PASSWORD)
        self.cell.kill("celld")
        self.cell.start_celld()
        self.cell.until(guid, "running")
        self.assert_secret(PASSWORD)
