#!/usr/bin/env python3
"""Images from a registry into containers: what was packed is what is there, and hostile ones do no harm.

    images_test.py BUILD_DIRECTORY [TEST...]     as root, in namespaces of its own (see CMakeLists.txt)
"""

import concurrent.futures
import http.client
import json
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402  (the path is set above)
import samples  # noqa: E402
from hostile import Hostile  # noqa: E402
from imagekit import layout, registry  # noqa: E402
from imagekit.layers import Layer, pack, sha256  # noqa: E402

SKIP = 77
WORLD = None


class World:
    """Everything the tests share; made once."""

    def __init__(self, build):
        self.tmp = harness.Directory()
        self.ends = [self.tmp.remove]
        try:
            self.start(build)
        except BaseException:
            self.close()
            raise

    def start(self, build):
        self.probe = os.path.join(build, "bin", "image-probe")
        self.outside = self.tmp("outside")
        os.mkdir(self.outside)
        with open(os.path.join(self.outside, "shadow"), "w", encoding="ascii") as file:
            file.write("secret\n")
        self.layout = layout.Layout(self.tmp("layout"))
        samples.add_good(self.layout, self.probe)
        self.registry = harness.Registry(self.tmp("registry"))
        self.ends.append(self.registry.daemon.stop)
        self.locked = harness.Registry(self.tmp("locked"), "keeper", "rose:thorn")
        self.ends.append(self.locked.daemon.stop)
        self.hostile = Hostile()
        self.ends.append(self.hostile.stop)
        for name in ("good", "plain"):
            self.registry.push(self.layout.directory, name)
        self.garden = harness.Garden(build, self.tmp("garden"), harness.new_tag(), [
            self.registry.address, self.locked.address, self.hostile.address])
        self.ends.append(self.garden.cleanup)
        self.garden.start()

    def close(self):
        while self.ends:
            self.ends.pop()()

    def walk(self, root):
        done = subprocess.run([self.probe, "walk", root], stdout=subprocess.PIPE, check=True)
        return rows(done.stdout.decode())


def rows(text):
    return {row["path"]: row for row in map(json.loads, text.splitlines())}


def tree_of(directory):
    """Every name below a directory of the host, to see that nothing came or went."""
    return sorted((at, tuple(dirs), tuple(files)) for at, dirs, files in os.walk(directory))


