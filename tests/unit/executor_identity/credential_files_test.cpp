#include "executor/identity/credential_files.hpp"

#include "authority.hpp"
#include "base/http/client.hpp"
#include "base/http/server.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

using namespace executor;
using namespace std::chrono_literals;

namespace {

WallTime now() {
    return std::chrono::system_clock::now();
}

Subject subject(const std::string& guid) {
    return {.guid = guid, .organizational_units = {"app:a"}, .address = "127.0.0.1"};
}

struct ::stat stat_of(const std::string& path) {
    return base::sys::stat_at(base::FdRef(AT_FDCWD), path).value();
}

// Credentials of `guid` on disk; their directory.
std::string install(const test::Authority& authority, const std::string& guid) {
    const auto made = authority.identity().issue(subject(guid), now()).value();
    const auto files = CredentialFiles::open(authority.directory.path + "/creds", guid).value();
    files.write(made.instance).value();
    return files.path();
}

std::unique_ptr<base::http::Server> serve(
        const test::Authority& authority, const std::string& directory) {
    base::http::Endpoint endpoint;
    endpoint.kind = base::http::Endpoint::Kind::tls;
    endpoint.host = "127.0.0.1";
    endpoint.tls = {
            .ca = authority.certificate_file,
            .certificate = directory + "/" + kCertificateFile,
            .key = directory + "/" + kKeyFile,
            .require_client_certificate = true,
            .server_name = {}};
    auto hello = [](base::http::Request& request) {
        const auto& peer = request.peer.certificate;
        return base::http::Response::text(200, peer ? peer->common_name : "nobody");
    };
    return base::http::Server::start(
                   {.endpoints = {endpoint}, .limits = {.workers = 2}, .on_served = {}},
                   std::move(hello))
            .value();
}

}  // namespace

TEST_CASE("every id of a container can read its files and nobody else gets there") {
    const test::Authority authority;
    const auto before = ::umask(077);
    const auto path = install(authority, "guid-1");
    (void)::umask(before);
    CHECK(path == authority.directory.path + "/creds/guid-1");
    CHECK((stat_of(authority.directory.path + "/creds").st_mode & 07777) == 0700);
    CHECK((stat_of(path).st_mode & 07777) == 0755);
    CHECK((stat_of(path + "/instance.crt").st_mode & 07777) == 0644);
    CHECK((stat_of(path + "/instance.key").st_mode & 07777) == 0644);
    const auto directory = base::sys::open_host(path, O_RDONLY | O_DIRECTORY).value();
    CHECK(base::sys::list_directory(directory).value().size() == 2);
}

TEST_CASE("a directory that others can enter is refused") {
    const test::Authority authority;
    REQUIRE(::chmod(authority.directory.path.c_str(), 0755) == 0);
    const auto opened = CredentialFiles::open(authority.directory.path, "guid");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == base::Errc::denied);
    CHECK(opened.error().text.find(authority.directory.path) != std::string::npos);
    for (const char* name : {"", ".", "..", "a/b"})
        CHECK_FALSE(CredentialFiles::open(authority.directory.path + "/creds", name));
}

TEST_CASE("files stay until they are replaced and go with their directory") {
    const test::Authority authority;
    const auto base_directory = authority.directory.path + "/creds";
    const auto path = install(authority, "guid");
    const auto inode = stat_of(path).st_ino;
    const auto kept = base::sys::read_host_file(path + "/instance.crt").value();
    // Another life of the executor: the container's mount shows this directory and no other.
    const auto again = CredentialFiles::open(base_directory, "guid").value();
    CHECK(stat_of(path).st_ino == inode);
    CHECK(base::sys::read_host_file(path + "/instance.crt").value() == kept);
    CHECK(CredentialFiles::remove(base_directory, "guid"));
    CHECK(CredentialFiles::remove(base_directory, "guid"));
    CHECK(CredentialFiles::remove(authority.directory.path + "/none", "guid"));
    CHECK_FALSE(base::sys::read_host_file(path + "/instance.crt"));
    // The container went meanwhile: an error, not a file somewhere else.
    CHECK_FALSE(again.write(authority.identity().revoke(now()).value().instance));
}

