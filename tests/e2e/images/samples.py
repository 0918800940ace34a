"""The images of the test and what must come out of them. Used by images_test.py."""

import os

from imagekit.images import RUN_BUSYBOX, busybox_layer
from imagekit.layers import CAP_CHOWN, CAP_NET_BIND_SERVICE, FIXED_TIME, Layer, file_capability

BINARY_VALUE = bytes(range(256))
LONG = "long/" + "/".join("directory-%02d-%s" % (i, "x" * 40) for i in range(12))
HOLE = 32 << 20


def base(probe):
    """Busybox with our probe, and directories that belong to several users."""
    with open(probe, "rb") as file:
        program = file.read()
    layer = busybox_layer()
    layer.file("bin/image-probe", program, mode=0o755)
    layer.directory("srv").directory("srv/of-alice", mode=0o2770, uid=1000, gid=1000)
    layer.directory("etc/conf.d").file("etc/conf.d/kept", b"kept").file("etc/conf.d/gone", b"gone")
    layer.directory("data")
    for name in ("whole", "opaque", "replaced", "refilled"):
        layer.directory("data/" + name).file("data/%s/old" % name, b"old")
        layer.directory("data/%s/deep" % name).file("data/%s/deep/older" % name, b"older")
    layer.file("data/becomes-directory", b"file").symlink("data/becomes-file", "whole")
    layer.file("data/link-target", b"below")
    return layer, program


