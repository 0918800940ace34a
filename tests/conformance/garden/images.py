"""The images of the suite (garden-behaviours A.6), made here: a static busybox, a few files, our own user tools.

Used by fixture.py. Layers are written by tools/imagekit, as those of the other tests.
"""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
from tools.imagekit.layers import Layer, file_capability  # noqa: E402
from tools.imagekit.layout import Layout, push  # noqa: E402

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GR_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/bin:/from-dockerfile"
PING_CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
MIB = 1 << 20

# Debian's busybox has neither; the rows want `adduser -D NAME`, which gives the next free id and a home of its own.
ADDUSER = """#!/bin/sh
# adduser [-D] [-u UID] [-s SHELL] [-h HOME] NAME
id='' home='' shell=/bin/sh
while getopts Du:s:h: option; do
    case $option in
        D) ;;
        u) id=$OPTARG ;;
        s) shell=$OPTARG ;;
        h) home=$OPTARG ;;
        *) exit 1 ;;
    esac
done
shift $((OPTIND - 1))
name=$1
[ -n "$name" ] || exit 1
! grep -q "^$name:" /etc/passwd || { echo "adduser: user '$name' in use" >&2; exit 1; }
if [ -z "$id" ]; then
    id=1000
    while grep -q "^[^:]*:[^:]*:$id:" /etc/passwd /etc/group; do id=$((id + 1)); done
fi
[ -n "$home" ] || home=/home/$name
echo "$name:x:$id:$id::$home:$shell" >> /etc/passwd
grep -q "^$name:" /etc/group || echo "$name:x:$id:" >> /etc/group
mkdir -p "$home" && chown "$id:$id" "$home" && chmod 2755 "$home"
"""
ADDGROUP = """#!/bin/sh
# addgroup [-g GID] NAME
id=''
[ "$1" != -g ] || { id=$2; shift 2; }
if [ -z "$id" ]; then
    id=1000
    while grep -q "^[^:]*:[^:]*:$id:" /etc/group; do id=$((id + 1)); done
fi
echo "$1:x:$id:" >> /etc/group
"""
# The busybox of the image is not SUID, this copy of its `su` is; root has no password there.
SUDO = """#!/bin/sh
exec /usr/lib/sudo/su -s /bin/sh -c "$*" root
"""


def busybox_tree(busybox, passwd=(), groups=(), hosts=True, root="root:x:0:0:root:/root:/bin/sh"):
    """A layer with one static program under all its names, and accounts."""
    layer = Layer()
    for name in ("bin", "dev", "etc", "home", "lib", "proc", "sbin", "sys", "usr", "usr/bin", "usr/sbin", "var"):
        layer.directory(name)
    layer.directory("root", mode=0o700).directory("tmp", mode=0o1777)
    with open(busybox, "rb") as program:
        layer.file("bin/busybox", program.read(), mode=0o755)
    names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name != "busybox":
            layer.hardlink("bin/" + name, "bin/busybox")
    layer.file("bin/adduser", ADDUSER.encode(), mode=0o755).file("bin/addgroup", ADDGROUP.encode(), mode=0o755)
    layer.file("etc/passwd", "".join(line + "\n" for line in (root, *passwd)).encode())
    layer.file("etc/group", "".join(line + "\n" for line in ("root:x:0:", *groups)).encode())
    if hosts:
        layer.file("etc/hosts", b"127.0.0.1 localhost\n")
    return layer


OPERATOR = "operator:x:37:37:operator:/home/operator:/bin/sh"


def garden_rootfs(busybox):
    """GR: what cloudfoundry/garden-rootfs holds, as far as rows look at it."""
    base = busybox_tree(
        busybox,
        passwd=(OPERATOR, "testuser:x:1000:1000::/home/testuser:/bin/sh", "alice:x:1001:1010::/home/alice:/bin/sh"),
        groups=("wheel:x:10:root", "operator:x:37:", "staff:x:50:", "testuser:x:1000:", "gardenparty:x:1010:alice",
                "gardenparty2:x:1011:alice"))
    base.directory("home/alice", mode=0o2755, uid=1001, gid=1010)
    base.directory("home/testuser", mode=0o2755, uid=1000, gid=1000)
    base.file("bin/usemem", b"#!/bin/sh\nexit 0\n", mode=0o755)
    base.file("bin/usemem-with-setuid", b"#!/bin/sh\nexit 0\n", mode=0o4755)
    base.file("sbin/hello-world", b"#!/bin/sh\necho hello world\n", mode=0o755)
    base.directory("test").directory("test/foo").file("test/foo/bar", b"gone\n").file("test/foo/baz", b"gone\n")
    base.file("var/iwasdeleted", b"gone\n").file("etc/link-target", b"old\n").symlink("etc/replaced", "link-target")
    top = Layer()
    top.directory("var").opaque("var").file("var/istillexist", b"here\n")
    top.directory("test").directory("test/foo").whiteout("test/foo/bar").whiteout("test/foo/baz")
    top.directory("etc").file("etc/replaced", b"new\n")
    top.directory("from-dockerfile")
    return [base.tar(), top.tar()], {"Env": [GR_PATH, "TEST=second-test-from-dockerfile:test-from-dockerfile"]}