TEST_CASE("what an interrupted write left is no hindrance and no trap") {
    const test::Authority authority;
    const auto path = install(authority, "guid");
    const auto victim = authority.directory.file("victim", "untouched");
    REQUIRE(::symlink(victim.c_str(), (path + "/.instance.key").c_str()) == 0);
    const auto files = CredentialFiles::open(authority.directory.path + "/creds", "guid").value();
    const auto made = authority.identity().revoke(now()).value();
    REQUIRE(files.write(made.instance));
    CHECK(base::sys::read_host_file(victim).value() == "untouched");
    CHECK(base::sys::read_host_file(path + "/instance.key").value() == made.instance.key);
    CHECK(base::sys::read_host_file(path + "/instance.crt").value() == made.instance.certificate);
}

TEST_CASE("a reader sees whole files while they are replaced") {
    const test::Authority authority;
    const auto identity = authority.identity();
    const auto files = CredentialFiles::open(authority.directory.path + "/creds", "guid").value();
    std::vector<Certificate> versions;
    for (int i = 0; i < 20; ++i)
        versions.push_back(identity.issue_for_routes(subject("guid"), now()).value());
    std::set<std::string> certificates;
    std::set<std::string> keys;
    for (const auto& version : versions) {
        certificates.insert(version.certificate);
        keys.insert(version.key);
    }
    files.write(versions[0]).value();
    std::atomic<bool> stop = false;
    std::atomic<int> broken = 0;
    std::atomic<int> reads = 0;
    std::thread reader([&] {
        while (!stop) {
            const auto certificate = base::sys::read_host_file(files.path() + "/instance.crt");
            const auto key = base::sys::read_host_file(files.path() + "/instance.key");
            if (!certificate || !key || !certificates.contains(*certificate) ||
                !keys.contains(*key))
                ++broken;
            ++reads;
        }
    });
    while (reads == 0) std::this_thread::yield();
    bool written = true;
    for (int round = 0; round < 50; ++round) {
        for (const auto& version : versions) written = written && files.write(version);
    }
    stop = true;
    reader.join();
    CHECK(written);
    CHECK(broken == 0);
    CHECK(reads > 10);
}

TEST_CASE("two instances meet by mutual TLS with what is in their files") {
    const test::Authority authority;
    const test::Authority stranger;
    const auto server_files = install(authority, "server-guid");
    const auto server = serve(authority, server_files);
    const auto ask = [&](const std::string& ca, const std::string& directory) {
        auto endpoint = server->endpoints()[0];
        endpoint.tls = {.ca = ca};
        if (!directory.empty()) {
            endpoint.tls.certificate = directory + "/" + kCertificateFile;
            endpoint.tls.key = directory + "/" + kKeyFile;
        }
        base::http::Client client(
                {.endpoint = endpoint,
                 .connect_timeout = 5s,
                 .idle_connections = 0,
                 .headers = {}});
        return client.call({.method = "GET", .target = "/", .headers = {}, .body = {}});
    };
    const auto known = ask(authority.certificate_file, install(authority, "client-guid"));
    REQUIRE(known);
    CHECK(known->body == "client-guid");
    // Signed by another authority, or not at all: no answer.
    CHECK_FALSE(ask(authority.certificate_file, install(stranger, "client-guid")));
    CHECK_FALSE(ask(authority.certificate_file, ""));
    CHECK_FALSE(ask(stranger.certificate_file, install(authority, "client-guid")));
    // A server whose identity was revoked is no longer who the client asks for.
    const auto files =
            CredentialFiles::open(authority.directory.path + "/creds", "server-guid").value();
    files.write(authority.identity().revoke(now()).value().instance).value();
    const auto revoked = serve(authority, server_files);
    auto endpoint = revoked->endpoints()[0];
    endpoint.tls = {.ca = authority.certificate_file};
    const auto client_files = authority.directory.path + "/creds/client-guid/";
    endpoint.tls.certificate = client_files + kCertificateFile;
    endpoint.tls.key = client_files + kKeyFile;
    base::http::Client client(
            {.endpoint = endpoint, .connect_timeout = 5s, .idle_connections = 0, .headers = {}});
    CHECK_FALSE(client.call({.method = "GET", .target = "/", .headers = {}, .body = {}}));
}
