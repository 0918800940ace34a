#include "garden/api/types.hpp"

#include "base/fail.hpp"
#include "garden/api/error.hpp"
#include "garden/api/extensions.hpp"

#include <catch2/catch.hpp>

using base::Errc;
using base::json::decode;
using base::json::encode;
using base::json::Rest;
namespace api = garden::api;

namespace {

// Reading and writing again gives the same text: nothing is lost, nothing is added.
template <class T>
void round_trip(const std::string& text) {
    CHECK(encode(decode<T>(text).value()) == text);
}

}  // namespace

TEST_CASE("an empty container spec is what the Go client sends") {
    CHECK(encode(api::ContainerSpec{}) ==
          R"({"image":{},"limits":{"bandwidth_limits":{},"cpu_limits":{},"disk_limits":{},"memory_limits":{},"pid_limits":{}}})");
    for (const auto* empty :
         {"{}", R"({"image":null,"limits":null,"env":null})",
          R"({"image":{},"limits":{"cpu_limits":null}})"}) {
        const auto spec = decode<api::ContainerSpec>(empty).value();
        CHECK(spec.image.empty());
        CHECK(spec.env.empty());
    }
}

TEST_CASE("a full container spec survives both ways") {
    round_trip<api::ContainerSpec>(
            R"({"handle":"h","grace_time":60000000000,"rootfs":"/r","image":{"uri":"docker:///busybox","username":"u","password":"p"},)"
            R"("bind_mounts":[{"src_path":"/a","dst_path":"/b","mode":1,"origin":1},{"src_path":"/c","dst_path":"/d"}],)"
            R"("network":"10.0.0.0/30","properties":{"a":"b","executor:owner":"x"},"env":["A=1","B="],"privileged":true,)"
            R"("limits":{"bandwidth_limits":{"rate":1,"burst":2},"cpu_limits":{"weight":3,"limit_in_shares":4},)"
            R"("disk_limits":{"inode_soft":1,"inode_hard":2,"byte_soft":3,"byte_hard":4,"scope":1},)"
            R"("memory_limits":{"limit_in_bytes":18446744073709551615},"pid_limits":{"max":7}},)"
            R"("netout_rules":[{"protocol":1,"networks":[{"start":"1.2.3.4","end":"1.2.3.9"}],"ports":[{"start":1,"end":65535}],"log":true},{}],)"
            R"("netin":[{"host_port":0,"container_port":8080}],"cloche":{"class":"privileged_in_userns","no_new_privileges":true}})");
}

TEST_CASE("the rule of the golden exchange keeps its zero code") {
    round_trip<api::NetOutRule>(
            R"({"protocol":3,"networks":[{"start":"1.2.3.4","end":"1.2.3.4"},{"start":"::1"}],"ports":[{"end":5}],"icmps":{"code":0},"log":true})");
    CHECK(!decode<api::NetOutRule>(R"({"icmps":{"type":8}})").value().icmps->code);
    CHECK(!decode<api::NetOutRule>(R"({"icmps":{"type":256}})"));
    CHECK(!decode<api::NetOutRule>(R"({"ports":[{"start":65536}]})"));
}

TEST_CASE("a process spec keeps present zeros of resource limits and drops unknown ones") {
    CHECK(encode(api::ProcessSpec{}) == R"({"rlimits":{},"image":{}})");
    round_trip<api::ProcessSpec>(
            R"({"id":"p","path":"ls","args":["-l",""],"env":["A=b"],"dir":"/","user":"1000:1000","rlimits":{"core":0,"nofile":1024},)"
            R"("limits":{"cpu_limits":{},"memory_limits":{}},"tty":{"window_size":{"columns":80,"rows":24}},"image":{"uri":"x"},)"
            R"("bind_mounts":[{"src_path":"/a","dst_path":"/b"}]})");
    const auto spec =
            decode<api::ProcessSpec>(R"({"rlimits":{"nofile":5,"fancy":6},"tty":{}})").value();
    CHECK(spec.rlimits == api::ResourceLimits{{"nofile", 5}});
    CHECK((spec.tty && !spec.tty->window_size));
    CHECK(decode<api::ProcessSpec>(R"({"rlimits":{"nofile":-1}})").error().text ==
          "rlimits.nofile: expected an unsigned integer, got -1");
}

TEST_CASE("stream messages show exit status 0 and tell data from no data") {
    CHECK(encode(api::ProcessMessage{.process_id = "p1", .stream_id = "7"}) ==
          R"({"process_id":"p1","stream_id":"7"})");
    CHECK(encode(api::ProcessMessage{.process_id = "p1", .exit_status = 0}) ==
          R"({"process_id":"p1","exit_status":0})");
    CHECK(!decode<api::ProcessMessage>(R"({"process_id":"p","source":0})").value().data);
    CHECK(decode<api::ProcessMessage>("{\"source\":0,\"data\":\"\\u003chi\\u003e\\n\"}")
                  .value()
                  .data == "<hi>\n");
    CHECK(decode<api::ProcessMessage>(R"({"tty":{}})").value().tty);
}

