// What our server offers beyond the Garden API, below /cloche/v1: images, plan, doctor, processes.
// Used by garden/server and the client. All names snake_case, all members always present.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace garden::api {

struct ImageConfig {
    std::vector<std::string> env;
    std::string user;
    std::string working_dir;
    std::vector<std::string> entrypoint;
    std::vector<std::string> cmd;
    std::string stop_signal;
};

struct ImageProof {  // what satisfied one requirement of the image policy
    std::string requirement;
    std::string key;
    std::string digest;
    std::string identity;
};

struct ImageDecision {  // why an image may be used under a name
    bool accepted = false;
    std::string name;
    std::string policy;  // digest of the policy; "" = there was none
    std::string rule;
    std::int64_t decided_at = 0;  // seconds since 1970
    std::vector<ImageProof> proofs;
};

struct Image {
    std::string reference;
    std::string digest;
    std::vector<std::string> layers;
    std::uint64_t size = 0;
    ImageConfig config;
    std::vector<ImageDecision> decisions;  // of inspect alone
};

struct ImageRow {
    std::string reference;
    std::string digest;
    std::uint64_t size = 0;
    std::int64_t created_at = 0;  // seconds since 1970
    std::uint32_t used_by = 0;
    std::uint64_t layers = 0;
};

struct PruneAnswer {
    std::uint64_t freed_bytes = 0;
};

struct PullProgress {  // event "progress"
    std::string step;  // resolving, downloading, unpacking, verifying, done
    std::string layer;
    std::uint64_t current = 0;
    std::uint64_t total = 0;
};

struct PullError {  // event "error"
    std::string kind;
    std::string message;
};

struct ProcessRow {
    std::string id;
    std::string user;
    std::vector<std::string> argv;
    bool exited = false;
    std::int32_t exit_code = 0;
    std::int32_t host_pid = 0;
};

struct Orphan {
    std::string kind;
    std::string name;
    std::string reason;
};

struct ImageList {  // GET /cloche/v1/images
    std::vector<ImageRow> images;
};

struct ProcessList {  // GET /cloche/v1/containers/:handle/processes
    std::vector<ProcessRow> processes;
};

struct DoctorAnswer {  // GET /cloche/v1/doctor; empty = nothing is wrong
    std::vector<Orphan> orphans;
};

void to_json(base::json::Writer& w, const ImageConfig& v);
void to_json(base::json::Writer& w, const ImageProof& v);
void to_json(base::json::Writer& w, const ImageDecision& v);
void to_json(base::json::Writer& w, const Image& v);
void to_json(base::json::Writer& w, const ImageRow& v);
void to_json(base::json::Writer& w, const PruneAnswer& v);
void to_json(base::json::Writer& w, const PullProgress& v);
void to_json(base::json::Writer& w, const PullError& v);
void to_json(base::json::Writer& w, const ProcessRow& v);
void to_json(base::json::Writer& w, const Orphan& v);
void to_json(base::json::Writer& w, const ImageList& v);
void to_json(base::json::Writer& w, const ProcessList& v);
void to_json(base::json::Writer& w, const DoctorAnswer& v);

base::Result<void> from_json(const base::json::Node& node, ImageConfig& v);
base::Result<void> from_json(const base::json::Node& node, ImageProof& v);
base::Result<void> from_json(const base::json::Node& node, ImageDecision& v);
base::Result<void> from_json(const base::json::Node& node, Image& v);
base::Result<void> from_json(const base::json::Node& node, ImageRow& v);
base::Result<void> from_json(const base::json::Node& node, PruneAnswer& v);
base::Result<void> from_json(const base::json::Node& node, PullProgress& v);
base::Result<void> from_json(const base::json::Node& node, PullError& v);
base::Result<void> from_json(const base::json::Node& node, ProcessRow& v);
base::Result<void> from_json(const base::json::Node& node, Orphan& v);
base::Result<void> from_json(const base::json::Node& node, ImageList& v);
base::Result<void> from_json(const base::json::Node& node, ProcessList& v);
base::Result<void> from_json(const base::json::Node& node, DoctorAnswer& v);

}  // namespace garden::api
