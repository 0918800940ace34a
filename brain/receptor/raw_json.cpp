#include "brain/receptor/raw_json.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"

#include <algorithm>

namespace brain::receptor {

namespace {

// Walks over text that is known to be JSON; never reads beyond its end, whatever it is.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    void skip_blanks() {
        const auto next = text_.find_first_not_of(" \t\r\n", at_);
        at_ = std::min(next, text_.size());
    }

    bool take(char c) {
        skip_blanks();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }

    // The bytes of one value, quotes and brackets included.
    std::string_view value() {
        skip_blanks();
        const auto begin = at_;
        if (at_ < text_.size() && text_[at_] == '"') {
            skip_string();
        } else if (at_ < text_.size() && (text_[at_] == '{' || text_[at_] == '[')) {
            skip_nested();
        } else {
            at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
        }
        return text_.substr(begin, at_ - begin);
    }

  private:
    void skip_string() {
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
            if (text_[at_] == '\\') ++at_;
        at_ = std::min(at_ + 1, text_.size());
    }

    void skip_nested() {
        std::size_t depth = 0;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"') {
                skip_string();
                continue;
            }
            ++at_;
            if (c == '{' || c == '[') ++depth;
            if ((c == '}' || c == ']') && --depth == 0) return;
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

// What a name in quotes means: it may be escaped.
base::Result<std::string> name_of(std::string_view quoted) {
    return base::json::decode<std::string>(quoted);
}

base::Result<std::map<std::string, std::string>> members_of(std::string_view object) {
    Scanner scanner(object);
    std::map<std::string, std::string> members;
    if (!scanner.take('{')) return base::fail(base::Errc::invalid, "expected an object");
    if (scanner.take('}')) return members;
    do {
        auto name = TRY(name_of(scanner.value()));
        if (!scanner.take(':')) return base::fail(base::Errc::invalid, "expected a colon");
        members.insert_or_assign(std::move(name), std::string(scanner.value()));
    } while (scanner.take(','));
    return members;
}

}  // namespace

base::Result<std::optional<std::map<std::string, std::string>>> raw_members(
        std::string_view text, std::string_view name) {
    using Found = std::optional<std::map<std::string, std::string>>;
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // the parser skips it, too
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    const auto all = TRY(members_of(text));
    const auto found = all.find(std::string(name));
    if (found == all.end() || found->second == "null") return Found();
    auto members = members_of(found->second);
    if (!members) return base::fail(base::Errc::invalid, "{}: expected an object", name);
    return Found(std::move(members).value());
}

}  // namespace brain::receptor
