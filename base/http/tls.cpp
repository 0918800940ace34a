#include "base/http/tls.hpp"

#include "base/fail.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace base::http {

namespace {

// The descriptor of a BIO of ours, in its data pointer plus one (so that 0 is not "none").
int descriptor_of(BIO* bio) {
    return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))) - 1;
}

// OpenSSL's own socket BIO uses write(2), which raises SIGPIPE in the program; a library must not.
int bio_write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    const auto sent =
            ::send(descriptor_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* data, int size) {
    BIO_clear_retry_flags(bio);
    const auto got = ::recv(descriptor_of(bio), data, static_cast<std::size_t>(size), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
    if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return static_cast<int>(got);
}

long bio_control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    return 0;
}

// Made once, never freed: sessions may outlive everything else.
const BIO_METHOD* socket_method() {
    static const BIO_METHOD* const method = [] {
        auto* made =
                BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    return method;
}

Result<void> load_identity(SSL_CTX* context, const TlsFiles& files) {
    if (files.certificate.empty() && files.key.empty()) return ok;
    if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
        return fail(Errc::invalid, "load certificate '{}': {}", files.certificate, tls_reason());
    if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
        return fail(Errc::invalid, "load key '{}': {}", files.key, tls_reason());
    if (SSL_CTX_check_private_key(context) != 1)
        return fail(
                Errc::invalid, "key '{}' does not belong to certificate '{}'", files.key,
                files.certificate);
    return ok;
}

Result<TlsContext> make_context(const SSL_METHOD* method, const TlsFiles& files) {
    TlsContext context(SSL_CTX_new(method));
    if (!context) return fail(Errc::internal, "create a TLS context: {}", tls_reason());
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(
            context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    if (!files.ca.empty() &&
        SSL_CTX_load_verify_locations(context.get(), files.ca.c_str(), nullptr) != 1)
        return fail(Errc::invalid, "load certificate authority '{}': {}", files.ca, tls_reason());
    TRY(load_identity(context.get(), files));
    return context;
}

Result<TlsSession> make_session(SSL_CTX* context, FdRef socket) {
    TlsSession session(SSL_new(context));
    BIO* bio = session ? BIO_new(socket_method()) : nullptr;
    if (bio == nullptr) return fail(Errc::internal, "create a TLS session: {}", tls_reason());
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the slot holds a number, nobody follows it
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket.get() + 1)));
    BIO_set_init(bio, 1);
    SSL_set_bio(session.get(), bio, bio);
    return session;
}

std::string text_of(const ASN1_STRING* string) {
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, string);
    if (size < 0) return {};
    std::string out(
            static_cast<const char*>(static_cast<const void*>(text)),
            static_cast<std::size_t>(size));
    OPENSSL_free(text);
    return out;
}

std::vector<std::string> subject_entries(X509* certificate, int nid) {
    std::vector<std::string> out;
    auto* subject = X509_get_subject_name(certificate);
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, nid, at)) >= 0;)
        out.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
    return out;
}

void read_alternative_names(X509* certificate, PeerCertificate& out) {
    auto* names = static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    if (names == nullptr) return;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        const auto* name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) out.dns_names.push_back(text_of(name->d.dNSName));
        if (name->type != GEN_IPADD) continue;
        char text[INET6_ADDRSTRLEN] = "";
        const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
        if (::inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text) !=
            nullptr)
            out.ip_addresses.emplace_back(text);
    }
    GENERAL_NAMES_free(names);
}

}  // namespace

std::string tls_reason() {
    std::string text;
    while (const auto code = ERR_get_error()) {
        const char* reason = ERR_reason_error_string(code);
        text.append(text.empty() ? "" : "; ").append(reason != nullptr ? reason : "unknown reason");
    }
    return text.empty() ? "no reason given" : text;
}

Result<TlsContext> make_server_context(const TlsFiles& files) {
    if (files.certificate.empty() || files.key.empty())
        return fail(Errc::invalid, "TLS endpoint: certificate and key are needed");
    if (files.require_client_certificate && files.ca.empty())
        return fail(
                Errc::invalid,
                "TLS endpoint: a client certificate is required, but no certificate authority is "
                "given");
    auto context = TRY(make_context(TLS_server_method(), files));
    if (!files.ca.empty()) {
        const int required = files.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | required, nullptr);
        SSL_CTX_set_client_CA_list(context.get(), SSL_load_client_CA_file(files.ca.c_str()));
    }
    // No session may be resumed under another identity: there is nothing to gain from resumption
    // here.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
    return context;
}

Result<TlsContext> make_client_context(const TlsFiles& files) {
    auto context = TRY(make_context(TLS_client_method(), files));
    if (files.ca.empty() && SSL_CTX_set_default_verify_paths(context.get()) != 1)
        return fail(Errc::internal, "load the system's certificate authorities: {}", tls_reason());
    const int mode = files.skip_verification ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
    SSL_CTX_set_verify(context.get(), mode, nullptr);
    return context;
}

Result<TlsSession> make_server_session(SSL_CTX* context, FdRef socket) {
    auto session = TRY(make_session(context, socket));
    SSL_set_accept_state(session.get());
    return session;
}

Result<TlsSession> make_client_session(
        SSL_CTX* context, FdRef socket, const std::string& server_name) {
    auto session = TRY(make_session(context, socket));
    SSL_set_connect_state(session.get());
    // An address is verified against the certificate's addresses, a name against its names.
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), server_name.c_str()) == 1)
        return session;
    ERR_clear_error();
    if (SSL_set1_host(session.get(), server_name.c_str()) != 1 ||
        SSL_ctrl(
                session.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                const_cast<char*>(server_name.c_str())) != 1)
        return fail(Errc::invalid, "TLS server name '{}': {}", server_name, tls_reason());
    return session;
}

std::optional<PeerCertificate> peer_certificate(SSL* session) {
    X509* certificate = SSL_get1_peer_certificate(session);
    if (certificate == nullptr) return {};
    PeerCertificate out;
    auto names = subject_entries(certificate, NID_commonName);
    if (!names.empty()) out.common_name = std::move(names.front());
    out.organizational_units = subject_entries(certificate, NID_organizationalUnitName);
    read_alternative_names(certificate, out);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &size) == 1)
        for (unsigned i = 0; i < size; ++i) out.sha256 += fmt::format("{:02x}", digest[i]);
    X509_free(certificate);
    return out;
}

}  // namespace base::http