TEST_CASE("answers have the Go names and always all members") {
    CHECK(encode(api::CreateAnswer{.handle = "x"}) == R"({"Handle":"x"})");
    CHECK(encode(api::ListAnswer{}) == R"({"Handles":[]})");
    CHECK(encode(api::ContainerInfo{.state = "active"}) ==
          R"({"State":"active","Events":[],"HostIP":"","ContainerIP":"","ContainerIPv6":"","ExternalIP":"","ContainerPath":"",)"
          R"("ProcessIDs":[],"Properties":{},"MappedPorts":[]})");
    CHECK(decode<api::ContainerInfo>(R"({"Events":null,"ProcessIDs":null,"Properties":null})"));
    const auto metrics = encode(api::Metrics{});
    CHECK(metrics.starts_with(R"({"MemoryStat":{"active_anon":0,)"));
    CHECK(metrics.find(
                  R"("total_swap":0,"TotalUsageTowardLimit":0,"anon":0,"file":0,"swapcached":0})") !=
          std::string::npos);
    CHECK(metrics.ends_with(
            R"("DiskStat":{"TotalBytesUsed":0,"TotalInodesUsed":0,"ExclusiveBytesUsed":0,"ExclusiveInodesUsed":0},)"
            R"("NetworkStat":null,"PidStat":{"Current":0,"Max":0},"Age":0,"CPUEntitlement":0})"));
    CHECK(encode(api::Metrics{.network_stat = api::NetworkStat{.rx_bytes = 1, .tx_bytes = 2}})
                  .find(R"("NetworkStat":{"RxBytes":1,"TxBytes":2})") != std::string::npos);
    CHECK(encode(api::Capacity{.memory_in_bytes = 5}) == R"({"memory_in_bytes":5})");
}

TEST_CASE("errors carry the type, status and members that clients look at") {
    const auto unknown =
            api::refusal_of(base::fail(Errc::not_found, "unknown handle: nope"), "nope");
    CHECK(unknown.status == 404);
    CHECK(encode(unknown.error) ==
          R"({"Type":"ContainerNotFoundError","Message":"unknown handle: nope","Handle":"nope","ProcessID":"","Binary":""})");
    const auto process =
            api::refusal_of(base::fail(Errc::not_found, "unknown process: zz"), "h", "zz");
    CHECK(process.status == 404);
    CHECK(encode(process.error) ==
          R"({"Type":"ProcessNotFoundError","Message":"unknown process: zz","Handle":"","ProcessID":"zz","Binary":""})");
    const auto within = api::refusal_of(
            base::fail(Errc::not_found, "stream-in: error streaming in: unknown handle: h"), "h");
    CHECK(within.error.type == api::kContainerNotFound);
    const auto exec = api::refusal_of(
            base::fail(
                    Errc::not_found,
                    "unable to start container process: exec: \"x\": executable file not found in "
                    "$PATH"),
            "h");
    CHECK(exec.status == 500);
    CHECK(exec.error.type == api::kExecutableNotFound);
    CHECK(exec.error.message ==
          "unable to start container process: exec: \"x\": executable file not found in $PATH");
    const auto used =
            api::refusal_of(base::fail(Errc::already_exists, "Handle 'h' already in use"), "h");
    CHECK(used.error.type.empty());
    CHECK(used.error.message == "Handle 'h' already in use");
    CHECK(used.error.handle.empty());
    CHECK(api::refusal_of(base::fail(Errc::not_found, "property does not exist: k"), "h")
                  .error.type.empty());
    CHECK(api::refusal_of(base::fail(Errc::unavailable, "x"), "h").error.type ==
          api::kServiceUnavailable);
}

TEST_CASE("a client gets the same kind and text back") {
    for (const auto& error :
         {base::fail(Errc::not_found, "unknown handle: h"),
          base::fail(Errc::not_found, "unknown process: p"),
          base::fail(Errc::already_exists, "Handle 'h' already in use"),
          base::fail(Errc::conflict, "container already being destroyed"),
          base::fail(Errc::invalid, "bad"), base::fail(Errc::unavailable, "busy"),
          base::fail(Errc::exhausted, "max containers reached"),
          base::fail(Errc::unsupported, "no")}) {
        const auto refusal = api::refusal_of(error);
        const auto back = api::to_error(refusal.error, refusal.status);
        CHECK(back.kind == error.kind);
        CHECK(back.text == error.text);
    }
}

TEST_CASE("bulk values hold a value and an error or null") {
    CHECK(encode(api::BulkInfo{}).ends_with(R"("MappedPorts":[]},"Err":null})"));
    api::BulkMetrics failed;
    failed.error =
            api::Error{.type = "", .message = "m", .handle = "", .process_id = "", .binary = ""};
    CHECK(encode(failed).ends_with(
            R"("Err":{"Type":"","Message":"m","Handle":"","ProcessID":"","Binary":""}})"));
    CHECK(decode<std::map<std::string, api::BulkMetrics>>("{\"h\":" + encode(failed) + "}")
                  .value()
                  .at("h")
                  .error->message == "m");
}

TEST_CASE("extension objects survive both ways") {
    round_trip<api::Image>(
            R"({"reference":"r","digest":"sha256:x","layers":["a"],"size":5,"config":{"env":["A=b"],"user":"u","working_dir":"/w",)"
            R"("entrypoint":["e"],"cmd":[],"stop_signal":"TERM"},"decisions":[]})");
    round_trip<api::ImageRow>(
            R"({"reference":"r","digest":"d","size":1,"created_at":-2,"used_by":3,"layers":4})");
    round_trip<api::PullProgress>(R"({"step":"downloading","layer":"l","current":1,"total":2})");
    round_trip<api::PullError>(R"({"kind":"timeout","message":"m"})");
    round_trip<api::ProcessRow>(
            R"({"id":"p","user":"u","argv":["a"],"exited":true,"exit_code":137,"host_pid":1})");
    round_trip<api::Orphan>(R"({"kind":"mount","name":"n","reason":"r"})");
    round_trip<api::PruneAnswer>(R"({"freed_bytes":1})");
}
