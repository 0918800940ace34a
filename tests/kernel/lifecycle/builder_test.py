#!/usr/bin/env python3
"""The program builder against Debian's docker-registry: result files byte for byte, what it asks the registry for, how it fails.

builder_test.py PROGRAMS    exit 77: docker-registry, skopeo or htpasswd is missing
"""

import hashlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import unittest

MISSING = [name for name in ("docker-registry", "skopeo", "htpasswd") if shutil.which(name) is None]
if MISSING:
    print("SKIP: needs " + ", ".join(MISSING))
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "e2e" / "images"))
from harness import Registry  # noqa: E402  (the path is set above)
from imagekit import layers, layout  # noqa: E402

PROGRAM = os.path.join(sys.argv.pop(1), "builder")
INDEX = "application/vnd.oci.image.index.v1+json"

IMAGES = {
    "full": {"Entrypoint": ["/bin/app", "--greet=<you> & \"me\""], "Cmd": ["serve", "Größe\u2028"], "WorkingDir": "/srv/app",
             "User": "app:1000", "Env": ["A=1"], "ExposedPorts": {"9000": {}, "8080/tcp": {}, "53/udp": {}, "53/tcp": {}}},
    "cmd": {"Cmd": ["/bin/sh", "-c", "echo hi"]},
    "entrypoint": {"Entrypoint": ["/entry"], "Cmd": [], "WorkingDir": "", "ExposedPorts": {"5353/udp": {}}},
    "bare": {},
    "odd-port": {"ExposedPorts": {"eighty/tcp": {}}},
}


def build(*flags):
    done = subprocess.run([PROGRAM, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120)
    return done.returncode, done.stdout + done.stderr


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="builder-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.result = self.directory / "result" / "result.json"

    def stage(self, image, *flags, insecure=None):
        insecure = insecure if insecure is not None else image.partition("/")[0]
        return build(f"-dockerRef={image}", f"-outputMetadataJSONFilename={self.result}", f"-insecureDockerRegistries={insecure}",
                     *flags)


class WithRegistry(Case):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="builder-registry-")
        cls.layout = os.path.join(cls.home, "layout")
        made = layout.Layout(cls.layout)
        tar = layers.Layer().directory("bin").tar()
        cls.digests = {name: made.add(name, [tar], run) for name, run in IMAGES.items()}
        cls.registry = Registry(os.path.join(cls.home, "open"))
        cls.closed = Registry(os.path.join(cls.home, "closed"), "alice", "secret")
        for name in IMAGES:
            cls.registry.push(cls.layout, name)
        cls.closed.push(cls.layout, "full", "alice:secret")

    @classmethod
    def tearDownClass(cls):
        cls.registry.daemon.stop()
        cls.closed.daemon.stop()
        shutil.rmtree(cls.home)

    def image(self, name, mark=":1"):
        return f"{self.registry.address}/test/{name}{mark}"

    def assert_golden(self, name, address=None):
        expected = (HERE / "golden" / f"{name}.json").read_text(encoding="utf-8")
        self.assertEqual(self.result.read_text(encoding="utf-8"), expected.replace("REGISTRY", address or self.registry.address))

    def test_results_are_those_of_the_golden_files(self):
        for name in ("full", "cmd", "entrypoint", "bare"):
            self.assertEqual(self.stage(self.image(name)), (0, ""), name)
            self.assert_golden(name)
            whole = json.loads(self.result.read_text(encoding="utf-8"))
            metadata = json.loads(whole["execution_metadata"])
            self.assertEqual(metadata.get("entrypoint", []) + metadata.get("cmd", []),
                             IMAGES[name].get("Entrypoint", []) + IMAGES[name].get("Cmd", []))
        self.assertEqual(stat.S_IMODE(self.result.stat().st_mode), 0o644)
        self.assertEqual(os.listdir(self.result.parent), ["result.json"])

    def test_no_layer_is_fetched(self):
        before = len(self.registry.requests())
        self.assertEqual(self.stage(self.image("cmd")), (0, ""))
        paths = [path for _, path in self.registry.requests()[before:]]
        self.assertTrue(paths)
        layer = json.loads(pathlib.Path(self.registry.blob(self.digests["cmd"])).read_text(encoding="utf-8"))["layers"][0]
        self.assertFalse([path for path in paths if layer["digest"] in path])

    def test_an_image_by_its_digest(self):
        self.assertEqual(self.stage(self.image("bare", "@" + self.digests["bare"])), (0, ""))
        name = json.loads(self.result.read_text(encoding="utf-8"))["lifecycle_metadata"]["docker_image"]
        self.assertEqual(name, self.image("bare", "@" + self.digests["bare"]))

    def test_docker_manifests_and_indexes(self):
        subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--format=v2s2", "--dest-tls-verify=false",
                        f"oci:{self.layout}:cmd", f"docker://{self.registry.address}/test/cmd:docker"], check=True)
        self.assertEqual(self.stage(self.image("cmd", ":docker")), (0, ""))
        self.assertIn('"web":"/bin/sh -c echo hi"', self.result.read_text(encoding="utf-8"))
        here = pathlib.Path(self.registry.blob(self.digests["cmd"])).read_bytes()
        entry = {"mediaType": layout.MANIFEST_TYPE, "digest": self.digests["cmd"], "size": len(here)}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {**entry, "platform": {"os": "linux", "architecture": layout.architecture()}}]}
        connection = http.client.HTTPConnection(self.registry.address)
        connection.request("PUT", "/v2/test/cmd/manifests/index", json.dumps(index), {"Content-Type": INDEX})
        self.assertEqual(connection.getresponse().status, 201)
        connection.close()
        self.assertEqual(self.stage(self.image("cmd", ":index")), (0, ""))
        self.assertIn('"web":"/bin/sh -c echo hi"', self.result.read_text(encoding="utf-8"))

    def test_credentials(self):
        image = f"{self.closed.address}/test/full:1"
        self.assertEqual(self.stage(image, "-dockerUser=alice", "-dockerPassword=secret"), (0, ""))
        self.assert_golden("full", self.closed.address)
        self.result.unlink()
        for flags, why in (([], "asks for a user name and password"), (["-dockerUser=alice", "-dockerPassword=wrong"], "denies access")):
            code, text = self.stage(image, *flags)
            self.assertEqual(code, 2)
            self.assertRegex(text, f"^builder: staging failed: read image .*{why}")
            self.assertNotIn("wrong", text)
            self.assertFalse(self.result.exists())

    def test_what_is_not_there(self):
        for image in (self.image("nothing"), self.image("cmd", ":2")):
            code, text = self.stage(image)
            self.assertEqual(code, 2)
            self.assertIn("no such image", text)

    def test_plain_http_only_where_it_was_allowed(self):
        code, text = self.stage(self.image("cmd"), insecure="")
        self.assertEqual(code, 2, text)

    def test_a_port_that_is_none(self):
        code, text = self.stage(self.image("odd-port"))
        self.assertEqual(code, 2)
        self.assertIn("exposed port: 'eighty' is not a number", text)

    def test_a_result_that_cannot_be_written(self):
        self.result.parent.write_text("a file", encoding="utf-8")
        self.assertEqual(self.stage(self.image("cmd"))[0], 2)


