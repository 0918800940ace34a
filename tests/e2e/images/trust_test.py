#!/usr/bin/env python3
"""The image policy, digests, collection and verification: a real registry, a real gardend.

    trust_test.py BUILD_DIRECTORY [TEST...]     as root, in namespaces of its own (see CMakeLists.txt)
"""

import json
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402  (the path is set above)
import signing  # noqa: E402
from imagekit import layout  # noqa: E402
from imagekit.images import RUN_BUSYBOX, busybox_layer  # noqa: E402
from imagekit.layers import Layer  # noqa: E402

SKIP = 77
WORLD = None


class World:
    """A registry, keys and a gardend whose policy the tests change."""

    def __init__(self, build):
        self.tmp = harness.Directory()
        self.ends = [self.tmp.remove]
        self.layout = layout.Layout(self.tmp("layout"))
        self.registry = harness.Registry(self.tmp("registry"))
        self.ends.append(self.registry.daemon.stop)
        self.client = signing.Client(self.registry.address)
        self.alice, self.mallory = (signing.Key(self.tmp.path, name) for name in ("alice", "mallory"))
        self.policy = self.tmp("policy.json")
        self.more = []
        self.garden = harness.Garden(build, self.tmp("garden"), harness.new_tag(), [self.registry.address])
        plain = self.garden.flags
        self.garden.flags = lambda: plain() + self.more
        self.ends.append(self.garden.cleanup)
        self.garden.start()

    def close(self):
        while self.ends:
            self.ends.pop()()

    def restart(self, *flags):
        self.garden.daemon.stop()
        self.more = list(flags)
        self.garden.start()

    def with_policy(self, **scopes):
        """`test/signed` must be signed by alice, `test/closed` is closed, everything else is open."""
        key = {"type": "cosign-key", "key_file": self.alice.public}
        host = self.registry.address
        text = {"version": 1, "default": [{"type": "accept-anything"}],
                "registries": {host + "/test/signed": [key], host + "/test/closed": [{"type": "reject"}]}}
        text.update(scopes)
        with open(self.policy, "w", encoding="ascii") as file:
            json.dump(text, file)
        self.restart("--image-policy", self.policy)


