"""The two images of the quickstart: a busybox one and a Debian userland in five layers.

Used by tools/images. Made with Debian's own tools, inside one directory, without a container engine.
"""

import io
import os
import shutil
import subprocess
import tarfile

from .layers import CAP_NET_BIND_SERVICE, FIXED_TIME, Layer, file_capability

PASSWD = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:Alice:/home/alice:/bin/sh\n" \
         "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
GROUP = "root:x:0:\nalice:x:1000:\nnogroup:x:65534:\n"


def busybox_program():
    path = shutil.which("busybox", path="/bin:/usr/bin:/sbin:/usr/sbin")
    if path is None:
        raise RuntimeError("no busybox here (hint: apt-get install busybox-static)")
    with open(path, "rb") as file:
        data = file.read()
    if b"/lib64/ld-linux" in data[:4096]:
        raise RuntimeError(path + " is not static (hint: apt-get install busybox-static)")
    return path, data


def busybox_layer():
    path, program = busybox_program()
    names = subprocess.run([path, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout
    layer = Layer()
    for directory in ("bin", "dev", "etc", "home", "proc", "sys", "usr", "usr/bin", "var", "var/log"):
        layer.directory(directory)
    layer.directory("root", mode=0o700).directory("tmp", mode=0o1777)
    layer.directory("home/alice", uid=1000, gid=1000)
    layer.file("bin/busybox", program, mode=0o755)
    for name in sorted(set(names.split()) - {"busybox"}):
        layer.symlink("bin/" + name, "busybox")
    layer.file("etc/passwd", PASSWD.encode()).file("etc/group", GROUP.encode())
    layer.file("etc/profile", b"PS1='\\u@\\h:\\w\\$ '\n")
    return layer


RUN_BUSYBOX = {"Env": ["PATH=/bin:/usr/bin"], "Cmd": ["/bin/sh"], "WorkingDir": "/"}
RUN_DEBIAN = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
              "Cmd": ["/bin/bash"], "WorkingDir": "/root"}


def add_busybox(layout):
    word = Layer().directory("etc").file("etc/motd", b"A small plant under a glass bell.\n")
    layout.add("busybox", [busybox_layer().tar(), word.tar()], RUN_BUSYBOX,
               comments=["busybox-static", "a message of the day"])


def make_userland(path):
    """A minimal Debian as one tar, from wherever this machine gets its own packages."""
    sources = subprocess.run(
        ["apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
         "Created-By: Packages", "Origin: Debian"], stdout=subprocess.PIPE, check=True, text=True)
    lines = sorted(set(sources.stdout.splitlines()))
    with open(path + ".list", "w", encoding="utf-8") as out:
        out.write("".join(line + "\n" for line in lines))
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=libcap2-bin,attr,procps",
               "--aptopt=Acquire::Retries \"5\"", "bookworm", path + ".tar"]
    if lines:
        command.append(path + ".list")
    for attempt in (1, 2, 3):  # mirrors have bad moments
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=attempt == 3).returncode == 0:
            break
        print("debian: trying again", flush=True)
    os.replace(path + ".tar", path)


def _share(path):
    """Which layer a file of the userland goes to: documents, libraries, the rest."""
    if path.startswith(("usr/share/", "var/")):
        return 1
    return 2 if path.startswith("usr/lib") else 0


