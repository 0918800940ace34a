"""Root filesystems of stacks: one more layer on them (preloaded+layer), and stacks that lie in a directory as tar files."""

import hashlib
import http.client
import http.server
import json
import os
import shutil
import tarfile
import threading
import urllib.parse

import case
from case import Case, name
from cell import Cell, free_port, sh
from transfer_tests import tar_of


class Origin:
    """Serves one layer at every path but /missing, and counts."""

    def __init__(self, data):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(404 if self.path.startswith("/missing") else 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class LayersOnTop(Case):
    def setUp(self):
        super().setUp()
        self.layer = tar_of({"app/start": "#!/bin/sh\necho the app runs as $(id -un)\n", "app/data": name()})
        self.origin = Origin(self.layer)
        self.addCleanup(self.origin.stop)
        # A base of its own: it stands for the stack of the cell.
        self.base = os.path.join(self.cell.home, name("stack"))
        shutil.copytree(self.cell.rootfs, self.base, symlinks=True)
        self.addCleanup(shutil.rmtree, self.base, True)
        os.chown(os.path.join(self.base, "home/vcap"), 1000, 1000)
        os.chmod(os.path.join(self.base, "home/vcap"), 0o750)
        os.symlink("/home/vcap", os.path.join(self.base, "link"))
        with open(os.path.join(self.base, "home/vcap/of-the-base"), "w") as out:
            out.write("below\n")

    def url(self, path="/layer?signature=very-secret", where="/home/vcap", digest=None, base=None):
        fields = {"layer": self.origin.url + path, "layer_path": where,
                  "layer_digest": digest or hashlib.sha256(self.layer).hexdigest()}
        return f"preloaded+layer:{base or self.base}?{urllib.parse.urlencode(fields, quote_via=urllib.parse.quote, safe='')}"

    def outcome(self, rootfs, script="true", user="vcap"):
        guid = name()
        self.cell.run(guid, sh(script, user), rootfs=rootfs)
        return guid, self.cell.result(guid)

    def test_a_layer_lies_on_its_stack_at_its_path(self):
        guid, result = self.outcome(
            self.url(), "/home/vcap/app/start; cat /home/vcap/of-the-base; stat -c '%U %a' /home/vcap; touch /home/vcap/new && echo written")
        self.assertFalse(result["failed"], (result, self.cell.text(guid)))
        text = self.cell.text(guid)
        for words in ("the app runs as vcap", "below", "vcap 750", "written"):
            self.assertIn(words, text)
        # Again, also from elsewhere: the content is here.
        _, again = self.outcome(self.url("/other"), "cat /home/vcap/app/data")
        self.assertFalse(again["failed"], again)
        self.assertEqual(len(self.origin.asked), 1)

    def test_it_may_make_its_directories_and_lie_on_a_tar_file(self):
        stack = os.path.join(self.cell.home, name("stack") + ".tar")
        with tarfile.open(stack, "w") as tar:
            tar.add(self.base, arcname=".")
        self.addCleanup(os.unlink, stack)
        guid, result = self.outcome(self.url(where="/opt/a/b", base=stack), "sh /opt/a/b/app/start; stat -c '%U %a' /opt/a/b")
        self.assertFalse(result["failed"], (result, self.cell.text(guid)))
        self.assertIn("root 755", self.cell.text(guid))
        guid, result = self.outcome(self.url(where="/", base=stack), "sh /app/start; cat /home/vcap/of-the-base")
        self.assertFalse(result["failed"], (result, self.cell.text(guid)))

    def test_what_is_wrong_with_it_is_said_and_its_signature_is_not(self):
        for rootfs, words in (
                (self.url(digest="0" * 64), "its digest is"),
                (self.url("/missing?signature=very-secret"), "status 404"),
                (self.url(where="/link"), "is no directory in the image"),
                (self.url(where="/etc/passwd"), "is no directory in the image"),
                (self.url(where="relative"), "is not absolute"),
                (self.url(where="/a/../../b"), "leaves the root file system"),
                (self.url(digest="none"), "layer_digest"),
                (self.url().replace("http%3A", "file%3A"), "no http address"),
                (self.url() + "&layer_path=%2Fx", "given twice")):
            guid, result = self.outcome(rootfs)
            self.assertTrue(result["failed"] and result["Retryable"], rootfs)
            self.assertIn(words, result["failure_reason"])
            self.assertNotIn("very-secret", result["failure_reason"] + self.cell.text(guid), rootfs)
        self.assertNotIn("very-secret", self.cell.whole_log())


class ExtraStacks(Case):
    def test_tar_files_of_a_directory_are_stacks_of_the_cell(self):
        port = free_port()
        other = Cell(case.cell.programs, shutil.which("busybox"), tag="c5", pool="10.215.80.0/20")
        extra = os.path.join(other.home, "extra")
        os.makedirs(extra)
        path = os.path.join(extra, "small-1.tar")
        with tarfile.open(path, "w") as tar:
            tar.add(other.rootfs, arcname=".")
        other.words = ["--garden-check=false", "--rep-listen", f"tcp://127.0.0.1:{port}", "--extra-rootfs-directory", extra,
                       "--preloaded-rootfs", f"plain={other.rootfs}"]

        def rep(method, target, body=None):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                connection.request(method, target, json.dumps(body) if body else None)
                return json.loads(connection.getresponse().read())
            finally:
                connection.close()

        try:
            other.start()
            providers = rep("GET", "/state")["RootFSProviders"]
            for scheme in ("preloaded", "preloaded+layer"):
                self.assertEqual(providers[scheme], {"type": "fixed_set", "set": {"plain": {}, "small-1": {}}})
            task = {"Domain": "d", "PlacementTags": [], "VolumeDrivers": [], "MemoryMB": 16, "DiskMB": 16, "MaxPids": 0}
            answer = rep("POST", "/work", {"LRPs": [], "cell_id": "cell-1", "Tasks": [
                {**task, "TaskGuid": name(), "RootFs": "preloaded:small-1"}, {**task, "TaskGuid": "stranger", "RootFs": "preloaded:other"}]})
            self.assertEqual([one["TaskGuid"] for one in answer["Tasks"]], ["stranger"])
            guid = name()
            other.run(guid, "cat /etc/passwd", rootfs=path)
            self.assertFalse(other.result(guid)["failed"], other.log_text())
            self.assertIn("vcap:x:1000", other.text(guid))
            self.assertEqual(other.delete(guid).status, 200)
        finally:
            other.stop()
        self.assertEqual(other.cleaned, 0)