class Stumbling(Case):
    """A registry that fails so many times before each answer."""

    def serve(self, failures):
        config = layout.image_config(["sha256:" + "0" * 64], {"Cmd": ["x"]}, ["c"])
        digest = "sha256:" + hashlib.sha256(config).hexdigest()
        manifest = layout.manifest_text(config, [("sha256:" + "1" * 64, 10, "application/vnd.oci.image.layer.v1.tar+gzip")])
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                fails = asked.count(self.path) <= failures
                body = b"{}" if fails else manifest if "/manifests/" in self.path else config
                self.send_response(503 if fails else 200)
                self.send_header("Content-Type", layout.MANIFEST_TYPE if "/manifests/" in self.path else "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return "127.0.0.1:%d" % server.server_address[1], asked, digest

    def test_each_request_is_tried_four_times(self):
        address, asked, digest = self.serve(3)
        self.assertEqual(self.stage(f"{address}/a/b:1"), (0, ""))
        self.assertEqual(asked, ["/v2/a/b/manifests/1"] * 4 + [f"/v2/a/b/blobs/{digest}"] * 4)

    def test_and_not_a_fifth_time(self):
        address, asked, _ = self.serve(4)
        code, text = self.stage(f"{address}/a/b:1")
        self.assertEqual((code, len(asked)), (2, 4))
        self.assertIn("status 503", text)


class CommandLine(Case):
    def test_bad_flags_are_1(self):
        for flags in ([], ["-dockerRef="], ["-dockerRef=UPPER"], ["-dockerRef=docker://a/b"], ["-dockerRef=a", "-other=1"],
                      ["-dockerRef=a", "-insecureDockerRegistries=http://a:1"], ["-dockerRef=a", "-insecureDockerRegistries=a"],
                      ["-dockerRef=a", "-insecureDockerRegistries=a:1,b"], ["-dockerRef=a", "-insecureDockerRegistries=[::1]"],
                      ["-dockerRef=a", "-dockerUser=alice"], ["-dockerRef=a", "-outputMetadataJSONFilename=here.json"], ["a"]):
            code, text = build(*flags)
            self.assertEqual(code, 1, flags)
            self.assertTrue(text.startswith("builder: ") and "usage: builder" in text, text)
        self.assertEqual(build("-help")[0], 0)


if __name__ == "__main__":
    unittest.main()