class Userland:
    """The tar of mmdebstrap, cut into layers; entries stay as they are, byte by byte."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self._data = file.read()
        self._tar = tarfile.open(fileobj=io.BytesIO(self._data))
        self._members = self._tar.getmembers()
        for member in self._members:
            member.name = member.name.removeprefix("./").strip("/")

    def content(self, name):
        for member in self._members:
            if member.name == name and member.isreg():
                return self._tar.extractfile(member).read()
        raise KeyError(name)

    def cut(self):
        ends = [m.offset for m in self._members[1:]] + [self._end()]
        raw = {m.name: self._data[m.offset:end] for m, end in zip(self._members, ends)}
        home = {}
        parts, have = [Layer(), Layer(), Layer()], [set(), set(), set()]
        for member in self._members:
            if member.ischr() or member.isblk():
                continue  # /dev belongs to the engine
            target = member.linkname.removeprefix("./").strip("/")
            share = home[target] if member.islnk() else _share(member.name)
            home[member.name] = share
            for ancestor in self._ancestors(member.name):
                if ancestor not in have[share] and ancestor in raw:
                    parts[share].raw(raw[ancestor])
                    have[share].add(ancestor)
            if member.name not in have[share]:
                parts[share].raw(raw[member.name])
                have[share].add(member.name)
        return parts

    def _end(self):
        last = self._members[-1]
        return last.offset_data + -(-(last.size if last.isreg() else 0) // 512) * 512

    @staticmethod
    def _ancestors(name):
        pieces = name.split("/")
        return ["/".join(pieces[:i]) for i in range(1, len(pieces))]


def features_layer(userland):
    """What makes image stores stumble: SUID, capabilities, attributes, links, holes, ids."""
    layer = Layer()
    layer.directory("opt").directory("opt/demo", xattrs={"user.kind": b"directory"})
    layer.file("opt/demo/id-suid", userland.content("usr/bin/id"), mode=0o4755)
    layer.file("opt/demo/id-sgid", userland.content("usr/bin/id"), mode=0o2755, gid=42)
    layer.file("opt/demo/grep-cap", userland.content("bin/grep") if _has(userland, "bin/grep")
               else userland.content("usr/bin/grep"), mode=0o755,
               xattrs={"security.capability": file_capability([CAP_NET_BIND_SERVICE])})
    layer.file("opt/demo/labelled", b"look at my attributes\n",
               xattrs={"user.colour": b"green", "user.bytes": bytes(range(256))})
    layer.file("opt/demo/one", b"three names, one file\n")
    layer.hardlink("opt/demo/two", "opt/demo/one").hardlink("opt/demo/three", "opt/demo/one")
    layer.sparse("opt/demo/holes", 256 << 20, [(0, b"start"), ((256 << 20) - 3, b"end")])
    layer.file("opt/demo/of-alice", b"mine\n", mode=0o600, uid=1000, gid=1000)
    layer.file("opt/demo/of-nobody", b"nobody's\n", mode=0o600, uid=65534, gid=65534)
    layer.symlink("opt/demo/link", "../demo/one").fifo("opt/demo/pipe")
    layer.file("opt/demo/old", b"from 1990\n", mtime=631152000)
    layer.directory("opt/gone").file("opt/gone/a", b"a").file("opt/gone/b", b"b")
    layer.directory("opt/fresh").file("opt/fresh/old", b"hidden by an opaque directory\n")
    return layer


def _has(userland, name):
    try:
        userland.content(name)
        return True
    except KeyError:
        return False


def changes_layer():
    layer = Layer().directory("opt").whiteout("opt/gone")
    layer.directory("opt/fresh").opaque("opt/fresh").file("opt/fresh/new", b"the only one\n")
    layer.directory("usr").directory("usr/share").directory("usr/share/doc")
    layer.opaque("usr/share/doc").file("usr/share/doc/README", b"documents are elsewhere\n")
    layer.directory("etc").file("etc/issue.cloche", b"Debian under a glass bell\n", mtime=FIXED_TIME)
    return layer


def add_debian(layout, scratch):
    path = os.path.join(scratch, "userland")
    if not os.path.exists(path):
        make_userland(path)
    userland = Userland(path)
    layers = userland.cut() + [features_layer(userland), changes_layer()]
    layout.add("debian", [layer.tar() for layer in layers], RUN_DEBIAN,
               comments=["Debian: programs", "Debian: documents and state", "Debian: libraries",
                         "SUID, capabilities, attributes, links, holes", "whiteouts"])
