// Service: every route of gardend over an Engine. Makes the handler that base::http::Server calls;
// tests call it without a socket. Used by main.
#pragma once

#include "base/gate.hpp"
#include "base/http/router.hpp"
#include "base/http/server.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/worker_pool.hpp"
#include "garden/api/error.hpp"
#include "garden/api/extensions.hpp"
#include "garden/engine/engine.hpp"
#include "garden/server/streams.hpp"

#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace garden::server {

// How the HTTP workers are shared out, so that a hung container or image source leaves room for
// everybody else.
struct Shares {
    std::size_t workers = 704;  // of base::http::Server; made when needed
    std::size_t creates = 384;
    std::size_t creates_per_source = 192;
    std::size_t operations = 160;
    std::size_t operations_per_container = 16;
    std::size_t file_streams = 48;
    std::size_t file_streams_per_container = 8;
    std::size_t pulls = 16;
    std::size_t pulls_per_source = 4;
    std::size_t bulk_calls = 12;
    std::size_t queries = 12;  // doctor, plan, prune, …: what may wait for a disk
    std::size_t queries_per_route = 4;
    // What is left answers ping, list and the like, which wait for nobody.
    // The same proportions for another number of workers, at least 16; there is always one
    // worker without a share.
    static Shares of(std::size_t workers);
};

class Service {
  public:
    struct Config {
        Shares shares;
        std::chrono::milliseconds bulk_deadline{10'000};  // for each container of a bulk call
        std::chrono::milliseconds pull_check{
                200};  // how soon a pull notices that its client is gone
        Streams::Times stream_times;
    };

    static base::Result<std::unique_ptr<Service>> start(
            Engine& engine, const base::log::Logger& logger, Config config);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    base::http::Response handle(base::http::Request& request);
    // For ServerConfig::on_served: log and metrics of every request.
    void served(const base::http::Served& served);

    base::metrics::Registry& metrics() { return metrics_; }

    // Lets go of every Run and Attach connection (garden-api §1, graceful stop).
    void abandon_streams() { streams_->abandon(); }

    // For ServerConfig::busy: every worker is taken and the queue is full.
    static base::http::Response busy(const base::Error& error);

  private:
    using Request = base::http::Request;
    using Response = base::http::Response;
    using Method = Response (Service::*)(Request&);
    using Operation = Response (Service::*)(Request&, const Handle&);

    Service(Engine& engine, const base::log::Logger& logger, Config config);
    void add_container_routes();
    void add_limit_routes();
    void add_process_routes();
    void add_extension_routes();
    void add_denial_routes();
    void add_explain_routes();
    void add_image_routes();
    void add_image_metrics();
    void add_event_routes();
    void add_evidence_routes();
    void add_audit_routes();
    void add_metrics();
    void add(const char* method, const char* pattern, Method handler);
    // For routes about one container: takes its place in the gate and holds its grace time.
    enum class Touch : std::uint8_t { yes, no, last };  // last: destroy has a place of its own
    void add(const char* method, const char* pattern, Operation handler, Touch touch);
    // For routes about the whole server that may take their time.
    void add_query(const char* method, const char* pattern, Method handler);

    Response refuse(
            const Request& request, const base::Error& error, std::string_view process_id = {});
    Response refuse_body(const Request& request, const base::Error& error);
    Response none();  // {}

    Response ping(Request& request);
    Response capacity(Request& request);
    Response list(Request& request);
    Response create(Request& request);
    Response bulk_info(Request& request);
    Response bulk_metrics(Request& request);
    Response info(Request& request, const Handle& handle);
    Response destroy(Request& request, const Handle& handle);
    Response stop(Request& request, const Handle& handle);
    Response bandwidth(Request& request, const Handle& handle);
    Response cpu(Request& request, const Handle& handle);
    Response disk(Request& request, const Handle& handle);
    Response memory(Request& request, const Handle& handle);
    Response set_bandwidth(Request& request, const Handle& handle);
    Response set_cpu(Request& request, const Handle& handle);
    Response set_disk(Request& request, const Handle& handle);
    Response set_memory(Request& request, const Handle& handle);
    Response set_pids(Request& request, const Handle& handle);
    Response net_in(Request& request, const Handle& handle);
    Response net_out(Request& request, const Handle& handle);
    Response out_rules(Request& request, const Handle& handle);
    Response replace_out_rules(Request& request, const Handle& handle);
    Response set_grace_time(Request& request, const Handle& handle);
    Response properties(Request& request, const Handle& handle);
    Response property(Request& request, const Handle& handle);
    Response set_property(Request& request, const Handle& handle);
    Response remove_property(Request& request, const Handle& handle);
    Response container_metrics(Request& request, const Handle& handle);

    Response run(Request& request, const Handle& handle);
    Response attach(Request& request, const Handle& handle);
    Response stream(int status, const Handle& handle, Attachment attachment);
    Response output(Request& request, bool is_stderr);

    Response standard_output(Request& request) { return output(request, false); }

    Response standard_error(Request& request) { return output(request, true); }

    Response stream_in(Request& request);
    Response stream_out(Request& request);

    Response images(Request& request);
    Response inspect(Request& request);
    // The image and why it may be used under that name.
    base::Result<api::Image> describe(const rootfs::Image& image, std::string_view reference);
    Response remove_image(Request& request);
    Response prune(Request& request);
    Response verify_images(Request& request);
    Response pull(Request& request);
    Response plan(Request& request);
    Response doctor(Request& request);
    Response features(Request& request);
    Response audit(Request& request);
    Response audit_host(Request& request);
    void audit_each(
            const std::set<std::string>& handles,
            api::AuditReport& report,
            std::vector<audit::Belongings>& belongings);
    Response processes(Request& request, const Handle& handle);
    Response logs(Request& request, const Handle& handle);
    Response denials(Request& request, const Handle& handle);
    Response explain(Request& request, const Handle& handle);
    Response event_log(Request& request);
    void tell_call(const Request& request, const Response& response);
    Response connections(Request& request, const Handle& handle);
    Response network(Request& request);
    Response prometheus(Request& request);
    Response healthz(Request& request);

    template <class T, class Ask>
    Response bulk(Request& request, Ask ask);

    Engine& engine_;
    const base::log::Logger& logger_;
    const Config config_;
    base::metrics::Registry metrics_;
    base::Gate creates_;
    base::Gate operations_;
    base::Gate file_streams_;
    base::Gate pulls_;
    base::Gate bulks_;  // the containers that bulk calls ask
    base::Gate bulk_calls_;
    base::Gate queries_;
    base::http::Router router_;
    base::WorkerPool pull_pool_;
    base::WorkerPool bulk_pool_;
    std::unique_ptr<Streams> streams_;
};

}  // namespace garden::server
