#include "garden/api/extensions.hpp"

#include "base/json_describe.hpp"

namespace garden::api {

namespace {

template <class V>
void describe(V& v, ImageConfig& o) {
    v.always("env", o.env);
    v.always("user", o.user);
    v.always("working_dir", o.working_dir);
    v.always("entrypoint", o.entrypoint);
    v.always("cmd", o.cmd);
    v.always("stop_signal", o.stop_signal);
}

template <class V>
void describe(V& v, ImageProof& o) {
    v.always("requirement", o.requirement);
    v.always("key", o.key);
    v.always("digest", o.digest);
    v.always("identity", o.identity);
}

template <class V>
void describe(V& v, ImageDecision& o) {
    v.always("accepted", o.accepted);
    v.always("name", o.name);
    v.always("policy", o.policy);
    v.always("rule", o.rule);
    v.always("decided_at", o.decided_at);
    v.always("proofs", o.proofs);
}

template <class V>
void describe(V& v, Image& o) {
    v.always("reference", o.reference);
    v.always("digest", o.digest);
    v.always("layers", o.layers);
    v.always("size", o.size);
    v.always("config", o.config);
    v.always("decisions", o.decisions);
}

template <class V>
void describe(V& v, ImageRow& o) {
    v.always("reference", o.reference);
    v.always("digest", o.digest);
    v.always("size", o.size);
    v.always("created_at", o.created_at);
    v.always("used_by", o.used_by);
    v.always("layers", o.layers);
}

template <class V>
void describe(V& v, PruneAnswer& o) {
    v.always("freed_bytes", o.freed_bytes);
}

template <class V>
void describe(V& v, PullProgress& o) {
    v.always("step", o.step);
    v.always("layer", o.layer);
    v.always("current", o.current);
    v.always("total", o.total);
}

template <class V>
void describe(V& v, PullError& o) {
    v.always("kind", o.kind);
    v.always("message", o.message);
}

template <class V>
void describe(V& v, ProcessRow& o) {
    v.always("id", o.id);
    v.always("user", o.user);
    v.always("argv", o.argv);
    v.always("exited", o.exited);
    v.always("exit_code", o.exit_code);
    v.always("host_pid", o.host_pid);
}

template <class V>
void describe(V& v, Orphan& o) {
    v.always("kind", o.kind);
    v.always("name", o.name);
    v.always("reason", o.reason);
}

template <class V>
void describe(V& v, ImageList& o) {
    v.always("images", o.images);
}

template <class V>
void describe(V& v, ProcessList& o) {
    v.always("processes", o.processes);
}

template <class V>
void describe(V& v, DoctorAnswer& o) {
    v.always("orphans", o.orphans);
}

}  // namespace

BASE_JSON_DESCRIBED(ImageConfig)
BASE_JSON_DESCRIBED(ImageProof)
BASE_JSON_DESCRIBED(ImageDecision)
BASE_JSON_DESCRIBED(Image)
BASE_JSON_DESCRIBED(ImageRow)
BASE_JSON_DESCRIBED(PruneAnswer)
BASE_JSON_DESCRIBED(PullProgress)
BASE_JSON_DESCRIBED(PullError)
BASE_JSON_DESCRIBED(ProcessRow)
BASE_JSON_DESCRIBED(Orphan)
BASE_JSON_DESCRIBED(ImageList)
BASE_JSON_DESCRIBED(ProcessList)
BASE_JSON_DESCRIBED(DoctorAnswer)

}  // namespace garden::api
