// Beast asserts five bytes when a last chunk comes in pieces ("0\r\n", then "\r"): a client could
// stop a debug build so. Its code is right without the assertion (fewer than three bytes never get
// there, and everything else returns need_more). This is the only file that includes the parser.
#define BOOST_DISABLE_ASSERTS

#include "base/http/parser.hpp"

#include "base/fail.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

namespace base::http {

namespace beast = boost::beast::http;
using ErrorCode = boost::system::error_code;

// What request and response parsers have in common, without their types.
struct Parser::Impl {
    virtual ~Impl() = default;
    virtual std::size_t put(std::string_view bytes, ErrorCode& error) = 0;
    virtual void put_eof(ErrorCode& error) = 0;
    virtual bool header_done() const = 0;
    virtual bool done() const = 0;
    virtual bool need_eof() const = 0;
    virtual beast::buffer_body::value_type& body() = 0;
    virtual void export_header(Parser& out) const = 0;
};

namespace {

template <class Source>
void export_common(const Source& source, Parser& out) {
    out.version = source.get().version();
    out.chunked = source.chunked();
    out.keep_alive = source.keep_alive();
    if (const auto length = source.content_length()) out.content_length = *length;
    out.has_body = source.chunked() || out.content_length.value_or(0) > 0;
    for (const auto& field : source.get().base())
        out.headers.add(std::string(field.name_string()), std::string(field.value()));
}

Error framing_error(const ErrorCode& error) {
    if (error == beast::error::header_limit)
        return fail(Errc::exhausted, "header is over the limit");
    return fail(Errc::corrupt, "malformed message: {}", error.message());
}

}  // namespace

template <bool is_request>  // NOLINT: as Beast names it
struct ParserOf : Parser::Impl {
    beast::parser<is_request, beast::buffer_body> parser;

    explicit ParserOf(std::size_t header_limit) {
        parser.header_limit(static_cast<std::uint32_t>(header_limit));
        parser.body_limit(
                boost::none);  // bodies are streamed; who collects one has a limit of its own
    }

    std::size_t put(std::string_view bytes, ErrorCode& error) override {
        return parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    }

    void put_eof(ErrorCode& error) override { parser.put_eof(error); }

    bool header_done() const override { return parser.is_header_done(); }

    bool done() const override { return parser.is_done(); }

    bool need_eof() const override { return parser.need_eof(); }

    beast::buffer_body::value_type& body() override { return parser.get().body(); }

    void export_header(Parser& out) const override {
        export_common(parser, out);
        if constexpr (is_request) {
            out.method = std::string(parser.get().method_string());
            out.target = std::string(parser.get().target());
        } else {
            out.status = static_cast<int>(parser.get().result_int());
            // RFC 9112 6.3: these end with the header, whatever length the header speaks of.
            const bool ends_with_header =
                    out.status / 100 == 1 || out.status == 204 || out.status == 304;
            out.has_body = !ends_with_header && (out.has_body || parser.need_eof());
        }
    }
};

struct Parser::RequestImpl : ParserOf<true> {
    using ParserOf::ParserOf;
};

struct Parser::ResponseImpl : ParserOf<false> {
    using ParserOf::ParserOf;
};

Parser::Parser(Kind kind, std::size_t header_limit) {
    if (kind == Kind::request) {
        impl_ = std::make_unique<RequestImpl>(header_limit);
    } else {
        impl_ = std::make_unique<ResponseImpl>(header_limit);
    }
}

Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

void Parser::consume(std::size_t count) {
    at_ += count;
    if (at_ < buffer_.size()) return;
    buffer_.clear();
    at_ = 0;
}

Result<bool> Parser::parse_header() {
    while (!impl_->header_done()) {
        if (!buffered()) return false;
        ErrorCode error;
        consume(impl_->put(std::string_view(buffer_).substr(at_), error));
        if (error == beast::error::need_more) return false;
        if (error) return framing_error(error);
    }
    impl_->export_header(*this);
    return true;
}

Result<std::size_t> Parser::parse_body(std::span<char> into) {
    auto& body = impl_->body();
    while (!impl_->done() && buffered()) {
        body.data = into.data();
        body.size = into.size();
        body.more = true;
        ErrorCode error;
        const auto used = impl_->put(std::string_view(buffer_).substr(at_), error);
        const auto written = into.size() - body.size;
        body.data = nullptr;
        body.size = 0;
        consume(used);
        if (error && error != beast::error::need_more && error != beast::error::need_buffer)
            return framing_error(error);
        if (written > 0) return written;
        if (error == beast::error::need_more) return std::size_t{0};
    }
    return std::size_t{0};
}

bool Parser::complete() const {
    return impl_->done();
}

Result<void> Parser::end_of_stream() {
    if (impl_->done()) return ok;
    if (impl_->header_done() && impl_->need_eof()) {
        ErrorCode error;
        impl_->put_eof(error);
        if (!error) return ok;
    }
    return fail(Errc::unavailable, "the connection ended in the middle of a message");
}

std::string Parser::take_leftover() {
    auto rest = buffer_.substr(at_);
    buffer_.clear();
    at_ = 0;
    return rest;
}

}  // namespace base::http
