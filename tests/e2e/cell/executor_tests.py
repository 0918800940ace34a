"""The acceptance list of the executor (executor-rep §21), against real containers."""

import io
import os
import subprocess
import tarfile
import time

from case import Case, name
from cell import Cell, Stream, sh, wait_for


class Reservations(Case):
    def test_a_reservation_is_listed_and_lowers_what_remains(self):
        before = self.cell.remaining()
        guid = name()
        self.assertEqual(self.cell.allocate(guid, memory_mb=64, disk_mb=16, Tags={"a": "b:c"}), {})
        found = self.cell.get(guid)
        self.assertEqual((found["state"], found["memory_mb"], found["Tags"]), ("reserved", 64, {"a": "b:c"}))
        after = self.cell.remaining()
        self.assertEqual(after, {"memory_mb": before["memory_mb"] - 64, "disk_mb": before["disk_mb"] - 16,
                                 "containers": before["containers"] - 1})
        listed = self.cell.call("GET", "/containers?tag=a:b:c").json()
        self.assertEqual([one["guid"] for one in listed], [guid])
        self.assertEqual(self.cell.call("GET", "/containers?tag=a:x").json(), [])

    def test_what_does_not_fit_is_refused_with_its_error(self):
        guid = name()
        self.assertEqual(self.cell.allocate(guid), {})
        self.assertIn("container guid not available", self.cell.allocate(guid)[guid])
        self.assertIn("container guid not specified", self.cell.allocate("")[""])
        big = name()
        refused = self.cell.allocate(big, memory_mb=1 << 30)
        self.assertIn("insufficient resources available: memory_mb", refused[big])
        bad = "../x"
        self.assertIn("container limits invalid: guid", self.cell.allocate(bad)[bad])
        self.assertEqual(set(self.cell.list()), {guid})

    def test_a_request_that_is_no_json_changes_nothing(self):
        answer = self.cell.call("POST", "/containers", "{[")
        self.assertEqual(answer.status, 400)
        missing = self.cell.call("POST", "/containers/none/run", self.cell.recipe("true"))
        self.assertEqual((missing.status, missing.headers["X-Executor-Error"]), (404, "ContainerNotFound"))
        guid = name()
        self.cell.allocate(guid)
        answer = self.cell.call("POST", f"/containers/{guid}/run", {"rootfs": "x", "run": {"run": {"path": ""}}})
        self.assertEqual((answer.status, answer.headers["X-Executor-Error"]), (400, "StepsInvalid"))
        self.assertIn(b"run.run.path: must not be empty", answer.body)
        self.assertEqual(self.cell.get(guid)["state"], "reserved")

    def test_running_twice_is_an_invalid_transition(self):
        guid = name()
        self.cell.run(guid)
        again = self.cell.call("POST", f"/containers/{guid}/run", self.cell.recipe("true"))
        self.assertEqual((again.status, again.headers["X-Executor-Error"]), (409, "InvalidStateTransition"))

    def test_the_recipe_of_2015_comes_with_the_allocation(self):
        guid = name()
        self.assertEqual(self.cell.allocate(guid, **self.cell.recipe("exit 3")), {})
        self.assertEqual(self.cell.call("POST", f"/containers/{guid}/run").status, 201)
        self.assertIn("Exited with status 3", self.cell.result(guid)["failure_reason"])


