"""Downloads, uploads and cached dependencies against a real file server, with everything that can be wrong."""

import base64
import hashlib
import http.server
import io
import os
import tarfile
import threading
import zipfile

from case import Case, name
from cell import sh, wait_for


def tar_of(files, compress=True):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if compress else "w") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            entry.mode = 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def zip_of(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return out.getvalue()


class Receiver:
    """Takes uploads on loopback and keeps them with their headers."""

    def __init__(self):
        received = self.received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                data = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((self.path, dict(self.headers), data))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Transfers(Case):
    def test_an_upload_arrives_whole_and_signed(self):
        receiver = Receiver()
        try:
            guid, result = self.outcome(
                sh("seq 1 200000 > /tmp/out"),
                {"upload": {"from": "/tmp/out", "to": f"{receiver.url}/drop?token=x", "user": "vcap", "artifact": "result"}},
                allocation={"disk_mb": 64})
            self.assertFalse(result["failed"], (result, self.cell.text(guid)))
        finally:
            receiver.stop()
        path, headers, data = receiver.received[0]
        self.assertEqual((path, len(receiver.received)), ("/drop?token=x", 1))
        self.assertEqual(data, "".join(f"{i}\n" for i in range(1, 200001)).encode())
        self.assertEqual(headers["Content-MD5"], base64.b64encode(hashlib.md5(data).digest()).decode())
        self.assertEqual(headers["Content-Digest"],
                         "sha-256=:" + base64.b64encode(hashlib.sha256(data).digest()).decode() + ":")
        self.assertIn("Uploaded result (", self.cell.text(guid))

    def test_a_download_over_tls_needs_a_known_authority(self):
        self.publish("tls.tgz", tar_of({"x": "over tls"}))
        guid, result = self.outcome(self.download(self.cell.tls_url + "/tls.tgz"), sh("cat /tmp/x"))
        self.assertFalse(result["failed"], (result, self.cell.log_text()))
        self.assertIn("over tls", self.cell.text(guid))
        _, result = self.outcome(self.download(self.cell.strange_url + "/tls.tgz"))
        self.assertTrue(result["failed"])

    def publish(self, file, data):
        with open(os.path.join(self.cell.files, file), "wb") as out:
            out.write(data)
        return f"{self.cell.url}/{file}"

    def download(self, url, **fields):
        return {"download": {"from": url, "to": "/tmp", "user": "vcap", "cache_key": "", **fields}}

    def outcome(self, *actions, **fields):
        guid = name()
        self.cell.run(guid, {"serial": {"actions": list(actions)}}, **fields)
        return guid, self.cell.result(guid)

    def test_every_form_of_archive_arrives_for_its_user(self):
        files = {"dir/one": "eins", "two": "zwei"}
        for file, data in (("a.tgz", tar_of(files)), ("a.tar", tar_of(files, False)), ("a.zip", zip_of(files))):
            url = self.publish(file, data)
            guid, result = self.outcome(self.download(url, artifact="app"), sh("cat /tmp/dir/one /tmp/two; stat -c %U /tmp/two"))
            self.assertFalse(result["failed"], (file, result, self.cell.text(guid)))
            text = self.cell.text(guid)
            for word in ("Downloading app...", "Downloaded app (", "einszwei", "vcap"):
                self.assertIn(word, text)

    def test_checksums_good_and_bad(self):
        data = tar_of({"x": "y"})
        url = self.publish("sum.tgz", data)
        for algorithm in ("md5", "sha1", "sha256"):
            good = hashlib.new(algorithm, data).hexdigest()
            _, result = self.outcome(self.download(url, checksum_algorithm=algorithm, checksum_value=good))
            self.assertFalse(result["failed"], result)
            _, result = self.outcome(self.download(url, checksum_algorithm=algorithm, checksum_value="0" * len(good)))
            self.assertEqual((result["failed"], result["failure_reason"]), (True, "Downloading failed"))

    def test_a_cached_download_is_served_again(self):
        url = self.publish("cached.tgz", tar_of({"x": "y"}))
        for expected in ("Downloaded kept (", "Downloaded kept"):
            guid, result = self.outcome(self.download(url, artifact="kept", cache_key="the-key"))
            self.assertFalse(result["failed"], result)
            self.assertIn(expected, self.cell.text(guid))

    def test_bad_addresses_fail_with_words_and_without_the_address(self):
        for url in (f"{self.cell.url}/missing", f"{self.cell.url}/status/500", "ftp://x/y", "http://127.0.0.1:1/x"):
            _, result = self.outcome(self.download(url.replace("http://", "http://user:secret@"), artifact="app"))
            self.assertEqual(result["failure_reason"], "Downloading app failed", url)

    def test_a_slow_download_ends_at_once_when_stopped(self):
        self.publish("slow.bin", tar_of({"x": os.urandom(300_000).hex()}))
        guid = name()
        self.cell.run(guid, self.download(f"{self.cell.url}/slow/slow.bin"))
        self.cell.until(guid, "created")
        self.assertEqual(self.cell.call("POST", f"/containers/{guid}/stop").status, 200)
        self.assertTrue(self.cell.result(guid, 8)["stopped"])

    def test_archives_that_reach_out_stay_inside(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc"
            tar.addfile(link)
            entry = tarfile.TarInfo("link/passwd")
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"evil"))
        url = self.publish("link.tar", out.getvalue())
        guid, _ = self.outcome({"try": {"action": self.download(url)}}, sh("head -c 4 /etc/passwd"))
        self.assertIn("root", self.cell.text(guid))
        slip = self.publish("slip.zip", zip_of({"../../../../../../../etc/slip": "evil", "fine": "f"}))
        guid, _ = self.outcome({"try": {"action": self.download(slip)}}, sh("ls /etc/slip || echo none"))
        self.assertIn("none", self.cell.text(guid))
        self.assertFalse(os.path.exists("/etc/slip"))

    def test_what_is_no_archive_is_refused(self):
        url = self.publish("noise", os.urandom(4096))
        _, result = self.outcome(self.download(url))
        self.assertEqual(result["failure_reason"], "Downloading failed")

    def test_cached_dependencies_are_mounted_read_only(self):
        url = self.publish("dep.tgz", tar_of({"bin/tool": "#!/bin/sh\necho tool runs\n"}))
        dependency = {"name": "tool", "from": url, "to": "/opt/tool", "cache_key": "dep", "log_source": "DEP"}
        guid, result = self.outcome(sh("/opt/tool/bin/tool; touch /opt/tool/x || echo read only"), cached_dependencies=[dependency])
        self.assertFalse(result["failed"], (result, self.cell.text(guid)))
        self.assertIn("tool runs", self.cell.text(guid))
        self.assertIn("read only", self.cell.text(guid))

    def test_a_missing_dependency_fails_the_creation_retryable(self):
        guid = name()
        self.cell.run(guid, cached_dependencies=[{"name": "x", "from": f"{self.cell.url}/missing", "to": "/x", "cache_key": "m"}])
        result = self.cell.result(guid)
        self.assertTrue(result["Retryable"])
        self.assertTrue(result["failure_reason"].startswith("failed to download cached artifacts"), result)

    def test_an_upload_to_a_server_that_refuses_fails_without_the_address(self):
        guid = name()
        self.cell.run(guid, {"serial": {"actions": [
            sh("echo payload > /tmp/out"),
            {"upload": {"from": "/tmp/out", "to": f"{self.cell.url}/missing?token=secret", "user": "vcap", "artifact": "result"}}]}})
        result = self.cell.result(guid)
        self.assertTrue(result["failed"])
        self.assertNotIn("secret", result["failure_reason"] + self.cell.text(guid))
        wait_for("the start line", lambda: "Uploading result..." in self.cell.text(guid))
