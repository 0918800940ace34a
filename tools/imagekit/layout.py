"""OCI image layouts on disk, and pushing them to a registry.

Used by tools/images and tests/e2e/images. Standard library; push() runs skopeo.
"""

import json
import os
import shutil
import subprocess

from .layers import pack, sha256

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def architecture():
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def image_config(diff_ids, run, comments):
    """The text of an image configuration; `run` holds Env, Cmd, User and the like."""
    return json.dumps({
        "created": "2024-01-01T00:00:00Z", "architecture": architecture(), "os": "linux",
        "config": run, "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": c} for c in comments],
    }, sort_keys=True).encode()


def manifest_text(config, layers):
    """`config`: bytes; `layers`: (digest, size, media type)."""
    return json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": sha256(config), "size": len(config)},
        "layers": [{"mediaType": m, "digest": d, "size": s} for d, s, m in layers],
    }, sort_keys=True).encode()


class Layout:
    """A directory in OCI layout with one image per name; made anew."""

    def __init__(self, directory):
        self.directory = directory
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(os.path.join(directory, "blobs", "sha256"))
        self._index = []
        with open(os.path.join(directory, "oci-layout"), "w", encoding="ascii") as out:
            out.write('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data):
        digest = sha256(data)
        with open(os.path.join(self.directory, "blobs", "sha256", digest[7:]), "wb") as out:
            out.write(data)
        return digest

    def add(self, name, layers, run=None, packings=None, comments=None):
        """`layers`: tar bytes, lowest first. Returns the manifest's digest."""
        packings = packings or ["gzip"] * len(layers)
        rows = []
        for tar, packing in zip(layers, packings):
            data, media = pack(tar, packing)
            rows.append((self.blob(data), len(data), media))
        config = image_config([sha256(tar) for tar in layers], run or {},
                              comments or ["layer %d" % i for i in range(len(layers))])
        self.blob(config)
        return self.name(name, manifest_text(config, rows))

    def name(self, name, manifest):
        digest = self.blob(manifest)
        # A name moves to what it was given last.
        self._index = [row for row in self._index
                       if row["annotations"]["org.opencontainers.image.ref.name"] != name]
        self._index.append({
            "mediaType": MANIFEST_TYPE, "digest": digest, "size": len(manifest),
            "platform": {"os": "linux", "architecture": architecture()},
            "annotations": {"org.opencontainers.image.ref.name": name}})
        with open(os.path.join(self.directory, "index.json"), "w", encoding="ascii") as out:
            json.dump({"schemaVersion": 2, "manifests": self._index}, out)
        return digest


def push(directory, name, address, user=None):
    """Copies image `name` of a layout to "host:port/repository:tag" with plain HTTP."""
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false"]
    if user:
        command += ["--dest-creds", user]
    command += ["oci:%s:%s" % (directory, name), "docker://" + address]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stdout.decode(errors="replace")))