class Lives(Case):
    def test_without_a_monitor_a_started_process_is_running(self):
        events = Stream(self.cell.socket, "/events")
        guid = name()
        self.cell.run(guid)
        found = self.cell.until(guid, "running")
        self.assertTrue(found["routable"])
        wait_for("events", lambda: events.of(guid) == ["container_reserved", "container_running"])
        info = self.cell.garden_call("GET", f"/containers/{guid}/info").json()
        self.assertEqual(info["Properties"]["executor:owner"], "executor")
        self.assertEqual(self.cell.delete(guid).status, 200)
        wait_for("the last event", lambda: events.of(guid)[-1] == "container_complete")
        self.assertEqual(events.of(guid).count("container_complete"), 1)
        events.close()
        self.assertNotIn(guid, self.cell.handles())

    def test_a_task_that_ends_well_has_not_failed(self):
        guid = name()
        self.cell.run(guid, "echo hello; echo trouble >&2; echo -n result > /tmp/result")
        result = self.cell.result(guid)
        self.assertEqual((result["failed"], result["failure_reason"], result["stopped"]), (False, "", False))
        lines = self.cell.lines(guid)
        self.assertIn(("LOG", "hello"), lines)
        self.assertIn(("LOG", "trouble"), lines)
        self.assertIn(("LOG", "Exit status 0"), lines)
        answer = self.cell.call("GET", f"/containers/{guid}/files?source=/tmp/result")
        self.assertEqual(answer.headers["Content-Type"], "application/x-tar")
        with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
            self.assertEqual(tar.extractfile(tar.getmembers()[0]).read(), b"result")

    def test_a_task_that_fails_says_so(self):
        guid = name()
        self.cell.run(guid, "exit 17", log_config={"guid": "l", "source_name": "APP"})
        result = self.cell.result(guid)
        self.assertTrue(result["failed"])
        self.assertEqual(result["failure_reason"], "APP: Exited with status 17")
        self.assertFalse(result["Retryable"])

    def test_a_container_that_cannot_be_created_completes_with_an_event(self):
        events = Stream(self.cell.socket, "/events")
        guid = name()
        self.cell.run(guid, rootfs=os.path.join(self.cell.home, "no-such-rootfs"))
        result = self.cell.result(guid)
        self.assertTrue(result["failed"] and result["Retryable"])
        self.assertTrue(result["failure_reason"].startswith("failed to create container"), result)
        wait_for("the event", lambda: events.of(guid)[-1:] == ["container_complete"])
        events.close()

    def test_stop_leaves_the_container_completed(self):
        guid = name()
        self.cell.run(guid, "trap 'echo ending; exit 0' TERM; while true; do sleep 0.1; done")
        self.cell.until(guid, "running")
        self.assertEqual(self.cell.call("POST", f"/containers/{guid}/stop").status, 200)
        result = self.cell.result(guid)
        self.assertTrue(result["stopped"])
        self.assertFalse(result["failed"])
        self.assertIn("ending", self.cell.text(guid))
        self.assertIn(guid, self.cell.handles())

    def test_who_ignores_the_signal_is_killed_after_its_own_grace(self):
        guid = name()
        self.cell.run(guid, "trap '' TERM; while true; do sleep 0.1; done", graceful_shutdown_interval_ms=1000)
        self.cell.until(guid, "running")
        begin = time.monotonic()
        self.cell.call("POST", f"/containers/{guid}/stop")
        self.cell.result(guid)
        self.assertGreater(time.monotonic() - begin, 0.9)
        self.assertLess(time.monotonic() - begin, 9)

    def test_delete_works_while_it_runs_and_frees_everything(self):
        guid = name()
        self.cell.run(guid)
        self.cell.until(guid, "running")
        self.assertEqual(self.cell.delete(guid).status, 200)
        self.assertIsNone(self.cell.get(guid))
        self.assertEqual(self.cell.delete(guid).status, 404)

    def test_delete_of_a_container_in_the_making_works(self):
        guid = name()
        self.cell.run(guid)
        self.assertEqual(self.cell.delete(guid).status, 200)
        self.assertIsNone(self.cell.get(guid))

    def test_a_container_that_vanished_from_the_backend_completes(self):
        guid = name()
        self.cell.run(guid)
        self.cell.until(guid, "running")
        self.assertEqual(self.cell.garden_call("DELETE", f"/containers/{guid}").status, 200)
        result = self.cell.result(guid)
        self.assertTrue(result["failed"])

    def test_a_container_of_ours_without_a_record_is_destroyed(self):
        stray, other = name("stray"), name("other")
        for handle, owner in ((stray, "executor"), (other, "someone")):
            spec = {"handle": handle, "properties": {"executor:owner": owner}}
            self.assertEqual(self.cell.garden_call("POST", "/containers", spec).status, 200)
        wait_for("the reaper", lambda: stray not in self.cell.handles())
        self.assertIn(other, self.cell.handles())
        self.cell.garden_call("DELETE", f"/containers/{other}")