class Case(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.world, self.garden = WORLD, WORLD.garden
        self.addCleanup(self.nothing_left)

    def nothing_left(self):
        for handle in self.garden.handles():
            self.garden.destroy(handle)
        self.assertEqual([], self.garden.doctor())
        self.assertTrue(self.garden.daemon.running(), "gardend is gone")

    def refused(self, uri, words, handle="refused"):
        """The error names what is wrong, and nothing is left: no container, no layer, no image."""
        before = (self.layers(), len(self.garden.images()))
        with self.assertRaises(harness.Refused) as caught:
            self.garden.create(handle, uri)
        self.assertIn(words, caught.exception.text)
        self.assertNotIn(handle, self.garden.handles())
        self.assertEqual(before, (self.layers(), len(self.garden.images())))
        return caught.exception

    def layers(self):
        found = []
        for at, directories, _ in os.walk(self.garden.store):
            if os.path.basename(at) == "layers":
                found += directories
                directories.clear()
        return sorted(found)

    def publish(self, name, *layers):
        self.world.layout.add(name, [layer.tar() for layer in layers], {"Cmd": ["/bin/sh"]})
        self.world.registry.push(self.world.layout.directory, name)
        return self.world.registry.uri(name)

    def scripted(self, name, tar, blob=None, media=None, diff_id=None, size=None, digest=None):
        packed, kind = pack(tar)
        data = packed if blob is None else blob
        row = (digest or sha256(data), len(data) if size is None else size, media or kind)
        self.world.hostile.blob(data, row[0])
        config = layout.image_config([diff_id or sha256(tar)], {}, ["scripted"])
        self.world.hostile.blob(config)
        text = layout.manifest_text(config, [row])
        self.world.hostile.manifest(name, text)
        return self.world.hostile.uri(name), text


class Fidelity(Case):
    def inside(self, handle):
        return rows(self.garden.run(handle, "/bin/image-probe", "walk", "/", user="root"))

    def test_everything_declared_is_there(self):
        self.garden.create("good", self.world.registry.uri("good"))
        found = self.inside("good")
        for path, there in samples.PRESENCE.items():
            with self.subTest(path=path):
                self.assertEqual(there, path in found)
        for path, fields in samples.DECLARED.items():
            for field, value in fields.items():
                with self.subTest(path=path, field=field):
                    self.assertEqual(value, found[path][field])
        names = [found["opt/" + name]["inode"] for name in ("one", "two", "deep/three")]
        self.assertEqual(1, len(set(names)), "three names of one file")
        self.assertLess(found["opt/holes"]["blocks"] * 512, samples.HOLE // 8, "holes stay holes")

    def test_the_tree_is_what_another_engine_unpacks(self):
        bundle = self.world.tmp("bundle")
        subprocess.run(["umoci", "unpack", "--image", self.world.layout.directory + ":truth", bundle],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        expected = self.world.walk(os.path.join(bundle, "rootfs"))
        self.garden.create("good", self.world.registry.uri("good"))
        found = self.inside("good")
        ours = {"dev", "proc", "sys", "etc/hosts", "etc/resolv.conf", "etc/hostname"}
        made_by_us = {path for path in found if path not in expected}
        self.assertLessEqual(made_by_us, ours)
        # Devices are not taken from images; what umoci makes of attributes that no image may set is its own affair.
        missing = {path for path in expected if path not in found}
        self.assertEqual({"opt/null", "opt/loop"}, missing)
        fields = ("type", "mode", "uid", "gid", "links", "size", "mtime", "nanoseconds", "target", "hash")
        for path in sorted(set(expected) - missing - ours - {"."}):
            if found[path]["type"] == "mount":
                continue
            want = {field: expected[path][field] for field in fields}
            have = {field: found[path][field] for field in fields}
            if want["type"] == "directory":  # links and size are the file system's; umoci's times depend on the order
                for field in ("links", "size", "mtime", "nanoseconds"):
                    want[field] = have[field]
            with self.subTest(path=path[:60]):
                self.assertEqual(want, have)

    def test_suid_and_file_capabilities_work(self):
        self.garden.create("good", self.world.registry.uri("good"))

        def ids(program):
            return json.loads(self.garden.run("good", program, "ids", user="nobody"))
        self.assertEqual((65534, 65534), (ids("/bin/image-probe")["uid"], ids("/bin/image-probe")["euid"]))
        self.assertEqual(0, int(ids("/bin/image-probe")["effective"], 16))
        self.assertEqual(0, ids("/opt/probe-suid")["euid"])
        self.assertEqual(1000, ids("/opt/probe-suid-alice")["euid"])
        self.assertEqual(42, ids("/opt/probe-sgid")["egid"])
        self.assertEqual(1 << 10 | 1 << 0, int(ids("/opt/probe-cap")["effective"], 16))
        self.assertEqual(1 << 0, int(ids("/opt/probe-cap3")["effective"], 16))

    def test_the_configuration_of_the_image_is_used(self):
        done = self.garden.cli("run", "--rm", self.world.registry.uri("good"), "/bin/sh", "-c",
                               "echo $SEED $(id -u) $(pwd)")
        self.assertEqual("1 1000 /srv", done.stdout.decode().strip())

    def test_containers_share_layers_and_no_id(self):
        maps, inodes = [], []
        for handle in ("one", "two"):
            self.garden.create(handle, self.world.registry.uri("plain"))
            self.garden.cli("exec", "--detach", handle, "--", "/bin/sleep", "60")
            pid = next(p["host_pid"] for p in self.garden.processes(handle) if not p["exited"])
            with open("/proc/%d/uid_map" % pid, encoding="ascii") as file:
                maps.append([tuple(map(int, line.split())) for line in file])
            inodes.append(os.stat("/proc/%d/root/bin/image-probe" % pid).st_ino)
            self.assertNotEqual(0, os.stat("/proc/%d" % pid).st_uid)
        lower = [os.path.join(at, "image-probe") for at, _, files in os.walk(self.garden.store)
                 if "image-probe" in files and "layers" in at]
        self.assertEqual(1, len(lower), "one copy on disk")
        self.assertEqual({os.stat(lower[0]).st_ino}, set(inodes))
        ranges = [range(host, host + count) for one in maps for _, host, count in one]
        for i, first in enumerate(ranges):
            for second in ranges[i + 1:]:
                self.assertFalse(first.start < second.stop and second.start < first.stop, (first, second))
        self.garden.run("one", "/bin/sh", "-c", "echo mine > /bin/image-probe; rm -r /srv", user="root")
        self.assertIn('"uid"', self.garden.run("two", "/bin/image-probe", "ids"))
        self.assertGreater(os.stat(lower[0]).st_size, 10, "the shared copy stays")


class Pulling(Case):
    def test_many_creates_pull_once(self):
        uri = self.publish("crowd", samples.base(self.world.probe)[0], Layer().file("crowd", os.urandom(1 << 20)))
        before = len(self.world.registry.requests())
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: self.garden.create("crowd-%d" % i, uri), range(8)))
        fetched = [path for method, path in self.world.registry.requests()[before:]
                   if method == "GET" and "/blobs/" in path]
        self.assertEqual(sorted(set(fetched)), sorted(fetched), "each blob once")
        manifest, _ = registry.manifest_of(self.world.layout.directory, "crowd")
        self.assertIn("/v2/test/crowd/blobs/" + manifest["layers"][1]["digest"], fetched)
        # The base layer has the digest of another image's: it is here already.
        self.assertNotIn("/v2/test/crowd/blobs/" + manifest["layers"][0]["digest"], fetched)

    def test_progress_tells_bytes_of_each_layer(self):
        uri = self.publish("big", Layer().file("big", os.urandom(4 << 20)), Layer().file("b", os.urandom(1 << 20)))
        connection = harness.UnixConnection(self.garden.socket)
        connection.request("POST", "/cloche/v1/images/pull", json.dumps({"uri": uri}),
                           {"Content-Type": "application/json"})
        text = connection.getresponse().read().decode()
        connection.close()
        events = [(part.split("\n")[0], json.loads(part.split("data: ", 1)[1]))
                  for part in text.split("\n\n") if "data: " in part]
        self.assertEqual("event: done", events[-1][0])
        told = [event for name, event in events if name == "event: progress"]
        self.assertTrue({"downloading", "unpacking"} & {event["step"] for event in told})
        manifest, _ = registry.manifest_of(self.world.layout.directory, "big")
        for row in manifest["layers"]:  # steps that pass faster than a person reads are left out, layers are not
            totals = {event["total"] for event in told if event["layer"] == row["digest"]}
            self.assertIn(row["size"], totals)

    def test_a_locked_registry_wants_the_right_password(self):
        self.world.locked.push(self.world.layout.directory, "plain", "keeper:rose:thorn")
        uri = self.world.locked.uri("plain")
        anonymous = self.refused(uri, "plain")
        self.assertRegex(anonymous.text, "asks for a user name and password")
        with self.assertRaises(harness.Refused) as caught:
            self.garden.create("locked", uri, username="keeper", password="rose")
        self.assertNotIn("rose", caught.exception.text)
        self.garden.create("locked", uri, username="keeper", password="rose:thorn")
        # Who has no right to it gets no copy that another one fetched.
        with self.assertRaises(harness.Refused):
            self.garden.create("thief", uri)
        self.assertEqual(["locked"], self.garden.handles())

    def test_a_token_is_fetched_with_the_password_and_used_for_one_repository(self):
        hostile = self.world.hostile
        for name in ("mine", "yours"):
            self.scripted(name, Layer().file("of-" + name, os.urandom(100)).tar())
            hostile.locked[name] = "keeper:of " + name
        before = len(hostile.requests)
        self.refused(hostile.uri("mine"), "")
        self.garden.create("mine", hostile.uri("mine"), username="keeper", password="of mine")
        with self.assertRaises(harness.Refused):
            self.garden.create("yours", hostile.uri("yours"), username="keeper", password="of mine")
        for method, path, proof in hostile.requests[before:]:
            self.assertFalse(proof.startswith("Basic ") and not path.startswith("/token?"), (method, path))
            self.assertFalse("opens-mine" in proof and "/test/yours/" in path, (method, path))

    def test_docker_manifests_and_indexes_are_read(self):
        uri = "%s/test/docker:1" % self.world.registry.address
        subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--format", "v2s2", "--dest-tls-verify=false",
                        "oci:%s:plain" % self.world.layout.directory, "docker://" + uri], check=True)
        self.garden.create("docker", self.world.registry.uri("docker"))
        _, foreign = self.scripted("foreign", Layer().file("wrong", b"").tar())
        _, right = self.scripted("right", Layer().file("right", b"").tar())
        entries = [("s390x", foreign), (layout.architecture(), right)]
        for _, text in entries:
            self.world.hostile.manifests_by_digest[sha256(text)] = text
        index = json.dumps({"schemaVersion": 2, "manifests": [
            {"mediaType": layout.MANIFEST_TYPE, "digest": sha256(text), "size": len(text),
             "platform": {"os": "linux", "architecture": name}} for name, text in entries]}).encode()
        self.world.hostile.manifest("index", index, "application/vnd.oci.image.index.v1+json")
        self.garden.create("index", self.world.hostile.uri("index"))
        pulled = next(row for row in self.garden.images() if row["reference"] == self.world.hostile.uri("index"))
        self.assertEqual(sha256(index), pulled["digest"])
        only = json.dumps({"schemaVersion": 2, "manifests": [
            {"mediaType": layout.MANIFEST_TYPE, "digest": sha256(foreign), "size": len(foreign),
             "platform": {"os": "linux", "architecture": "s390x"}}]}).encode()
        self.world.hostile.manifest("no-variant", only, "application/vnd.oci.image.index.v1+json")
        self.refused(self.world.hostile.uri("no-variant"), "it offers: linux/s390x")

    def test_an_unknown_image_is_named(self):
        error = self.refused(self.world.registry.uri("nothing"), "nothing")
        self.assertNotIn("500 Internal", error.text)

    def test_a_pinned_digest_is_kept_to(self):
        _, text = registry.manifest_of(self.world.layout.directory, "plain")
        address = "docker://%s/test/plain@" % self.world.registry.address
        self.garden.create("pinned", address + sha256(text))
        self.refused(address + "sha256:" + "0" * 64, "0" * 64)


