#!/usr/bin/env python3
"""The program launcher as a recipe calls it: droplets, images with and without a shell, environments byte for byte.

launcher_test.py PROGRAMS    exit 77: not root (for the image without a shell)
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

if os.geteuid() != 0:
    print("SKIP: needs root for a root directory of its own")
    sys.exit(77)

PROGRAM = os.path.join(sys.argv.pop(1), "launcher")
PATH = "/usr/bin:/bin"


class Case(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="launcher-")))
        self.addCleanup(shutil.rmtree, self.home)

    def launch(self, *arguments, environment=None, root=None):
        done = subprocess.run([PROGRAM if root is None else "/launcher", *arguments], env={"PATH": PATH, **(environment or {})},
                              cwd=self.home if root is None else None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=30,
                              preexec_fn=None if root is None else lambda: (os.chroot(root), os.chdir("/")))
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def output(self, *arguments, **more):
        code, out, complaint = self.launch(*arguments, **more)
        self.assertEqual((code, complaint), (0, ""))
        return out

    def write(self, name, text, mode=0o644):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def variables(self, environment, metadata='{"cmd":["env","-0"]}'):
        return self.output("app", "", metadata, environment=environment)


class Droplet(Case):
    def setUp(self):
        super().setUp()
        (self.home / "app").mkdir()
        self.write("staging_info.yml", json.dumps({"detected_buildpack": "b", "start_command": "echo staged"}))

    def test_home_and_its_kin_are_absolute(self):
        for app in ("app", "./app/", str(self.home) + "/tmp/../app"):
            out = self.output(app, 'printf "%s\\n" "$HOME" "$TMPDIR" "$DEPS_DIR" "$PWD"', "{}")
            home = str(self.home)
            self.assertEqual(out, f"{home}/app\n{home}/tmp\n{home}/deps\n{home}/app\n")

    def test_the_command_is_the_argument_then_the_metadata_then_what_staging_wrote(self):
        metadata = '{"start_command":"echo metadata"}'
        self.assertEqual(self.output("app", "echo argument", metadata), "argument\n")
        self.assertEqual(self.output("app", "", metadata), "metadata\n")
        self.assertEqual(self.output("app", "", "{}"), "staged\n")
        self.assertEqual(self.output("app", "", ""), "staged\n")
        # A droplet of 2015 has no staging_info.yml; its metadata shows what it is.
        os.unlink(self.home / "staging_info.yml")
        self.assertEqual(self.output("app", "", '{"start_command":"pwd"}'), f"{self.home}/app\n")

    def test_profile_scripts_run_in_their_order_in_the_shell_that_becomes_the_app(self):
        # Each sees what came before it, and may do what it likes to the launcher's words.
        self.write("profile.d/1.sh", 'export SEEN="one:$PWD"')
        self.write("profile.d/2.sh", 'SEEN="$SEEN two"; set -- other words; cd /')
        self.write("app/.profile.d/a b.sh", 'SEEN="$SEEN three"; [[ x == x ]] || SEEN=not-bash')
        self.write("app/.profile", 'SEEN="$SEEN four"; ALONE=1; cd "$HOME"')
        (self.home / "profile.d/directory").mkdir()
        out = self.output("app", 'echo "$SEEN $ALONE $PWD $$"; exec sh -c \'echo $$ "$@"\' x "a  b"', "{}")
        first, second = out.splitlines()
        self.assertEqual(first.rsplit(" ", 1)[0], f"one:{self.home}/app two three four  {self.home}/app")
        self.assertEqual(second, first.rsplit(" ", 1)[1] + " a  b", "the app is the process that was started")

    def test_a_profile_script_that_exits_ends_the_app(self):
        self.write("app/.profile", "exit 42")
        self.assertEqual(self.launch("app", "echo no", "{}"), (42, "", ""))

    def test_the_app_ends_with_its_own_code(self):
        self.assertEqual(self.launch("app", "exit 7", "{}")[0], 7)

    def test_a_buildpack_may_put_a_program_in_front(self):
        prefix = self.write("deps/0/prefix", '#!/bin/sh\necho "prefix: $*"\n', 0o755)
        self.write("staging_info.yml", json.dumps({"start_command": "run it", "config": {"entrypoint_prefix": str(prefix)}}))
        self.assertEqual(self.output("app", "", "{}"), "prefix: run it\n")

    def test_nothing_to_run_and_what_does_not_read(self):
        self.write("staging_info.yml", '{"detected_buildpack":""}')
        self.assertEqual(self.launch("app", "", "{}"),
                         (1, "", "launcher: no start command was given, and staging has found none\n"))
        self.write("staging_info.yml", "start_command: yaml")
        self.assertEqual(self.launch("app", "", "{}"), (1, "", "launcher: staging_info.yml is not a JSON object\n"))
        self.assertEqual(self.launch("app", "true", "[]")[0], 1)

    def test_a_directory_that_is_not_there(self):
        shutil.rmtree(self.home / "app")
        self.assertEqual(self.launch("app", "true", "{}"),
                         (4, "", f"launcher: enter the directory {self.home}/app: no such file or directory\n"))

    def test_without_bash_it_says_so(self):
        empty = self.home / "empty"
        empty.mkdir()
        self.assertEqual(self.launch("app", "true", "{}", environment={"PATH": str(empty)}),
                         (4, "", "launcher: run bash: no such file or directory\n"))


class Image(Case):
    def test_entrypoint_and_cmd_run_as_they_are(self):
        self.assertEqual(self.output("app", "", '{"entrypoint":["printf","%s|"],"cmd":["$HOME","a  b"]}'), "$HOME|a  b|")
        self.assertEqual(self.output("app", "", '{"cmd":["/bin/echo","only","cmd"]}'), "only cmd\n")
        self.assertEqual(self.output("app", "", '{"entrypoint":["echo"]}'), "\n")

    def test_a_start_command_goes_to_the_shell(self):
        self.assertEqual(self.output("app", "echo $((1+1)); pwd", '{"cmd":["no"],"workdir":"/usr"}'), "2\n/usr\n")
        self.assertEqual(self.output("app", "pwd", ""), "/\n")

    def test_a_relative_program_is_found_in_the_working_directory(self):
        self.write("work/tool", "#!/bin/sh\npwd\n", 0o755)
        self.assertEqual(self.output("app", "", json.dumps({"entrypoint": ["./tool"], "workdir": str(self.home / "work")})),
                         f"{self.home}/work\n")

    def test_path_is_searched_past_what_may_not_run(self):
        self.write("a/tool", "#!/bin/sh\necho a\n", 0o644)
        self.write("b/tool", "#!/bin/sh\necho b\n", 0o755)
        self.write("a/alone", "", 0o644)
        path = {"PATH": f":{self.home}/none:{self.home}/a:{self.home}/b"}
        self.assertEqual(self.output("app", "", '{"cmd":["tool"]}', environment=path), "b\n")
        self.assertEqual(self.launch("app", "", '{"cmd":["alone"]}', environment=path),
                         (4, "", "launcher: run alone: permission denied\n"))
        self.assertEqual(self.launch("app", "", '{"cmd":["nowhere"]}', environment=path),
                         (4, "", "launcher: run nowhere: no such file or directory\n"))

    def test_what_is_no_program_is_not_handed_to_a_shell(self):
        self.write("a/tool", "echo from sh\n", 0o755)
        self.assertEqual(self.launch("app", "", '{"cmd":["tool"]}', environment={"PATH": f"{self.home}/a"}),
                         (4, "", "launcher: run tool: exec format error\n"))

    def test_an_image_without_a_shell(self):
        busybox = next(p for p in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(p))
        shutil.copy(PROGRAM, self.home / "launcher")
        (self.home / "opt").mkdir()
        shutil.copy(busybox, self.home / "opt/busybox")
        run = '{"entrypoint":["busybox","env"],"workdir":"/opt"}'
        self.assertEqual(self.output("app", "", run, environment={"PATH": "/opt", "A": "1"}, root=self.home), "PATH=/opt\nA=1\n")
        self.assertEqual(self.launch("app", "echo hi", run, root=self.home),
                         (4, "", "launcher: run /bin/sh: no such file or directory\n"))

    def test_nothing_to_run(self):
        for metadata in ("", "{}", '{"cmd":[],"entrypoint":null}'):
            self.assertEqual(self.launch("app", "", metadata),
                             (1, "", "launcher: no start command was given, and staging has found none\n"))

    def test_metadata_that_does_not_read(self):
        for metadata, words in (("{", "the metadata is not a JSON object"), ('{"cmd":"sh"}', "the metadata: cmd is not a list of texts"),
                                ('{"entrypoint":[1]}', "the metadata: entrypoint is not a list of texts"),
                                ('{"workdir":7}', "the metadata: workdir is not a text")):
            self.assertEqual(self.launch("app", "", metadata), (1, "", f"launcher: {words}\n"))

    def test_a_working_directory_that_is_not_there(self):
        self.assertEqual(self.launch("app", "", '{"cmd":["true"],"workdir":"/nowhere"}'),
                         (4, "", "launcher: enter the directory /nowhere: no such file or directory\n"))

    def test_too_few_arguments(self):
        for arguments in ((), ("app",), ("app", "true")):
            code, out, complaint = self.launch(*arguments)
            self.assertEqual((code, out), (1, ""))
            self.assertIn("usage: launcher APP_DIRECTORY START_COMMAND EXECUTION_METADATA", complaint)


class Environment(Case):
    def test_the_description_of_the_app_gets_what_only_the_cell_knows(self):
        out = self.variables({"VCAP_APPLICATION": '{"name":"a","port":1,"limits":{"mem":64}}', "PORT": "8080",
                              "INSTANCE_GUID": "g-1", "INSTANCE_INDEX": "3", "X": "1"})
        self.assertEqual(out, 'PATH=/usr/bin:/bin\0VCAP_APPLICATION={"name":"a","port":8080,"limits":{"mem":64},"host":"0.0.0.0",'
                              '"instance_id":"g-1","instance_index":3}\0PORT=8080\0INSTANCE_GUID=g-1\0INSTANCE_INDEX=3\0X=1\0')

    def test_a_task_has_no_port_and_no_index(self):
        self.assertEqual(self.variables({"VCAP_APPLICATION": "{}"}),
                         'PATH=/usr/bin:/bin\0VCAP_APPLICATION={"host":"0.0.0.0","instance_id":""}\0')

    def test_a_description_that_is_no_object_is_left_alone(self):
        for text in ("", "{", "[]", "null", "[" * 5000 + "]" * 5000):
            self.assertEqual(self.variables({"VCAP_APPLICATION": text}), f"PATH=/usr/bin:/bin\0VCAP_APPLICATION={text}\0")

    def services(self, *uris):
        rows = {f"z{99 - i}": [{"name": "n"}, {"credentials": {"uri": uri}}] for i, uri in enumerate(uris)}
        return json.dumps({"other": 7, "none": [], **rows})

    def test_the_first_database_is_the_url(self):
        for uri, url in (("mysql://u:p@h/d", "mysql2://u:p@h/d"), ("mysql2://h/d", "mysql2://h/d"),
                         ("postgres://h/d?a=b", "postgres://h/d?a=b"), ("postgresql://h", "postgres://h")):
            services = self.services("redis://h", "mysqlx://h", "nonsense", uri, "postgres://second")
            self.assertEqual(self.variables({"VCAP_SERVICES": services, "DATABASE_URL": "old"}),
                             f"PATH=/usr/bin:/bin\0VCAP_SERVICES={services}\0DATABASE_URL={url}\0")

    def test_services_without_a_database(self):
        for services in ("{}", "[]", self.services("redis://h"), ""):
            self.assertEqual(self.variables({"VCAP_SERVICES": services}), f"PATH=/usr/bin:/bin\0VCAP_SERVICES={services}\0")

    def test_services_in_a_file(self):
        path = self.write("services", self.services("postgres://h/d"))
        self.assertEqual(self.variables({"VCAP_SERVICES_FILE_PATH": str(path)}),
                         f"PATH=/usr/bin:/bin\0VCAP_SERVICES_FILE_PATH={path}\0DATABASE_URL=postgres://h/d\0")

    def test_services_that_do_not_read(self):
        secret = '{"a":[{"credentials":{"password":"hunter2"'
        self.assertEqual(self.launch("app", "", '{"cmd":["true"]}', environment={"VCAP_SERVICES": secret}),
                         (3, "", "launcher: VCAP_SERVICES is not valid JSON\n"))
        code, _, complaint = self.launch("app", "", '{"cmd":["true"]}', environment={"VCAP_SERVICES_FILE_PATH": "/nowhere"})
        self.assertEqual(code, 3)
        self.assertIn("VCAP_SERVICES_FILE_PATH: ", complaint)

    def test_a_droplet_gets_the_same(self):
        (self.home / "app").mkdir()
        self.write("staging_info.yml", "{}")
        out = self.output("app", 'echo "$VCAP_APPLICATION $DATABASE_URL"', "{}",
                          environment={"VCAP_APPLICATION": "{}", "PORT": "61001", "VCAP_SERVICES": self.services("mysql://h")})
        self.assertEqual(out, '{"host":"0.0.0.0","instance_id":"","port":61001} mysql2://h\n')


if __name__ == "__main__":
    unittest.main()
