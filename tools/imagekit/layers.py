"""Layers written byte by byte, so that a test decides what is in them, good or hostile.

Used by tools/images and tests/e2e/images. Standard library only.
"""

import gzip
import hashlib
import io
import struct
import subprocess
import tarfile

FIXED_TIME = 1_700_000_000
BLOCK = 512

# Capability numbers that the images use (linux/capability.h).
CAP_CHOWN, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_KILL, CAP_SYS_CHROOT = 0, 10, 13, 5, 18


def file_capability(numbers, effective=True, root_id=None):
    """The value of security.capability: revision 2, or 3 when `root_id` is given."""
    permitted = sum(1 << n for n in numbers)
    magic = (0x02000000 if root_id is None else 0x03000000) | int(effective)
    words = [magic, permitted & 0xffffffff, 0, permitted >> 32, 0]
    if root_id is not None:
        words.append(root_id)
    return struct.pack("<%dI" % len(words), *words)


def _pax_record(key, value):
    """"LENGTH KEY=VALUE\\n", where LENGTH counts itself."""
    body = b" " + key.encode() + b"=" + value + b"\n"
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _padded(data):
    return data + b"\0" * (-len(data) % BLOCK)


class Layer:
    """One layer archive. Nothing is checked: what is asked for is written."""

    def __init__(self):
        self._out = io.BytesIO()

    # What everyone needs.

    def directory(self, path, mode=0o755, **more):
        return self.entry(path.rstrip("/") + "/", tarfile.DIRTYPE, mode=mode, **more)

    def file(self, path, data=b"", mode=0o644, **more):
        return self.entry(path, tarfile.REGTYPE, mode=mode, data=data, **more)

    def symlink(self, path, target, **more):
        return self.entry(path, tarfile.SYMTYPE, mode=0o777, target=target, **more)

    def hardlink(self, path, target, **more):
        return self.entry(path, tarfile.LNKTYPE, target=target, **more)

    def fifo(self, path, mode=0o644, **more):
        return self.entry(path, tarfile.FIFOTYPE, mode=mode, **more)

    def device(self, path, kind, major, minor, mode=0o666, **more):
        flag = tarfile.CHRTYPE if kind == "c" else tarfile.BLKTYPE
        return self.entry(path, flag, mode=mode, device=(major, minor), **more)

    def whiteout(self, path):
        parent, _, name = path.rpartition("/")
        return self.file((parent + "/" if parent else "") + ".wh." + name)

    def opaque(self, directory):
        return self.file(directory.rstrip("/") + "/.wh..wh..opq")

    def sparse(self, path, size, pieces, **more):
        """`pieces`: (offset, bytes) in order; the rest of `size` bytes is holes (pax format 1.0)."""
        numbers = [len(pieces)]
        for offset, data in pieces:
            numbers += [offset, len(data)]
        data = _padded(b"".join(b"%d\n" % n for n in numbers)) + b"".join(d for _, d in pieces)
        pax = {"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0",
               "GNU.sparse.name": path.encode(), "GNU.sparse.realsize": b"%d" % size}
        parent, _, name = path.rpartition("/")
        return self.entry(parent + "/GNUSparseFile.0/" + name, tarfile.REGTYPE, data=data, pax=pax,
                          **more)

    # The general form.

    def entry(self, path, kind, data=b"", mode=0o644, uid=0, gid=0, target="", device=(0, 0),
              xattrs=None, mtime=FIXED_TIME, size=None, pax=None):
        records = dict(pax or {})
        if len(path.encode()) > 100:
            records["path"] = path.encode()
        if len(target.encode()) > 100:
            records["linkpath"] = target.encode()
        if not isinstance(mtime, int):
            records["mtime"] = repr(mtime).encode()
        for key, number in (("uid", uid), ("gid", gid)):
            if not 0 <= number < 8 ** 7:
                records[key] = b"%d" % number
        for name, value in (xattrs or {}).items():
            records["SCHILY.xattr." + name] = value
        if records:
            payload = b"".join(_pax_record(k, v) for k, v in records.items())
            self._header("PaxHeaders/entry", tarfile.XHDTYPE, size=len(payload))
            self._out.write(_padded(payload))
        self._header(path[-100:] if "path" in records else path, kind,
                     size=len(data) if size is None else size, mode=mode,
                     uid=uid if 0 <= uid < 8 ** 7 else 0, gid=gid if 0 <= gid < 8 ** 7 else 0,
                     target=target[:100], device=device, mtime=int(mtime))
        self._out.write(_padded(data))
        return self

    def raw(self, data):
        self._out.write(data)
        return self

    def _header(self, path, kind, size=0, mode=0o644, uid=0, gid=0, target="", device=(0, 0),
                mtime=FIXED_TIME):
        info = tarfile.TarInfo(path.rstrip("/") if kind == tarfile.DIRTYPE else path)
        info.type, info.size, info.mode, info.mtime = kind, size, mode, mtime
        info.uid, info.gid, info.linkname = uid, gid, target
        info.devmajor, info.devminor = device
        self._out.write(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape"))

    def tar(self):
        return self._out.getvalue() + b"\0" * (2 * BLOCK)


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def pack(tar, packing="gzip"):
    """(bytes, media type) of the tar as a layer blob."""
    media = "application/vnd.oci.image.layer.v1.tar"
    if packing == "none":
        return tar, media
    if packing == "zstd":
        done = subprocess.run(["zstd", "-q", "-3", "-c"], input=tar, stdout=subprocess.PIPE, check=True)
        return done.stdout, media + "+zstd"
    return gzip.compress(tar, 6, mtime=0), media + "+gzip"