class Damage(Case):
    def test_a_layer_with_other_bytes_is_refused(self):
        uri = self.publish("damaged", Layer().file("x", os.urandom(100_000)))
        manifest, _ = registry.manifest_of(self.world.layout.directory, "damaged")
        digest = manifest["layers"][0]["digest"]
        path = self.world.registry.blob(digest)
        with open(path, "r+b") as file:
            data = bytearray(file.read())
            data[5000] ^= 1
            file.seek(0)
            file.write(data)
        self.refused(uri, digest)
        data[5000] ^= 1
        with open(path, "wb") as file:
            file.write(data)
        self.garden.create("mended", uri)

    def test_what_a_registry_gets_wrong_is_named(self):
        tar = Layer().file("x", b"x" * 5000).tar()
        packed, kind = pack(tar)
        wrong = "sha256:" + "5" * 64
        cases = {
            "digest": (dict(digest=wrong), wrong),
            "short": (dict(size=len(packed) + 10), "ended after %d of %d bytes" % (len(packed), len(packed) + 10)),
            "long": (dict(size=len(packed) - 10), "more than the %d bytes" % (len(packed) - 10)),
            "diff-id": (dict(diff_id=wrong), wrong),
            "media": (dict(media="application/x-foreign"), "application/x-foreign"),
            "not-gzip": (dict(blob=b"GARBAGE" * 100), "gzip: not a valid stream"),
            "half-gzip": (dict(blob=packed[:len(packed) // 2]), "gzip"),
            "gzip-and-more": (dict(blob=packed + b"trailing"), ""),
        }
        for name, (how, words) in cases.items():
            with self.subTest(name):
                uri, _ = self.scripted(name, tar, **how)
                self.refused(uri, words)

    def test_a_malformed_manifest_is_named(self):
        _, good = self.scripted("fine", Layer().file("x", b"x").tar())
        both = json.loads(good)
        both["manifests"] = []
        many = json.loads(good)
        many["layers"] *= 200
        cases = {
            "empty": (b"", "manifest"), "no-json": (b"{", "manifest"), "list": (b"[]", "object"),
            "deep": (b"[" * 100_000, "manifest"), "both": (json.dumps(both).encode(), "at once"),
            "twice": (good.replace(b'"schemaVersion": 2', b'"schemaVersion": 2, "schemaVersion": 2'), "schemaVersion"),
            "schema1": (b'{"schemaVersion": 1, "fsLayers": []}', "schema 1"),
            "many": (json.dumps(many).encode(), "the limit is 127"),
            "huge": (b" " * (5 << 20), "4194304"),
            "no-config": (b'{"schemaVersion": 2, "layers": []}', "config"),
            "negative": (good.replace(b'"size": ', b'"size": -'), "size"),
        }
        for name, (text, words) in cases.items():
            with self.subTest(name):
                self.world.hostile.manifest("bad-" + name, text)
                self.refused(self.world.hostile.uri("bad-" + name), words)

    def test_a_bomb_ends_early(self):
        zeros = Layer().entry("zeros", b"0", data=b"\0" * (300 << 20)).tar()
        uri, _ = self.scripted("bomb", zeros)
        self.refused(uri, "more than the allowed ratio of 200")

    def test_two_bad_layers_leave_the_good_one_out(self):
        good = Layer().file("kept", os.urandom(1000)).tar()
        bad = Layer().file("../up", b"").tar()
        rows = [(self.world.hostile.blob(pack(t)[0]), len(pack(t)[0]), pack(t)[1]) for t in (good, bad)]
        config = layout.image_config([sha256(good), sha256(bad)], {}, ["a", "b"])
        self.world.hostile.blob(config)
        self.world.hostile.manifest("half", layout.manifest_text(config, rows))
        with self.assertRaises(harness.Refused):
            self.garden.create("half", self.world.hostile.uri("half"))
        self.garden.call("POST", "/cloche/v1/images/prune", {})


class HostileLayers(Case):
    def test_entries_that_break_the_rules_are_refused(self):
        before = tree_of(self.world.outside)
        for name, (layer, words) in samples.hostile_layers(self.world.outside).items():
            with self.subTest(name):
                self.refused(self.publish("entry-" + name, layer), words)
        self.assertEqual(before, tree_of(self.world.outside))

    def test_links_of_an_image_lead_nowhere_outside(self):
        before = tree_of(self.world.outside)
        for name, layer in samples.planted_images(self.world.outside).items():
            with self.subTest(name):
                uri = self.publish("planted-" + name, layer)
                try:
                    self.garden.create("planted", uri)
                except harness.Refused as error:
                    self.assertLess(error.status, 600)
                    self.assertGreater(len(error.text), 20, "an error says what is wrong")
                    self.assertNotIn("planted", self.garden.handles())
                else:
                    self.garden.cli("exec", "--user", "root", "planted", "--", "/bin/busybox", "sh", "-c",
                                    "echo x > /tmp/new; echo x > /dev/new; echo x > /etc/new", check=False)
                    self.garden.destroy("planted")
                self.assertEqual(before, tree_of(self.world.outside))
                self.assertEqual([], self.garden.doctor())


def main(arguments):
    global WORLD  # pylint: disable=global-statement
    if os.geteuid() != 0:
        print("SKIP: needs root")
        return SKIP
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    WORLD = World(os.path.abspath(arguments[1]))
    try:
        result = unittest.main(argv=arguments[:1] + arguments[2:], exit=False, verbosity=2).result
    finally:
        WORLD.close()
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv))
