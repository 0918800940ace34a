#include "base/sys/file.hpp"
#include "fixture.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include <catch2/catch.hpp>

using namespace base::http;
using namespace std::chrono_literals;

extern char** environ;

namespace {

// Runs openssl in `directory`; its talk goes to a file there.
void openssl(const std::string& directory, const std::string& arguments) {
    const std::string line = "cd " + directory + " && openssl " + arguments + " >>log 2>&1";
    const char* const argv[] = {"sh", "-c", line.c_str(), nullptr};
    pid_t pid = 0;
    REQUIRE(::posix_spawnp(&pid, "sh", nullptr, nullptr, const_cast<char* const*>(argv), environ) ==
            0);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    if (status != 0)
        FAIL(line << ": " << base::sys::read_host_file(directory + "/log").value_or("no log"));
}

void make_authority(const std::string& directory, const std::string& name) {
    openssl(directory,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" +
                    name + " -keyout " + name + ".key -out " + name + ".pem");
}

void make_leaf(
        const std::string& directory,
        const std::string& authority,
        const std::string& name,
        const std::string& subject) {
    REQUIRE(base::sys::write_atomic_at(
            base::FdRef(base::sys::open_host(directory, O_DIRECTORY | O_RDONLY).value()),
            name + ".ext", "subjectAltName=DNS:localhost,IP:127.0.0.1\n", 0600,
            base::sys::Durable::no));
    openssl(directory, "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj " + subject +
                               " -keyout " + name + ".key -out " + name + ".csr");
    openssl(directory, "x509 -req -days 2 -in " + name + ".csr -CA " + authority + ".pem -CAkey " +
                               authority + ".key -CAcreateserial -extfile " + name + ".ext -out " +
                               name + ".pem");
}

// One authority, a server and a client certificate, and a stranger; made once, keys are slow.
struct Certificates {
    test::TemporaryDirectory directory;

    Certificates() {
        make_authority(directory.path, "ca");
        make_authority(directory.path, "other");
        make_leaf(directory.path, "ca", "server", "/CN=server");
        make_leaf(directory.path, "ca", "client", "/OU=cell-7/CN=client");
        make_leaf(directory.path, "other", "stranger", "/CN=stranger");
    }

    std::string file(const std::string& name) const { return directory.path + "/" + name; }
};

const Certificates& certificates() {
    static const Certificates made;
    return made;
}

std::unique_ptr<Server> serve(Handler handler, bool mutual) {
    const auto& files = certificates();
    Endpoint endpoint;
    endpoint.kind = Endpoint::Kind::tls;
    endpoint.host = "127.0.0.1";
    endpoint.tls = {
            .ca = files.file("ca.pem"),
            .certificate = files.file("server.pem"),
            .key = files.file("server.key"),
            .require_client_certificate = mutual,
            .server_name = {}};
    return Server::start(
                   {.endpoints = {endpoint}, .limits = {.workers = 4}, .on_served = {}},
                   std::move(handler))
            .value();
}

Client client_of(
        const Server& server, const std::string& identity, const std::string& authority = "ca") {
    const auto& files = certificates();
    Endpoint endpoint = server.endpoints()[0];
    endpoint.tls = {.ca = files.file(authority + ".pem")};
    if (!identity.empty()) {
        endpoint.tls.certificate = files.file(identity + ".pem");
        endpoint.tls.key = files.file(identity + ".key");
    }
    return Client(
            {.endpoint = endpoint, .connect_timeout = 5s, .idle_connections = 2, .headers = {}});
}

ClientRequest get(std::string target) {
    return {.method = "GET", .target = std::move(target), .headers = {}, .body = {}};
}

Response who(Request& request) {
    const auto& certificate = request.peer.certificate;
    if (!certificate) return Response::text(200, "nobody");
    return Response::text(
            200, certificate->common_name + " " + certificate->organizational_units.at(0) + " " +
                         certificate->dns_names.at(0) + " " + certificate->ip_addresses.at(0) +
                         " " + std::to_string(certificate->sha256.size()));
}

}  // namespace

TEST_CASE("TLS verifies the server and may know the client") {
    auto server = serve(who, false);
    auto nobody = client_of(*server, "");
    CHECK(nobody.call(get("/")).value().body == "nobody");
    CHECK(nobody.call(get("/")).value().body == "nobody");
    CHECK(client_of(*server, "client").call(get("/")).value().body ==
          "client cell-7 localhost 127.0.0.1 64");
    auto distrusting = client_of(*server, "", "other").call(get("/"));
    REQUIRE_FALSE(distrusting);
    CHECK(distrusting.error().kind == base::Errc::denied);
    CHECK_FALSE(client_of(*server, "stranger").call(get("/")));
}

TEST_CASE("a name that is not in the server's certificate is refused") {
    auto server = serve(who, false);
    Endpoint endpoint = server->endpoints()[0];
    endpoint.tls = {
            .ca = certificates().file("ca.pem"),
            .certificate = {},
            .key = {},
            .server_name = "elsewhere.example"};
    auto answer = Client({.endpoint = endpoint,
                          .connect_timeout = 5s,
                          .idle_connections = 0,
                          .headers = {}})
                          .call(get("/"));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == base::Errc::denied);
}

TEST_CASE("mutual TLS refuses a client without certificate and one of another authority") {
    auto server = serve(who, true);
    CHECK(client_of(*server, "client").call(get("/")));
    CHECK_FALSE(client_of(*server, "").call(get("/")));
    CHECK_FALSE(client_of(*server, "stranger").call(get("/")));
}

TEST_CASE("large bodies go both ways over TLS") {
    auto server = serve(
            [](Request& request) {
                auto body = request.read_body(8 << 20);
                return body ? Response::text(200, *body) : Response::error(body.error());
            },
            false);
    const std::string data(3 << 20, 'q');
    auto answer = client_of(*server, "client")
                          .call({.method = "POST", .target = "/", .headers = {}, .body = data});
    REQUIRE(answer);
    CHECK(answer->body == data);
}

TEST_CASE("a hijacked TLS connection is pumped through a socket pair") {
    auto server = serve(
            [](Request&) {
                return Response::hijack(200, [](Hijacked hijacked) {
                    std::string all = hijacked.leftover;
                    char piece[100];
                    while (!all.ends_with("\n")) {
                        const auto count = ::read(hijacked.socket.get(), piece, sizeof piece);
                        if (count <= 0) return;
                        all.append(piece, static_cast<std::size_t>(count));
                    }
                    (void)base::sys::write_all(hijacked.socket, "got " + all);
                });
            },
            false);
    const auto& files = certificates();
    // openssl's own client is a peer that we did not write.
    const std::string line =
            "printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nhello\\n' | timeout 5 openssl s_client "
            "-quiet -CAfile " +
            files.file("ca.pem") +
            " -connect 127.0.0.1:" + std::to_string(server->endpoints()[0].port) +
            " -ign_eof 2>/dev/null";
    FILE* pipe = ::popen(line.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string out;
    char piece[1000];
    while (const auto count = ::fread(piece, 1, sizeof piece, pipe)) out.append(piece, count);
    (void)::pclose(pipe);
    CHECK(out.find("HTTP/1.1 200 OK") == 0);
    CHECK(out.ends_with("got hello\n"));
}