class Health(Case):
    MONITOR = sh("test -e /tmp/healthy")

    def test_a_monitor_that_passes_makes_it_running(self):
        guid = name()
        self.cell.run(guid, "sleep 0.5; touch /tmp/healthy; sleep 1000", monitor=self.MONITOR)
        self.cell.until(guid, "running")
        self.assertIn("Container became healthy", self.cell.text(guid))

    def test_a_monitor_that_never_passes_leaves_it_created(self):
        guid = name()
        self.cell.run(guid, monitor=self.MONITOR)
        self.cell.until(guid, "created")
        time.sleep(1.5)
        self.assertEqual(self.cell.get(guid)["state"], "created")

    def test_never_healthy_in_time_fails(self):
        guid = name()
        self.cell.run(guid, monitor=self.MONITOR, start_timeout_ms=1000)
        result = self.cell.result(guid)
        self.assertRegex(result["failure_reason"], r"^Instance never healthy after 1(\.\d+)?s: ")

    def test_passing_and_then_failing_ends_it(self):
        guid = name()
        self.cell.run(guid, "touch /tmp/healthy; sleep 1.5; rm /tmp/healthy; sleep 1000", monitor=self.MONITOR)
        self.cell.until(guid, "running")
        result = self.cell.result(guid)
        self.assertIn("Instance became unhealthy", result["failure_reason"])

    def test_a_daemonised_action_stays_running_while_the_monitor_passes(self):
        guid = name()
        self.cell.run(guid, "touch /tmp/healthy; exit 0", monitor=self.MONITOR)
        self.cell.until(guid, "running")
        time.sleep(1)
        self.assertEqual(self.cell.get(guid)["state"], "running")

    def test_a_failing_action_ends_it_even_with_a_passing_monitor(self):
        guid = name()
        self.cell.run(guid, "touch /tmp/healthy; sleep 1; exit 1", monitor=self.MONITOR)
        self.assertIn("Exited with status 1", self.cell.result(guid)["failure_reason"])

    def check(self, kind, **fields):
        return {"checks": [{kind: {"port": 8080, **fields}}]}

    SERVER = "mkdir -p /tmp/www && echo ok > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"

    def test_an_http_check_from_the_host_makes_it_running(self):
        guid = name()
        self.cell.run(guid, self.SERVER, ports=[{"container_port": 8080}],
                      check_definition=self.check("http_check", path="/index.html"))
        self.cell.until(guid, "running")

    def test_a_tcp_check_that_fails_later_ends_it(self):
        guid = name()
        self.cell.run(guid, "httpd -f -p 8080 -h /tmp & sleep 2; kill $!; sleep 1000",
                      check_definition=self.check("tcp_check", interval_ms=300))
        self.cell.until(guid, "running")
        self.assertIn("Instance became unhealthy: Liveness check unsuccessful: failed to make TCP connection",
                      self.cell.result(guid)["failure_reason"])

    def test_an_http_check_of_a_missing_page_never_passes(self):
        guid = name()
        self.cell.run(guid, self.SERVER, start_timeout_ms=1500,
                      check_definition=self.check("http_check", path="/missing"))
        self.assertIn("Instance never healthy after", self.cell.result(guid)["failure_reason"])

    def test_readiness_changes_routable_and_never_ends_it(self):
        events = Stream(self.cell.socket, "/events")
        guid = name()
        self.cell.run(guid, "mkdir /tmp/www; cd /tmp/www; httpd -f -p 8080 -h /tmp/www & "
                      "sleep 1; touch ready; sleep 2; rm ready; sleep 1000",
                      check_definition={"readiness_checks": [
                          {"http_check": {"port": 8080, "path": "/ready", "interval_ms": 200}}]})
        found = self.cell.until(guid, "running")
        self.assertFalse(found["routable"])
        wait_for("ready", lambda: self.cell.get(guid)["routable"])
        wait_for("not ready", lambda: not self.cell.get(guid)["routable"])
        self.assertEqual(self.cell.get(guid)["state"], "running")
        self.assertEqual(events.of(guid), ["container_reserved"] + ["container_running"] * 3)
        events.close()


