"""A registry that says what a test wants, right or wrong, behind a token if wanted. Used by images_test.py.

docker-registry refuses to keep a malformed manifest; what a bad one on the network may send comes from here.
"""

import base64
import http.server
import threading

from imagekit.layers import sha256
from imagekit.layout import MANIFEST_TYPE


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that has heard enough hangs up; that is what we want of it."""


class Hostile:
    def __init__(self):
        self.manifests, self.blobs, self.requests = {}, {}, []
        self.manifests_by_digest = {}
        self.locked = {}  # name: "user:password", asked for by a bearer token
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                proof = self.headers.get("Authorization", "")
                outer.requests.append((self.command, self.path, proof))
                status, kind, body, headers = outer.answer(self.path, proof)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, path, proof):
        parts = path.split("/")  # "", "v2", "test", NAME, "manifests" or "blobs", REFERENCE
        if path.startswith("/token?"):
            for name, user in self.locked.items():
                if proof == "Basic " + base64.b64encode(user.encode()).decode() and "test%2F" + name in path:
                    return 200, "application/json", b'{"token": "opens-%s", "expires_in": 300}' % name.encode(), {}
            return 401, "application/json", b"{}", {}
        if len(parts) == 6 and parts[3] in self.locked and proof != "Bearer opens-" + parts[3]:
            return 401, "application/json", b"{}", {"WWW-Authenticate": (
                'Bearer realm="http://%s/token",service="%s",scope="repository:test/%s:pull"'
                % (self.address, self.address, parts[3]))}
        if path == "/v2/":
            return 200, "application/json", b"{}", {}
        if len(parts) == 6 and parts[4] == "manifests" and parts[3] in self.manifests and parts[5] == "1":
            kind, body = self.manifests[parts[3]]
            return 200, kind, body, {"Docker-Content-Digest": sha256(body)}
        if len(parts) == 6 and parts[4] == "manifests" and parts[5] in self.manifests_by_digest:
            body = self.manifests_by_digest[parts[5]]
            return 200, MANIFEST_TYPE, body, {"Docker-Content-Digest": parts[5]}
        if len(parts) == 6 and parts[4] == "blobs" and parts[5] in self.blobs:
            return 200, "application/octet-stream", self.blobs[parts[5]], {}
        return 404, "application/json", b'{"errors":[{"code":"NAME_UNKNOWN","message":"unknown"}]}', {}

    def manifest(self, name, body, kind=MANIFEST_TYPE):
        self.manifests[name] = (kind, body)

    def blob(self, data, digest=None):
        digest = digest or sha256(data)
        self.blobs[digest] = data
        return digest

    def uri(self, name):
        return "docker://%s/test/%s#1" % (self.address, name)

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
