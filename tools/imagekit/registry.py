"""A real registry (Debian's docker-registry) on loopback, its files below one directory.

Used by tools/images (`registry-config`) and tests/e2e/images.
"""

import json
import os
import subprocess

CONFIG = """version: 0.1
log:
  level: info
  accesslog:
    disabled: false
storage:
  filesystem:
    rootdirectory: {storage}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
  secret: loopback-only
"""

AUTH = """auth:
  htpasswd:
    realm: cloche-test
    path: {file}
"""


def config_text(directory, port, htpasswd=None):
    text = CONFIG.format(storage=os.path.join(directory, "storage"), port=port)
    return text + (AUTH.format(file=htpasswd) if htpasswd else "")


def write_config(directory, port, user=None, password=None):
    """Returns the path of the configuration; with `user`, the registry asks for basic auth."""
    os.makedirs(os.path.join(directory, "storage"), exist_ok=True)
    htpasswd = None
    if user:
        htpasswd = os.path.join(directory, "htpasswd")
        done = subprocess.run(["htpasswd", "-nbB", "-C", "5", user, password],
                              stdout=subprocess.PIPE, check=True)
        with open(htpasswd, "wb") as out:
            out.write(done.stdout)
    path = os.path.join(directory, "config.yml")
    with open(path, "w", encoding="ascii") as out:
        out.write(config_text(directory, port, htpasswd))
    return path


def blob_path(directory, digest):
    """Where the registry keeps a blob: a test that damages it shows what a client does then."""
    name = digest.split(":")[1]
    return os.path.join(directory, "storage/docker/registry/v2/blobs/sha256", name[:2], name, "data")


def requests_of(log_text):
    """(method, path) of each request in the registry's access log."""
    out = []
    for line in log_text.splitlines():
        quoted = line.split('"')
        if len(quoted) > 2 and quoted[1].endswith(("HTTP/1.1", "HTTP/1.0")):
            method, path, _ = quoted[1].split(" ")
            out.append((method, path))
    return out


def manifest_of(layout, name):
    """The parsed manifest of an image in a layout, and its text."""
    with open(os.path.join(layout, "index.json"), encoding="ascii") as file:
        index = json.load(file)
    for entry in index["manifests"]:
        if entry["annotations"]["org.opencontainers.image.ref.name"] == name:
            with open(os.path.join(layout, "blobs/sha256", entry["digest"][7:]), "rb") as file:
                text = file.read()
            return json.loads(text), text
    raise KeyError(name)