class Recipes(Case):
    def test_environment_and_variables_of_the_network(self):
        guid = name()
        self.cell.run(guid, {"run": {"path": "/bin/env", "user": "vcap", "env": [{"name": "A", "value": "action"}]}},
                      env=[{"name": "A", "value": "container"}, {"name": "B", "value": "container"}],
                      ports=[{"container_port": 8080}])
        self.assertFalse(self.cell.result(guid)["failed"])
        found = self.cell.get(guid)
        host = found["ports"][0]["host_port"]
        text = self.cell.text(guid)
        for line in ("A=action", "B=container", "FROM_CELL=yes", f"CF_INSTANCE_PORT={host}",
                     f"CF_INSTANCE_IP={found['external_ip']}", f"CF_INSTANCE_INTERNAL_IP={found['internal_ip']}",
                     f"CF_INSTANCE_ADDR={found['external_ip']}:{host}",
                     f'CF_INSTANCE_PORTS=[{{"external":{host},"internal":8080}}]'):
            self.assertIn(line, text)

    def test_an_app_is_reached_at_its_instance_address(self):
        guid = name()
        self.cell.run(guid, "echo $CF_INSTANCE_ADDR > /tmp/index.html; exec httpd -f -p 8080 -h /tmp",
                      ports=[{"container_port": 8080}], check_definition={"checks": [{"tcp_check": {"port": 8080}}]})
        found = self.cell.until(guid, "running")
        address = f"{found['external_ip']}:{found['ports'][0]['host_port']}"
        done = subprocess.run(["curl", "-sS", "-m", "10", f"http://{address}/index.html"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout.strip(), address, done.stderr)

    def test_user_directory_and_open_files(self):
        guid = name()
        self.cell.run(guid, sh("id -un; pwd; ulimit -n", dir="/tmp", resource_limits={"nofile": 77}))
        self.cell.result(guid)
        texts = [text for _, text in self.cell.lines(guid)]
        at = texts.index("vcap")
        self.assertEqual(texts[at:at + 3], ["vcap", "/tmp", "77"])

    def test_a_timeout_interrupts_and_says_so(self):
        guid = name()
        self.cell.run(guid, {"timeout": {"action": sh("exec sleep 1000"), "timeout_ms": 500}})
        result = self.cell.result(guid)
        self.assertTrue(result["failed"])
        self.assertIn("exceeded 500ms timeout", result["failure_reason"])

    def test_memory_over_the_limit_is_named(self):
        guid = name()
        self.cell.run(guid, "dd if=/dev/zero of=/dev/null bs=100M count=3", allocation={"memory_mb": 16})
        self.assertIn("out of memory", self.cell.result(guid)["failure_reason"])

    def test_serial_parallel_try_and_progress(self):
        guid = name()
        self.cell.run(guid, {"serial": {"actions": [
            {"try": {"action": sh("echo one; exit 1")}},
            {"parallel": {"actions": [sh("echo two"), sh("echo three")]}},
            {"emit_progress": {"action": sh("exit 4"), "start_message": "begin", "success_message": "fine",
                               "failure_message_prefix": "bad"}},
            sh("echo never")]}})
        result = self.cell.result(guid)
        text = self.cell.text(guid)
        for word in ("one", "two", "three", "begin", "bad: LOG: Exited with status 4"):
            self.assertIn(word, text)
        self.assertNotIn("never", text)
        self.assertEqual(result["failure_reason"], "LOG: Exited with status 4")

    def test_codependent_actions_end_together(self):
        guid = name()
        self.cell.run(guid, {"codependent": {"actions": [sh("exec sleep 1000"), sh("sleep 0.3; exit 0")]}})
        self.assertIn("Codependent step exited", self.cell.result(guid)["failure_reason"])

    def test_egress_is_denied_unless_a_rule_allows_it(self):
        # Another container stands for the world outside: nobody reaches it without a rule.
        target, denied, allowed = name("target"), name(), name()
        self.cell.run(target, "exec httpd -f -p 8080 -h /etc", check_definition={"checks": [{"tcp_check": {"port": 8080}}]})
        address = self.cell.until(target, "running")["internal_ip"]
        probe = f"nc -w 3 {address} 8080 < /dev/null && echo reached"
        self.cell.run(denied, probe)
        self.assertTrue(self.cell.result(denied)["failed"])
        self.cell.run(allowed, probe, egress_rules=[{"protocol": "tcp", "destinations": [address], "port_range": {"start": 8080, "end": 8081}}])
        self.assertFalse(self.cell.result(allowed)["failed"], self.cell.text(allowed))
        self.assertIn("reached", self.cell.text(allowed))

    def test_bad_rules_are_refused(self):
        guid = name()
        self.cell.allocate(guid)
        answer = self.cell.call("POST", f"/containers/{guid}/run", self.cell.recipe(
            "true", egress_rules=[{"protocol": "tcp", "destinations": ["x"], "ports": [1]}]))
        self.assertEqual((answer.status, answer.headers["X-Executor-Error"]), (400, "ErrInvalidSecurityGroup"))

    def test_privileged_and_not(self):
        for privileged, word in ((True, "0 0 4294967295"), (False, "0 ")):
            guid = name()
            self.cell.run(guid, sh("tr -s ' ' < /proc/self/uid_map", user="root"), privileged=privileged)
            self.assertFalse(self.cell.result(guid)["failed"])
            self.assertEqual(word == "0 0 4294967295", "0 0 4294967295" in self.cell.text(guid))

    def test_a_volume_and_mounted_files(self):
        first, second = name(), name()
        mounts = [{"driver": "local", "volume_id": "v1", "config": {}, "container_path": "/data", "mode": 1}]
        self.cell.run(first, sh("echo kept > /data/file; cat /etc/cf-service-bindings/a/b", user="root"), volume_mounts=mounts,
                      volume_mounted_files=[{"path": "a/b", "content": "bound"}], privileged=True)
        self.assertFalse(self.cell.result(first)["failed"], self.cell.text(first))
        self.assertIn("bound", self.cell.text(first))
        self.cell.run(second, sh("cat /data/file", user="root"), volume_mounts=mounts, privileged=True)
        self.cell.result(second)
        self.assertIn("kept", self.cell.text(second))

    def test_an_unknown_volume_driver_fails_retryable(self):
        guid = name()
        self.cell.run(guid, volume_mounts=[{"driver": "nfs", "volume_id": "v", "container_path": "/x", "mode": 0}])
        result = self.cell.result(guid)
        self.assertTrue(result["Retryable"])
        self.assertTrue(result["failure_reason"].startswith("failed to mount volume"), result)


class Logs(Case):
    def test_a_rate_limit_drops_and_says_so_once(self):
        guid = name()
        self.cell.run(guid, "i=0; while [ $i -lt 3000 ]; do echo line-$i-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; i=$((i+1)); done",
                      log_rate_limit_bytes_per_second=2048)
        self.cell.result(guid)
        texts = [text for _, text in self.cell.lines(guid)]
        self.assertTrue(any("app instance exceeded log rate limit (2048 bytes/sec)" in t for t in texts), texts[-5:])
        self.assertLess(len([t for t in texts if t.startswith("line-")]), 500)

    def test_a_flood_wedges_nobody(self):
        flood, calm = name(), name()
        self.cell.run(flood, "exec yes")
        self.cell.until(flood, "running")
        begin = time.monotonic()
        self.cell.run(calm, "echo calm")
        self.assertFalse(self.cell.result(calm)["failed"])
        self.assertIn("calm", self.cell.text(calm))
        self.assertLess(time.monotonic() - begin, 20)

    def test_lines_are_followed_live(self):
        guid = name()
        self.cell.run(guid, "for i in 1 2 3; do sleep 0.3; echo live-$i; done")
        stream = Stream(self.cell.socket, f"/containers/{guid}/logs/follow?recent=100")
        wait_for("lines", lambda: [d["text"] for _, d in stream.events if d["text"].startswith("live-")] ==
                 ["live-1", "live-2", "live-3"])
        self.cell.result(guid)
        self.cell.delete(guid)
        wait_for("the end", lambda: stream.over)
        stream.close()


class Backend(Case):
    def test_ping_tells_of_the_backend(self):
        self.assertEqual(self.cell.call("GET", "/ping").status, 200)
        guid = name()
        self.cell.run(guid)
        self.cell.until(guid, "running")
        self.cell.kill("garden")
        self.assertEqual(self.cell.call("GET", "/ping").status, 502)
        self.assertEqual(self.cell.get(guid)["state"], "running")
        self.cell.start_garden()
        self.assertEqual(self.cell.call("GET", "/ping").status, 200)
        time.sleep(2.5)
        self.assertEqual(self.cell.get(guid)["state"], "running")

    def test_metrics_of_a_container(self):
        guid = name()
        self.cell.run(guid, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 1000")
        self.cell.until(guid, "running")
        def used():
            found = self.cell.call("GET", f"/containers/{guid}/metrics").json()
            return found if found["time_spent_in_cpu"] > 10_000_000 else None
        found = wait_for("processor time", used)
        self.assertEqual(found["memory_limit_in_bytes"], 32 << 20)
        self.assertGreater(found["memory_usage_in_bytes"], 0)
        self.assertGreater(found["container_age_in_ns"], 0)
        text = self.cell.call("GET", "/cloche/v1/metrics").body.decode()
        self.assertIn("celld_containers 1", text)

    def test_the_check_of_the_backend_notices_its_end_and_its_return(self):
        healthy = lambda: self.cell.call("GET", "/healthy").status  # noqa: E731
        wait_for("the first check", lambda: healthy() == 200)
        self.cell.kill("garden")
        wait_for("the check to fail", lambda: healthy() == 503)
        self.cell.start_garden()
        wait_for("the check to pass", lambda: healthy() == 200)

    def test_a_reservation_that_nobody_runs_expires(self):
        other = Cell(self.cell.programs, os.path.join(self.cell.rootfs, "bin/busybox"), tag="cf", pool="10.215.0.0/20",
                     words=["--reservation-expires", "1s", "--garden-check=false", "--rep-listen", "tcp://127.0.0.1:0"])
        try:
            other.start()
            self.assertTrue(os.path.isdir(os.path.join(other.state, "cache")))
            guid = name()
            other.allocate(guid)
            self.assertEqual(other.result(guid)["failure_reason"], "expired container")
            self.assertEqual(other.delete(guid).status, 200)
        finally:
            other.stop()
        self.assertEqual(other.cleaned, 0)

    def test_a_full_disk_refuses_new_work_and_lets_the_old_end(self):
        other = Cell(self.cell.programs, os.path.join(self.cell.rootfs, "bin/busybox"), tag="cf", pool="10.215.0.0/20",
                     words=["--garden-check=false", "--rep-listen", "tcp://127.0.0.1:0"])
        os.makedirs(other.state)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", other.state], check=True)
        try:
            other.start()
            stopped, deleted, late = name(), name(), name()
            for guid in (stopped, deleted):
                other.run(guid)
                other.until(guid, "running")
            remaining = other.remaining()
            with open(os.path.join(other.state, "filler"), "wb", buffering=0) as filler:
                with self.assertRaises(OSError):
                    while filler.write(b"x" * 4096) == 4096:
                        pass
                    raise OSError("full")
            self.assertIn("no space left", other.allocate(late)[late])
            self.assertEqual((other.get(late), other.remaining()), (None, remaining))
            self.assertFalse(os.path.exists(os.path.join(other.state, "containers", late)))
            self.assertEqual(other.call("POST", f"/containers/{stopped}/stop").status, 200)
            self.assertTrue(other.result(stopped)["stopped"])
            for guid in (stopped, deleted):
                self.assertEqual(other.delete(guid).status, 200)
            self.assertEqual(other.list(), {})
        finally:
            other.end("celld")
            subprocess.run(["umount", other.state], check=False)
            other.stop()
        self.assertEqual(other.cleaned, 0)