class Case(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.world, self.garden, self.client = WORLD, WORLD.garden, WORLD.client
        self.addCleanup(self.nothing_left)

    def nothing_left(self):
        for handle in self.garden.handles():
            self.garden.destroy(handle)
        self.assertEqual([], self.garden.doctor())
        self.world.restart()
        self.garden.call("POST", "/cloche/v1/images/prune")

    def publish(self, name, *layers):
        self.world.layout.add(name, [busybox_layer().tar()] + [layer.tar() for layer in layers], RUN_BUSYBOX)
        self.world.registry.push(self.world.layout.directory, name)
        return self.world.registry.uri(name)

    def sign(self, name, key, reference=None, digest=None):
        of = self.client.digest("test/" + name)
        text = signing.payload(reference or "%s/test/%s" % (self.world.registry.address, name), digest or of)
        self.client.sign("test/" + name, of, (text, key.sign(text)))
        return of

    def refused(self, uri, words):
        before = len(self.world.registry.requests())
        with self.assertRaises(harness.Refused) as caught:
            self.garden.create("refused", uri)
        self.assertIn(words, caught.exception.text)
        self.assertNotIn("refused", self.garden.handles())
        return self.world.registry.requests()[before:]

    def inspect(self, uri):
        return json.loads(self.garden.cli("--json", "image", "inspect", uri).stdout)

    def layer_of(self, uri, at=-1):
        diff_id = self.inspect(uri)["layers"][at]
        return os.path.join(self.garden.store, "images", "layers", "layers", diff_id.replace(":", "+"), "tree")


class Policy(Case):
    def test_an_image_is_used_only_with_the_signature_the_policy_asks_for(self):
        self.world.with_policy()
        uri = self.publish("signed", Layer().file("word", os.urandom(1000)))
        asked = self.refused(uri, "no signature")
        self.assertFalse([path for _, path in asked if "/blobs/" in path and self.is_layer("signed", path)],
                         "no layer is fetched before the decision")
        self.sign("signed", self.world.mallory)
        self.refused(uri, "not by a key of the policy")
        self.sign("signed", self.world.alice, digest="sha256:" + "1" * 64)
        self.refused(uri, "not of this image")
        self.sign("signed", self.world.alice, reference=self.world.registry.address + "/test/other")
        self.refused(uri, "not for this name")
        digest = self.sign("signed", self.world.alice)
        self.garden.create("good", uri)
        shown = self.inspect(uri)["decisions"]
        self.assertEqual(1, len(shown))
        self.assertTrue(shown[0]["accepted"])
        self.assertEqual(digest, shown[0]["proofs"][0]["digest"])
        self.assertRegex(shown[0]["proofs"][0]["key"], "^sha256:[0-9a-f]{64}$")
        self.assertEqual(self.world.registry.address + "/test/signed", shown[0]["rule"])
        self.assertIn("image accepted", self.garden.daemon.text())
        self.assertIn("image refused by the policy", self.garden.daemon.text())

    def is_layer(self, name, path):
        manifest = json.loads(self.client.request("GET", "/v2/test/%s/manifests/1" % name)[1])
        return any(path.endswith(row["digest"]) for row in manifest["layers"])

    def test_an_image_that_is_here_is_no_way_around_a_policy(self):
        uri = self.publish("signed", Layer().file("other", os.urandom(1000)))
        digest = self.client.digest("test/signed")
        pinned = "docker://%s/test/signed@%s" % (self.world.registry.address, digest)
        for one in (uri, pinned):
            self.garden.create("before", one)
            self.garden.destroy("before")
        self.world.with_policy()
        self.refused(uri, "no signature")
        self.refused(pinned, "no signature")
        self.sign("signed", self.world.alice)
        for one in (uri, pinned):
            self.garden.create("after", one)
            self.garden.destroy("after")
        # The evidence is kept: neither a registry nor its signatures are needed for the digest any more.
        before = len(self.world.registry.requests())
        self.garden.create("again", pinned)
        self.assertEqual(before, len(self.world.registry.requests()))

    def test_scopes_local_files_and_rejected_repositories(self):
        self.world.with_policy(local="reject")
        open_uri, closed_uri = self.publish("open"), self.publish("closed")
        self.garden.create("open", open_uri)
        self.assertEqual([], self.refused(closed_uri, "rejects every image"), "nobody is asked")
        self.refused("oci://%s:open" % self.world.layout.directory, "rule local")
        self.refused(self.world.layout.directory, "rule local")
        self.world.with_policy()
        self.garden.create("local", "oci://%s:open" % self.world.layout.directory)

    def test_simple_signing_from_a_directory(self):
        home = self.world.tmp("gnupg")
        os.mkdir(home, 0o700)
        lookaside, keyring = self.world.tmp("signatures"), self.world.tmp("keys")

        def gpg(*words, text=b""):
            return subprocess.run(["gpg", "--homedir", home, "--batch", "--yes", "--passphrase", "", *words], input=text,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout

        self.addCleanup(subprocess.run, ["gpgconf", "--homedir", home, "--kill", "all"], check=False)
        gpg("--quick-generate-key", "tester <tester@example.com>", "ed25519", "sign", "0")
        gpg("--output", keyring, "--export")
        requirement = {"type": "simple-signing", "keyring": keyring, "lookaside": lookaside}
        self.world.with_policy(registries={self.world.registry.address + "/test/simple": [requirement]})
        uri = self.publish("simple", Layer().file("word", os.urandom(1000)))
        self.refused(uri, "no signature")
        digest = self.client.digest("test/simple")
        place = os.path.join(lookaside, "test/simple@" + digest.replace(":", "="))
        os.makedirs(place)
        said = {"critical": {"identity": {"docker-reference": self.world.registry.address + "/test/simple:1"},
                             "image": {"docker-manifest-digest": digest}, "type": "atomic container signature"},
                "optional": {}}
        with open(os.path.join(place, "signature-1"), "wb") as file:
            file.write(gpg("--sign", text=json.dumps(said).encode()))
        self.garden.create("simple", uri)
        proof = self.inspect(uri)["decisions"][0]["proofs"][0]
        self.assertEqual("simple-signing", proof["requirement"])
        self.assertRegex(proof["key"], "^[0-9A-F]{40}$")

    def test_a_policy_that_cannot_be_used_ends_the_start(self):
        for text, words in (("{", "JSON"), ('{"version":1,"default":[{"type":"notation"}]}', "notation"),
                            ('{"version":1,"default":[{"type":"reject"}],"extra":1}', "extra")):
            with open(self.world.policy, "w", encoding="ascii") as file:
                file.write(text)
            done = subprocess.run([os.path.join(self.garden.bin, "gardend"), "--check-config", "--image-policy",
                                   self.world.policy], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertNotEqual(0, done.returncode)
            self.assertIn(words, done.stderr.decode())

    def test_without_a_policy_the_features_say_so(self):
        self.assertIn("unsigned images permitted", self.garden.cli("features").stdout.decode())


class Digests(Case):
    def test_a_container_tells_the_digest_its_tag_stood_for(self):
        uri = self.publish("moving", Layer().file("one", b"1"))
        first = self.client.digest("test/moving")
        self.garden.create("old", uri)
        self.publish("moving", Layer().file("two", b"2"))
        second = self.client.digest("test/moving")
        self.garden.create("new", uri)
        self.assertNotEqual(first, second)
        for handle, digest in (("old", first), ("new", second)):
            properties = self.garden.call("GET", "/containers/%s/info" % handle)["Properties"]
            self.assertEqual(digest, properties["garden.image.digest"])

    def test_only_digests_when_the_configuration_says_so(self):
        uri = self.publish("pinned")
        digest = self.client.digest("test/pinned")
        self.world.restart("--require-image-digest")
        self.refused(uri, "require_digest")
        self.garden.create("pinned", "docker://%s/test/pinned@%s" % (self.world.registry.address, digest))


class Verify(Case):
    def verdict(self, *arguments):
        done = self.garden.cli("--json", "image", "verify", *arguments, check=False)
        return done.returncode, json.loads(done.stdout)

    def test_a_damaged_layer_is_found_and_fetched_again(self):
        uri = self.publish("fragile", Layer().file("word", b"whole").file("gone", b"x").directory("d"))
        self.garden.create("running", uri)
        self.assertEqual((0, True), (lambda code, found: (code, found["good"]))(*self.verdict(uri)))
        tree = self.layer_of(uri)
        with open(os.path.join(tree, "word"), "r+b") as file:
            file.write(b"W")
        os.unlink(os.path.join(tree, "gone"))
        os.chmod(os.path.join(tree, "d"), 0o700)
        with open(os.path.join(tree, "new"), "wb"):
            pass
        code, found = self.verdict("--all")
        self.assertEqual((1, False), (code, found["good"]))
        bad = next(row for row in found["layers"] if row["state"] == "damaged")
        text = "\n".join(bad["findings"])
        for words in ("changed: word (time, content)", "missing: gone", "changed: d (mode)", "added: new"):
            self.assertIn(words, text)
        self.assertIn(uri, bad["images"])
        # The container that has it mounted is left alone; the next one gets a whole layer.
        self.assertEqual("Whole", self.garden.run("running", "/bin/cat", "/word"))
        before = len(self.world.registry.requests())
        self.garden.create("next", uri)
        self.assertTrue([path for _, path in self.world.registry.requests()[before:] if "/blobs/" in path])
        self.assertEqual("whole", self.garden.run("next", "/bin/cat", "/word"))
        self.assertEqual("Whole", self.garden.run("running", "/bin/cat", "/word"))
        self.assertEqual(0, self.verdict(uri)[0])
        retired = os.path.join(self.garden.store, "images", "layers", "retired")
        self.assertEqual(1, len(os.listdir(retired)))
        for handle in ("running", "next"):
            self.garden.destroy(handle)
        self.garden.cli("image", "prune")
        self.assertEqual([], os.listdir(retired))

    def test_damage_is_remembered_by_the_next_daemon(self):
        uri = self.publish("remembered", Layer().file("word", b"whole"))
        self.garden.create("running", uri)
        os.chown(os.path.join(self.layer_of(uri), "word"), 7, 7)
        self.assertEqual(1, self.verdict(uri)[0])
        self.world.restart()
        self.garden.create("next", uri)
        self.assertEqual("0", self.garden.run("next", "/bin/stat", "-c", "%u", "/word").strip())


class Collection(Case):
    def names(self):
        return {row["reference"].rsplit("/", 1)[1].split("#")[0] for row in self.garden.images()}

    def test_prune_spares_what_is_held_and_what_is_young(self):
        held, free = self.publish("held"), self.publish("free", Layer().file("x", b"x"))
        self.garden.create("holder", held)
        self.garden.cli("image", "pull", free)
        self.garden.cli("image", "prune", "--older-than", "1h")
        self.assertEqual({"held", "free"}, self.names())
        self.garden.cli("image", "prune", "--all")
        self.assertEqual({"held"}, self.names())

    def test_over_the_watermark_the_least_recently_used_goes_before_a_pull(self):
        for name in ("first", "second"):
            self.garden.cli("image", "pull", self.publish(name, Layer().file(name, os.urandom(1 << 20))))
        self.garden.daemon.stop()
        last_use = os.path.join(self.garden.store, "images", "last-use")
        with open(last_use, encoding="ascii") as file:
            rows = dict(line.split() for line in file)
        manifests = {name: self.client.digest("test/" + name) for name in ("first", "second")}
        for at, name in ((1000, "second"), (2000, "first")):
            rows[manifests[name]] = str(at)
        with open(last_use, "w", encoding="ascii") as file:
            file.writelines("%s %s\n" % row for row in rows.items())
        images = os.path.join(self.garden.store, "images", "images")
        for name in os.listdir(images):  # pulled long ago, too
            with open(os.path.join(images, name), encoding="ascii") as file:
                record = json.load(file)
            record["created_at"] = 500
            with open(os.path.join(images, name), "w", encoding="ascii") as file:
                json.dump(record, file)
        used = self.size() + 100_000  # the third one is a little larger as it travels
        self.world.more = ["--image-gc-high-watermark", str(used), "--image-gc-low-watermark", str(used)]
        self.garden.start()
        self.garden.cli("image", "pull", self.publish("third", Layer().file("third", os.urandom(1 << 20))))
        self.assertEqual({"first", "third"}, self.names())
        self.assertIn("images collected", self.garden.daemon.text())

    def size(self):
        total, layers = 0, os.path.join(self.garden.store, "images", "layers", "layers")
        for name in os.listdir(layers):
            with open(os.path.join(layers, name, "record"), encoding="ascii") as file:
                total += int(dict(line.split(" ", 1) for line in file)["bytes"])
        return total


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
