#include "lifecycle/healthcheck/http.hpp"

#include "base/parse.hpp"
#include "base/sys/error.hpp"

#include <algorithm>
#include <utility>

namespace lifecycle {

namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

base::Error corrupt(std::string_view text) {
    return base::sys::plain_error(base::Errc::corrupt, std::string(text));
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_visible(char c) {
    return c > ' ' && c < '\x7f';
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

void append_encoded(std::string& out, char c) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    out.append(1, '%').append(1, kDigits[byte >> 4U]).append(1, kDigits[byte & 15U]);
}

bool same_name(std::string_view text, std::string_view lower) {
    return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

// "HTTP/1.1 200" and then a blank or nothing.
base::Result<int> status_of(std::string_view line) {
    const bool whole = line.starts_with("HTTP/1.") && line.size() >= 12 && is_digit(line[7]) &&
                       line[8] == ' ' && is_digit(line[9]) && is_digit(line[10]) &&
                       is_digit(line[11]) && (line.size() == 12 || line[12] == ' ');
    if (!whole) return corrupt("malformed HTTP response");
    return (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
}

}  // namespace

base::Result<std::string> request_text(std::string_view uri, std::string_view host) {
    const auto refuse = [uri](std::string_view why) {
        std::string text("uri '");
        text.append(uri.substr(0, 64)).append("': ").append(why);
        return base::sys::plain_error(base::Errc::invalid, std::move(text));
    };
    if (uri.size() > kMaxUri) return refuse("is longer than 8192 bytes");
    // It follows the port in a URL: anything else would be read as a part of the port.
    if (!uri.starts_with('/') && !uri.starts_with('?')) return refuse("must begin with '/'");
    const auto target = uri.substr(0, uri.find('#'));  // a fragment is never sent
    std::string path(target.starts_with('?') ? "/" : "");
    for (std::size_t at = 0; at < target.size(); ++at) {
        const char c = target[at];
        if (is_control(c)) return refuse("has a control character");
        const bool escape =
                at + 2 < target.size() && is_hex(target[at + 1]) && is_hex(target[at + 2]);
        if (c == '%' && !escape) return refuse("'%' is not followed by two hexadecimal digits");
        if (is_visible(c)) {
            path += c;
        } else {
            append_encoded(path, c);
        }
    }
    std::string out("GET ");
    out.append(path).append(" HTTP/1.1\r\nHost: ").append(host);
    out.append("\r\nUser-Agent: diego-healthcheck\r\nX-Forwarded-Proto: https\r\nAccept: */*\r\n");
    // So that the server does not wait for a second request of ours.
    return out.append("Connection: close\r\n\r\n");
}

base::Result<void> Answer::feed(std::string_view bytes) {
    if (status_) {
        count_body(bytes);
        return base::ok;
    }
    head_.append(bytes);
    return read_head();
}

base::Result<void> Answer::read_head() {
    constexpr std::string_view kStart = "HTTP/1.";
    while (!status_) {
        const auto shown = std::min(head_.size(), kStart.size());
        if (std::string_view(head_).substr(0, shown) != kStart.substr(0, shown))
            return corrupt("malformed HTTP response");
        const auto end = head_.find(kHeadEnd);
        // The same limit for a head that comes at once and for one that comes in pieces.
        if (std::min(end, head_.size()) >= kMaxHead)
            return corrupt("malformed HTTP response: a head of over 16384 bytes");
        if (end == std::string::npos) return base::ok;
        std::string_view fields = std::string_view(head_).substr(0, end);
        const auto line = fields.substr(0, fields.find("\r\n"));
        const int status = TRY(status_of(line));
        if (status < 200) {  // "100 Continue" and its kin announce the real answer
            if (++interim_ > kMaxInterim)
                return corrupt("malformed HTTP response: it never gets beyond 1xx");
            head_.erase(0, end + kHeadEnd.size());
            continue;
        }
        fields.remove_prefix(line.size());
        while (!fields.empty()) {
            fields.remove_prefix(2);
            const auto field = fields.substr(0, fields.find("\r\n"));
            read_field(field);
            fields.remove_prefix(field.size());
        }
        status_ = status;
        count_body(std::string_view(head_).substr(end + kHeadEnd.size()));
    }
    head_.clear();
    return base::ok;
}

void Answer::read_field(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const auto name = line.substr(0, colon);
    auto value = line.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
    while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
    if (same_name(name, "content-length")) {
        // An unreadable length is none: the connection's end tells instead.
        const auto length = base::parse_number<std::uint64_t>(value, "Content-Length");
        if (length) length_ = *length;
    }
    if (same_name(name, "transfer-encoding")) chunked_ = true;
}

void Answer::count_body(std::string_view bytes) {
    received_ += bytes.size();
    const auto last = bytes.substr(bytes.size() - std::min(bytes.size(), kLastChunk.size()));
    tail_.append(last);
    if (tail_.size() > kLastChunk.size()) tail_.erase(0, tail_.size() - kLastChunk.size());
}

bool Answer::complete() const {
    if (!status_) return false;
    if (*status_ == 204 || *status_ == 304 || received_ >= kMaxBody) return true;
    // The last chunk by its looks: data that ends the same way only ends the reading early, and the
    // status has been decided by then.
    if (chunked_) return tail_ == kLastChunk;
    return length_ && received_ >= *length_;
}

}  // namespace lifecycle
