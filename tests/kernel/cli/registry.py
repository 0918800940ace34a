"""A registry of one image over plain HTTP on loopback, as slow as the test wants. Used by cli_test.py."""

import base64
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import time

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """Serves `team/box` with the tags `1` and `latest`; one layer of the given directory.

    `private/box` is the same for alice with the password `secret`.
    """

    def __init__(self, rootfs, config, pause=0.0):
        self.pause = pause  # seconds between the pieces of a blob
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as out:
            out.add(rootfs, arcname=".")
        layer = gzip.compress(tar.getvalue(), 1)
        image = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [digest_of(tar.getvalue())]},
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": digest_of(image), "size": len(image)},
                "layers": [{"mediaType": LAYER, "digest": digest_of(layer), "size": len(layer)}],
            }
        ).encode()
        self.layer_bytes = len(layer)
        self.digest = digest_of(manifest)
        blobs = {digest_of(image): image, digest_of(layer): layer}
        self.answers = {f"/v2/team/box/blobs/{name}": ("application/octet-stream", data) for name, data in blobs.items()}
        for name in ("1", "latest", self.digest):
            self.answers[f"/v2/team/box/manifests/{name}"] = (MANIFEST, manifest)
        # The same, for those who say who they are.
        self.login = "Basic " + base64.b64encode(b"alice:secret").decode()
        for path, answer in list(self.answers.items()):
            self.answers[path.replace("/team/", "/private/")] = answer
        self.answers["/v2/"] = ("application/json", b"{}")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def host(self):
        return "127.0.0.1:%d" % self.server.server_address[1]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def _handler(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if "/private/" in self.path and self.headers["Authorization"] != registry.login:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="private"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                kind, data = registry.answers.get(self.path.partition("?")[0], (None, b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Docker-Content-Digest", digest_of(data))
                self.end_headers()
                if self.command == "HEAD":
                    return
                piece = max(1, len(data) // 10)
                for at in range(0, len(data), piece):
                    try:
                        self.wfile.write(data[at : at + piece])
                    except OSError:
                        return  # the client has had enough
                    if "/blobs/" in self.path:
                        time.sleep(registry.pause)

            do_HEAD = do_GET

            def log_message(self, *words):
                pass

        return Handler
