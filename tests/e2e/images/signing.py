"""Signs images as cosign does: a payload signed by the openssl program, pushed under the tag of the digest.

Used by trust_test.py. The bytes have the form that cosign writes; cosign itself is no package here.
"""

import base64
import http.client
import json
import os
import subprocess
import urllib.parse

from imagekit.layers import sha256

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


class Key:
    def __init__(self, directory, name):
        self.private, self.public = (os.path.join(directory, name + end) for end in (".key", ".pub"))
        run = dict(check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.private], **run)
        subprocess.run(["openssl", "ec", "-in", self.private, "-pubout", "-out", self.public], **run)

    def sign(self, data):
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.private], input=data, check=True,
                              stdout=subprocess.PIPE).stdout


def payload(reference, digest):
    return json.dumps({"critical": {"identity": {"docker-reference": reference},
                                    "image": {"docker-manifest-digest": digest},
                                    "type": "cosign container image signature"}, "optional": None},
                      separators=(",", ":")).encode()


class Client:
    """What cosign says to a registry: blobs, a manifest under a tag."""

    def __init__(self, address):
        self.address = address

    def request(self, method, path, body=None, kind="application/octet-stream", accept=MANIFEST):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": kind, "Accept": accept})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise RuntimeError("%s %s: %d %s" % (method, path, answer.status, data[:300]))
        return answer, data

    def digest(self, repository, tag="1"):
        return self.request("HEAD", "/v2/%s/manifests/%s" % (repository, tag))[0].getheader("Docker-Content-Digest")

    def blob(self, repository, data):
        started, _ = self.request("POST", "/v2/%s/blobs/uploads/" % repository)
        place = urllib.parse.urlsplit(started.getheader("Location"))
        query = (place.query + "&" if place.query else "") + "digest=" + sha256(data)
        self.request("PUT", place.path + "?" + query, data)
        return {"digest": sha256(data), "size": len(data)}

    def sign(self, repository, digest, *signatures):
        """Each signature: (payload, bytes of the signature)."""
        config = self.blob(repository, b"{}")
        layers = [dict(self.blob(repository, text), mediaType=SIMPLE_SIGNING,
                       annotations={SIGNATURE: base64.b64encode(signature).decode()})
                  for text, signature in signatures]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                               "config": dict(config, mediaType=CONFIG), "layers": layers}).encode()
        tag = digest.replace(":", "-") + ".sig"
        self.request("PUT", "/v2/%s/manifests/%s" % (repository, tag), manifest, MANIFEST)
