"""Certificates of instances (executor-rep §13), judged by openssl and read by processes in real containers."""

import os
import re
import shutil
import subprocess
import time
import unittest

from case import Case, name
from cell import Cell, wait_for

INSIDE = "/etc/cf-instance-credentials"
PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\n.*?-----END \1-----", re.S)


def openssl(*words, text=None):
    done = subprocess.run(["openssl", *words], input=text, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr, text)
    return done.stdout.strip()


def authority_flags(home):
    """Makes an authority below `home`; the flags with which celld signs by it."""
    certificate, key = os.path.join(home, "ca.crt"), os.path.join(home, "ca.key")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=authority of the test", "-addext", "keyUsage=critical,keyCertSign", "-keyout", key, "-out", certificate)
    return ["--identity-ca-certificate", certificate, "--identity-ca-key", key]


def pair_in(text):
    """The leaf and the key of what was printed: cat of both files."""
    found = [(one.group(1), one.group(0) + "\n") for one in PEM.finditer(text)]
    certificates = [pem for kind, pem in found if kind == "CERTIFICATE"]
    keys = [pem for kind, pem in found if kind.endswith("PRIVATE KEY")]
    assert len(certificates) == 2 and len(keys) == 1, [kind for kind, _ in found]
    return certificates[0], keys[0]


def subject(certificate):
    return openssl("x509", "-noout", "-subject", "-nameopt", "RFC2253", text=certificate).removeprefix("subject=").strip()


class Checks:
    def assert_pair(self, certificate, key):
        self.assertEqual(openssl("x509", "-noout", "-pubkey", text=certificate), openssl("pkey", "-pubout", text=key))

    def assert_nobody(self, certificate):
        self.assertEqual(subject(certificate), "")
        self.assertNotIn("DNS:", openssl("x509", "-noout", "-text", text=certificate))


SHOW = "cat $CF_INSTANCE_CERT $CF_INSTANCE_KEY"


class Identity(Checks, Case):
    def directory(self, guid=""):
        return os.path.join(self.cell.state, "credentials", guid)

    def inodes(self, guid):
        return wait_for("an inode", lambda: {line for line in self.cell.text(guid).splitlines() if line.endswith(INSIDE)})

    def test_an_instance_has_a_certificate_in_its_own_name(self):
        guid = name()
        units = ["app:a1", "space:s1", "organization:o1"]
        self.cell.run(guid, f"id -u; {SHOW}; echo CERT=$CF_INSTANCE_CERT; echo KEY=$CF_INSTANCE_KEY; exec sleep 1000",
                      certificate_properties={"organizational_unit": units})
        self.cell.until(guid, "running")
        wait_for("both files", lambda: "KEY=" in self.cell.text(guid))
        text = self.cell.text(guid)
        self.assertTrue(any(line == "1000" for line in text.splitlines()), text)
        self.assertIn(f"CERT={INSIDE}/instance.crt", text)
        self.assertIn(f"KEY={INSIDE}/instance.key", text)
        certificate, key = pair_in(text)
        self.assert_pair(certificate, key)
        leaf = os.path.join(self.cell.home, guid + ".crt")
        with open(leaf, "w") as out:
            out.write(certificate)
        for purpose in ("sslserver", "sslclient"):
            openssl("verify", "-purpose", purpose, "-CAfile", os.path.join(self.cell.home, "ca.crt"), leaf)
        names = subject(certificate).split(",")
        self.assertIn(f"CN={guid}", names)
        self.assertEqual({f"OU={unit}" for unit in units}, {one for one in names if one.startswith("OU=")})
        alternatives = openssl("x509", "-noout", "-ext", "subjectAltName", text=certificate)
        self.assertIn(f"DNS:{guid}", alternatives)
        self.assertIn(f"IP Address:{self.cell.get(guid)['internal_ip']}", alternatives)

    def test_nobody_in_the_container_changes_them_and_nobody_else_reaches_them(self):
        guid = name()
        self.cell.run(guid, f"touch {INSIDE}/x || echo refused; rm {INSIDE}/instance.key || echo kept; exec sleep 1000",
                      user="root")
        wait_for("the attempts", lambda: "kept" in self.cell.text(guid))
        self.assertIn("refused", self.cell.text(guid))
        self.assertEqual(os.stat(self.directory()).st_mode & 0o777, 0o700)

    def test_whoever_is_told_to_stop_names_nobody_any_more(self):
        guid = name()
        self.cell.run(guid, f"trap 'echo TERM; {SHOW}; sleep 1; exit 0' TERM; echo trapped; while true; do sleep 0.1; done")
        wait_for("the trap", lambda: "trapped" in self.cell.text(guid))
        self.assertEqual(self.cell.call("POST", f"/containers/{guid}/stop").status, 200)
        self.assertTrue(self.cell.result(guid)["stopped"])
        certificate, key = pair_in(self.cell.text(guid).split("TERM", 1)[1])
        self.assert_pair(certificate, key)
        self.assert_nobody(certificate)

    def test_new_routes_do_not_touch_what_the_instance_has(self):
        guid = name()
        self.cell.run(guid, internal_routes=[{"hostname": "a.internal"}])
        self.cell.until(guid, "running")
        before = [os.stat(os.path.join(self.directory(guid), file)).st_ino for file in ("instance.crt", "instance.key")]
        for host in ("b.internal", "c.internal"):
            answer = self.cell.call("PUT", f"/containers/{guid}/update", {"internal_routes": [{"hostname": host}]})
            self.assertEqual(answer.status, 202, answer.body)
        self.assertEqual(self.cell.get(guid)["internal_routes"], [{"hostname": "c.internal"}])
        after = [os.stat(os.path.join(self.directory(guid), file)).st_ino for file in ("instance.crt", "instance.key")]
        self.assertEqual(after, before)

    def test_a_deletion_leaves_no_credentials(self):
        guids = [name() for _ in range(3)]
        for guid in guids:
            self.cell.run(guid)
        for guid in guids:
            self.cell.until(guid, "running")
            self.assertEqual(sorted(os.listdir(self.directory(guid))), ["instance.crt", "instance.key"])
        for guid in guids:
            self.assertEqual(self.cell.delete(guid).status, 200)
            self.assertFalse(os.path.exists(self.directory(guid)))

    def test_credentials_go_even_if_the_backend_cannot_destroy(self):
        guid = name()
        self.cell.run(guid)
        self.cell.until(guid, "running")
        self.cell.call("POST", f"/containers/{guid}/stop")
        self.cell.result(guid)
        self.cell.kill("garden")
        try:
            self.assertNotEqual(self.cell.delete(guid).status, 200)
            self.assertFalse(os.path.exists(self.directory(guid)))
        finally:
            self.cell.start_garden()
        self.assertEqual(self.cell.delete(guid).status, 200)

    def test_a_directory_that_others_could_read_is_not_used(self):
        first = name()
        self.cell.run(first, "exit 0")
        self.assertFalse(self.cell.result(first)["failed"])
        os.chmod(self.directory(), 0o755)
        try:
            guid = name()
            self.cell.run(guid)
            result = self.cell.result(guid)
        finally:
            os.chmod(self.directory(), 0o700)
        self.assertTrue(result["failed"] and result["Retryable"], result)
        self.assertTrue(result["failure_reason"].startswith("failed to create credentials directory"), result)

    def test_a_restart_keeps_what_is_good_and_removes_what_is_nobodys(self):
        guid = name()
        self.cell.run(guid, f"while true; do ls -id {INSIDE}; sleep 0.2; done")
        self.cell.until(guid, "running")
        inodes = self.inodes(guid)
        with open(os.path.join(self.directory(guid), "instance.crt")) as file:
            before = file.read()
        os.mkdir(self.directory("left-over"))
        self.cell.kill("celld")
        self.cell.start_celld()
        with open(os.path.join(self.directory(guid), "instance.crt")) as file:
            self.assertEqual(file.read(), before)
        self.assertFalse(os.path.exists(self.directory("left-over")))
        self.assertEqual(self.inodes(guid), inodes)
        self.cell.call("POST", f"/containers/{guid}/stop")
        self.cell.result(guid)
        with open(os.path.join(self.directory(guid), "instance.crt")) as file:
            self.assert_nobody(PEM.search(file.read()).group(0))


