"""Two gardends with one tag and a depot each: the containers of the one that is down are not the other's leftovers."""

import os
import shutil
import subprocess

import case
from case import Case, name
from cell import Cell


class Tags(Case):
    def other(self, words=()):
        return subprocess.run(
            [*self.first.gardend("server"), "--depot", self.depot, "--store", self.depot + "-store",
             "--bind-socket", self.depot + ".sock", *words],
            capture_output=True, text=True, timeout=60)

    def test_a_second_depot_is_refused_while_the_first_has_containers(self):
        self.first = Cell(case.cell.programs, shutil.which("busybox"), tag="c3", pool="10.215.48.0/20",
                          words=["--garden-check=false", "--rep-listen", "tcp://127.0.0.1:0"])
        self.depot = os.path.join(self.first.home, "second")
        guid = name()
        try:
            self.first.start()
            self.first.run(guid)
            self.first.until(guid, "running")
            self.first.end("celld")
            self.first.end("garden")
            refused = self.other()
            self.assertEqual(refused.returncode, 1, refused.stderr)
            for words in (os.path.join(self.first.home, "garden"), self.depot, f"/run/cloche/gardend-{self.first.tag}.owner", "--take-over"):
                self.assertIn(words, refused.stderr)
            cleanup = subprocess.run([*self.first.gardend("cleanup"), "--depot", self.depot, "--store", self.depot + "-store"],
                                     capture_output=True, text=True, timeout=60)
            self.assertEqual(cleanup.returncode, 1, cleanup.stderr)
            # It is as it was.
            self.first.start()
            self.assertEqual(self.first.until(guid, "running")["state"], "running")
            self.assertEqual(self.first.garden_call("GET", f"/containers/{guid}/info").json()["State"], "active")
        finally:
            self.first.stop()
        self.assertEqual(self.first.cleaned, 0)
        self.assertFalse(os.path.exists(f"/run/cloche/gardend-{self.first.tag}.owner"))