def with_program(layer, path, at):
    """A dynamic program of this machine with the libraries it names."""
    with open(path, "rb") as program:
        layer.file(at, program.read(), mode=0o755)
    listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    folders = set()
    for word in listed.split():
        if not word.startswith("/"):
            continue
        folder = os.path.dirname(word.lstrip("/"))
        while folder and folder not in folders and folder != "lib":
            folders.add(folder)
            folder = os.path.dirname(folder)
        with open(word, "rb") as library:
            layer.file(word.lstrip("/"), library.read(), mode=0o755)


def fuse_image(busybox):
    layer = busybox_tree(busybox)
    with open(busybox, "rb") as program:
        layer.file("usr/bin/ping", program.read(), mode=0o755, xattrs={"security.capability": PING_CAPABILITY})
    layer.directory("lib64").directory("lib/x86_64-linux-gnu")
    with_program(layer, shutil.which("getfattr"), "usr/bin/getfattr")
    return layer


def preexisting_users(busybox):
    layer = busybox_tree(busybox, passwd=("alice:x:1001:1001::/home/alice:/bin/sh",), groups=("alice:x:1001:",))
    layer.directory("home/alice", uid=1001, gid=1001)
    layer.file("home/alice/alicesfile", b"hers\n", uid=1001, gid=1001)
    return layer.file(".foo", b"this is a pre-existing dotfile\n")


def sudo_image(busybox):
    layer = busybox_tree(busybox, root="root::0:0:root:/root:/bin/sh")
    layer.directory("usr/lib").directory("usr/lib/sudo")
    with open(busybox, "rb") as program:
        layer.file("usr/lib/sudo/su", program.read(), mode=0o4755)
    return layer.file("usr/bin/sudo", SUDO.encode(), mode=0o755)


def filler(size):
    """Bytes that are no hole on disk and small as a blob."""
    return b"filler, nothing else\n" * (size // 21)


def local_images(directory, busybox):
    """Writes DEF, PEA and LIM as tars; gives their paths by short name."""
    layers = {
        "DEF": busybox_tree(busybox),
        "PEA": busybox_tree(busybox, passwd=(OPERATOR,), groups=("operator:x:37:",)),
        "LIM": busybox_tree(busybox).file("usr/filler", filler(2 * MIB)),
    }
    paths = {}
    for name, layer in layers.items():
        paths[name] = os.path.join(directory, name.lower() + ".tar")
        with open(paths[name], "wb") as out:
            out.write(layer.tar())
    return paths


def registry_images(busybox):
    """What the suite names with docker://: (repository:tag, layers, run configuration)."""
    plain = {"Env": [PATH]}
    own_resolver = busybox_tree(busybox).file("etc/resolv.conf", b"nameserver 192.0.2.1\n")
    layers, run = garden_rootfs(busybox)
    return [
        ("cloudfoundry/garden-rootfs:latest", layers, run),
        ("cloudfoundry/garden-fuse:latest", [fuse_image(busybox).tar()], plain),
        ("cfgarden/preexisting_users:latest", [preexisting_users(busybox).tar()], plain),
        ("ubuntu:14.04", [sudo_image(busybox).tar()], plain),
        ("ubuntu:trusty-20160323", [busybox_tree(busybox).file("usr/filler", filler(24 * MIB)).tar()], plain),
        ("debian:jessie-20180312", [own_resolver.tar()], plain),
        ("busybox:1.37.0", [busybox_tree(busybox, hosts=False).tar()], plain),
    ]


def push_images(directory, images, host, user=None):
    layout = Layout(directory)
    for number, (address, layers, run) in enumerate(images):
        layout.add(str(number), layers, run)
        push(directory, str(number), f"{host}/{address}", user)
    shutil.rmtree(directory)


__all__ = ["Layer", "file_capability", "local_images", "push_images", "registry_images"]