# Every pair it finds is printed once; a file that is empty or cut off is torn.
READER = f"""
last=; n=0
while true; do
  crt=$(cat $CF_INSTANCE_CERT); key=$(cat $CF_INSTANCE_KEY); again=$(cat $CF_INSTANCE_CERT)
  case "$crt" in *"END CERTIFICATE-----") ;; *) echo TORN certificate;; esac
  case "$key" in *"PRIVATE KEY-----") ;; *) echo TORN key;; esac
  n=$((n+1))
  # The certificate comes last: equal before and after but new means that its key is there.
  if [ "$crt" = "$again" ] && [ "$crt" != "$last" ]; then
    echo PAIR $n $(ls -id {INSIDE}); echo "$crt"; cat $CF_INSTANCE_KEY; echo OVER; last=$crt
  fi
done
"""


class IdentityRotation(Checks, unittest.TestCase):
    """A cell whose certificates live for 16 seconds, and are replaced after 14."""

    @classmethod
    def setUpClass(cls):
        import case  # what the program made first

        cls.cell = Cell(case.cell.programs, shutil.which("busybox"), tag="ci", pool="10.213.16.0/20")
        cls.cell.words = [*authority_flags(cls.cell.home), "--identity-validity", "16s", "--garden-check=false",
                          "--rep-listen", "tcp://127.0.0.1:0"]
        cls.addClassCleanup(cls.cell.stop)
        cls.cell.start()

    def pairs(self, guid):
        return self.cell.text(guid).split("PAIR ")[1:]

    def wait_for_pairs(self, guid, count, seconds):
        def there():
            self.assertNotIn("TORN", self.cell.text(guid))
            whole = [pair for pair in self.pairs(guid) if "OVER" in pair]
            return whole if len(whole) >= count else None

        return wait_for(f"{count} pairs", there, seconds)

    def test_files_are_replaced_whole_while_they_are_read_and_after_a_kill(self):
        guid = name()
        self.cell.run(guid, READER)
        self.cell.until(guid, "running")
        pairs = self.wait_for_pairs(guid, 2, 40)
        self.cell.kill("celld")
        time.sleep(15)  # their time passes while nobody is there
        self.cell.start_celld()
        # What is due is replaced at once, not at the next turn. Earlier lines went with celld.
        pairs += self.wait_for_pairs(guid, 1, 10)
        serials, inodes = set(), set()
        for text in pairs:
            certificate, key = pair_in(text)
            self.assert_pair(certificate, key)
            self.assertIn(f"CN={guid}", subject(certificate))
            serials.add(openssl("x509", "-noout", "-serial", text=certificate))
            inodes.add(text.split()[1])
        self.assertEqual((len(serials), len(inodes)), (len(pairs), 1))
        self.assertEqual(self.cell.delete(guid).status, 200)
        self.assertEqual(os.listdir(os.path.join(self.cell.state, "credentials")), [])
        self.assertEqual((self.cell.handles(), self.cell.doctor()), (set(), []))