def features(program):
    layer = Layer()
    layer.directory("opt", xattrs={"user.kind": b"directory"})
    layer.file("opt/probe-suid", program, mode=0o4755)
    layer.file("opt/probe-suid-alice", program, mode=0o4755, uid=1000, gid=1000)
    layer.file("opt/probe-sgid", program, mode=0o2755, gid=42)
    layer.file("opt/probe-cap", program, mode=0o755,
               xattrs={"security.capability": file_capability([CAP_NET_BIND_SERVICE, CAP_CHOWN])})
    layer.file("opt/probe-cap3", program, mode=0o755,
               xattrs={"security.capability": file_capability([CAP_CHOWN], root_id=0)})
    layer.file("opt/labelled", b"labelled", xattrs={
        "user.colour": b"green", "user.bytes": BINARY_VALUE, "user.empty": b"",
        "user.long": b"v" * 3000, "trusted.mine": b"no", "security.selinux": b"no"})
    layer.file("opt/one", b"three names").hardlink("opt/two", "opt/one").hardlink("opt/deep/three", "/opt/one")
    layer.sparse("opt/holes", HOLE, [(0, b"start"), (HOLE // 2, b"middle"), (HOLE - 3, b"end")])
    layer.file("opt/highest-ids", b"", uid=65534, gid=65534)
    layer.symlink("opt/relative", "one").symlink("opt/absolute", "/opt/one", uid=1000, gid=1000)
    layer.symlink("opt/dangling", "../../../../nowhere").fifo("opt/pipe", mode=0o620, uid=1000)
    layer.file("opt/old", b"old", mtime=631152000).file("opt/precise", b"", mtime=1700000000.25)
    layer.file("opt/sticky", b"", mode=0o1777).directory("opt/sticky-dir", mode=0o1777)
    layer.file("opt/secret", b"", mode=0o000)
    layer.file("opt/caf\u00e9 \u6f22\u5b57", b"utf-8").file("opt/back\\slash \"quote\"", b"")
    layer.file(LONG + "/file", b"a long way")
    layer.device("opt/null", "c", 1, 3).device("opt/loop", "b", 7, 0)
    return layer


def changes():
    layer = Layer()
    layer.directory("etc").directory("etc/conf.d").whiteout("etc/conf.d/gone").file("etc/conf.d/new", b"new")
    layer.directory("data").whiteout("data/whole").whiteout("data/link-target")
    layer.directory("data/opaque").opaque("data/opaque").file("data/opaque/new", b"new")
    layer.whiteout("data/replaced").file("data/replaced", b"a file now")
    layer.whiteout("data/refilled").directory("data/refilled").file("data/refilled/new", b"new")
    layer.directory("data/becomes-directory").file("data/becomes-directory/in", b"in")
    layer.file("data/becomes-file", b"a file now")
    layer.whiteout("data/never-was-there")
    return layer


def last():
    """A third change: names come back after a whiteout, without what was below."""
    layer = Layer()
    layer.directory("data").directory("data/whole").file("data/whole/again", b"again")
    layer.directory("srv").directory("srv/of-alice", mode=0o2770, uid=1000, gid=1000)
    layer.file("srv/of-alice/note", b"note", uid=1000, gid=1000, mode=0o600)
    return layer


def add_good(made, probe):
    ground, program = base(probe)
    tars = [ground.tar(), features(program).tar(), changes().tar(), last().tar()]
    run = dict(RUN_BUSYBOX, User="alice", WorkingDir="/srv", Env=["PATH=/bin", "SEED=1"])
    made.add("good", tars, run, packings=["gzip", "zstd", "none", "gzip"])
    made.add("truth", tars, run)  # the same for umoci, which has no zstd
    made.add("plain", [ground.tar()], RUN_BUSYBOX)
    return program


# What must be there (True), must not be there (False).
PRESENCE = {
    "etc/conf.d/kept": True, "etc/conf.d/gone": False, "etc/conf.d/new": True,
    "data/whole/again": True, "data/whole/old": False, "data/whole/deep": False,
    "data/opaque/new": True, "data/opaque/old": False, "data/opaque/deep": False,
    "data/refilled/new": True, "data/refilled/old": False, "data/refilled/deep": False,
    "data/becomes-directory/in": True, "data/link-target": False, "data/never-was-there": False,
    "opt/null": False, "opt/loop": False, LONG + "/file": True,
}

# path: fields of the probe's line.
DECLARED = {
    "data/replaced": {"type": "file", "size": 10},
    "data/becomes-file": {"type": "file", "size": 10},
    "opt": {"xattrs": {"user.kind": b"directory".hex()}, "mtime": FIXED_TIME, "nanoseconds": 0},
    "opt/probe-suid": {"mode": 0o4755, "uid": 0, "gid": 0},
    "opt/probe-suid-alice": {"mode": 0o4755, "uid": 1000, "gid": 1000},
    "opt/probe-sgid": {"mode": 0o2755, "uid": 0, "gid": 42},
    "opt/labelled": {"xattrs": {"user.colour": b"green".hex(), "user.bytes": BINARY_VALUE.hex(), "user.empty": "",
                                "user.long": (b"v" * 3000).hex()}},
    "opt/one": {"links": 3, "size": 11},
    "opt/holes": {"size": HOLE},
    "opt/highest-ids": {"uid": 65534, "gid": 65534},
    "opt/relative": {"type": "symlink", "target": "one", "uid": 0},
    "opt/absolute": {"type": "symlink", "target": "/opt/one", "uid": 1000, "gid": 1000},
    "opt/dangling": {"type": "symlink", "target": "../../../../nowhere"},
    "opt/pipe": {"type": "fifo", "mode": 0o620, "uid": 1000},
    "opt/old": {"mtime": 631152000, "nanoseconds": 0},
    "opt/precise": {"mtime": 1700000000, "nanoseconds": 250000000},
    "opt/sticky": {"mode": 0o1777}, "opt/sticky-dir": {"mode": 0o1777, "type": "directory"},
    "opt/secret": {"mode": 0},
    "srv/of-alice": {"mode": 0o2770, "uid": 1000, "gid": 1000},
    "srv/of-alice/note": {"mode": 0o600, "uid": 1000, "gid": 1000},
    "root": {"mode": 0o700}, "tmp": {"mode": 0o1777},
}


def hostile_layers(outside):
    """name: (layer, words of the error, or None when it is taken in a harmless form)."""
    def with_probe():
        return Layer()
    long_name = "x" * 256
    return {
        "dots": (with_probe().file("../escape", b""), "'..' component"),
        "dots-inside": (with_probe().file("opt/../../escape", b""), "'..' component"),
        "long-name": (with_probe().file(long_name, b""), "256 bytes, the limit is 255"),
        "through-link": (with_probe().symlink("way", outside).file("way/escape", b""), "symbolic link"),
        "hardlink-out": (with_probe().hardlink("stolen", "../../../../etc/shadow"), "'..' component"),
        "hardlink-abs": (with_probe().hardlink("stolen", outside + "/shadow"), "not in this layer"),
        "hardlink-link": (with_probe().symlink("a", "/etc/shadow").hardlink("stolen", "a"), "not a file"),
        "id-too-high": (with_probe().file("x", b"", uid=65536), "uid 65536 is outside of 0 to 65535"),
        "negative-id": (with_probe().entry("x", b"0", pax={"uid": b"-1"}), "uid"),
        "whiteout-device": (with_probe().device("hide", "c", 0, 0), "0:0"),
        "overlay-xattr": (with_probe().directory("d", xattrs={"trusted.overlay.opaque": b"y"}),
                          "trusted.overlay.opaque is not for images"),
        "overlay-user-xattr": (with_probe().directory("d", xattrs={"user.overlay.redirect": b"/etc"}),
                               "user.overlay.redirect is not for images"),
        "foreign-capability": (with_probe().file("x", b"", xattrs={
            "security.capability": file_capability([CAP_CHOWN], root_id=1000)}), "root id 1000"),
        "whiteout-dots": (with_probe().file(".wh...", b""), "whiteout of nothing"),
        "truncated": (with_probe().entry("x", b"0", data=b"short", size=1 << 20), "tar"),
        "many-xattrs": (with_probe().file("x", b"", xattrs={"user.%d" % i: b"" for i in range(70)}),
                        "extended attributes, the limit is 64"),
    }


def planted_images(outside):
    """Images whose own links stand where the engine mounts or writes: name -> layer."""
    links = {
        "dev": {"dev": outside}, "proc": {"proc": outside}, "sys": {"sys": outside}, "etc": {"etc": outside},
        "tmp": {"tmp": outside}, "dev-up": {"dev": "../../../../.." + outside}, "dev-etc": {"dev": "/etc"},
        "cycle": {"dev": "proc", "proc": "dev"}, "self": {"etc": "etc"},
    }
    out = {}
    for name, planted in links.items():
        layer = busybox_without(planted)
        for path, target in planted.items():
            layer.symlink(path, target)
        out[name] = layer
    for name in ("hosts", "resolv.conf", "hostname"):
        out["etc-" + name] = busybox_without({}).symlink("etc/" + name, os.path.join(outside, "victim"))
    out["file-dev"] = busybox_without({"dev": 1}).file("dev", b"not a directory")
    out["file-proc"] = busybox_without({"proc": 1}).file("proc", b"not a directory")
    out["dir-hosts"] = busybox_without({}).directory("etc/hosts")
    return out


def busybox_without(names):
    from imagekit.images import GROUP, PASSWD, busybox_program
    layer = Layer()
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        if name not in names:
            layer.directory(name)
    layer.file("bin/busybox", busybox_program()[1], mode=0o755).symlink("bin/sh", "busybox")
    if "etc" not in names:
        layer.file("etc/passwd", PASSWD.encode()).file("etc/group", GROUP.encode())
    return layer
