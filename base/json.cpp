#include "base/json.hpp"

#include "base/fail.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace base::json {

namespace {

// The text up to the end of its first value, by the splitter's rules; empty when there is none.
std::string_view first_value(std::string_view text) {
    std::size_t at = text.find_first_not_of(" \t\r\n");
    if (at == std::string_view::npos) return {};
    const std::size_t begin = at;
    std::size_t depth = 0;
    bool in_string = false;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (in_string) {
            if (c == '\\') ++at;
            if (c == '"') in_string = false;
            if (c == '"' && depth == 0) return text.substr(begin, at + 1 - begin);
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']') {
            if (depth <= 1) return text.substr(begin, at + (depth == 1 ? 1 : 0) - begin);
            --depth;
        } else if (depth == 0 && (c == ' ' || c == '\n' || c == '\t' || c == '\r')) {
            return text.substr(begin, at - begin);
        }
    }
    return text.substr(begin);
}

// nlohmann recurses over nothing while parsing, but destroying and dumping do: the depth is checked
// before.
std::size_t depth_of(std::string_view text) {
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (in_string) {
            if (c == '\\') ++at;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            deepest = std::max(deepest, ++depth);
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return deepest;
}

std::string place(std::string_view text, std::size_t byte) {
    const std::string_view before = text.substr(0, std::min(byte, text.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto newline = before.rfind('\n');
    const std::size_t column =
            newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
    return fmt::format("line {} column {}", line, std::max<std::size_t>(column, 1));
}

std::string shortened(std::string text) {
    constexpr std::size_t kShown = 64;
    if (text.size() > kShown) {
        text.resize(kShown);
        text += "…";
    }
    return text;
}

}  // namespace

Document::Document(std::unique_ptr<nlohmann::json> value) : value_(std::move(value)) {}

Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Result<Document> Document::parse(std::string_view text, Limits limits, Rest rest) {
    if (text.size() > limits.bytes) {
        return fail(
                Errc::exhausted, "JSON text has {} bytes, the limit is {}", text.size(),
                limits.bytes);
    }
    if (rest == Rest::ignore) text = first_value(text);
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return fail(Errc::invalid, "EOF");
    const std::size_t depth = depth_of(text);
    if (depth > limits.depth) {
        return fail(
                Errc::exhausted, "JSON text is nested {} deep, the limit is {}", depth,
                limits.depth);
    }
    try {
        return Document(std::make_unique<nlohmann::json>(nlohmann::json::parse(text)));
    } catch (const nlohmann::json::parse_error& error) {
        const bool cut = error.byte > text.size();
        return fail(
                Errc::invalid, "invalid JSON: {} at {}",
                cut ? "unexpected end" : "unexpected character", place(text, error.byte));
    } catch (const nlohmann::json::exception& error) {
        return fail(Errc::invalid, "invalid JSON: {}", error.what());  // a number like 1e999
    }
}

bool Node::is_null() const {
    return value_->is_null();
}

bool Node::is_object() const {
    return value_->is_object();
}

bool Node::is_array() const {
    return value_->is_array();
}

bool Node::is_string() const {
    return value_->is_string();
}

std::string Node::dump() const {
    return value_->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Error Node::wrong(std::string_view expected) const {
    // A big object is not worth dumping for the sake of 64 characters.
    const std::string got = value_->is_object()  ? "an object"
                            : value_->is_array() ? "an array"
                                                 : shortened(dump());
    return refuse(fmt::format("expected {}, got {}", expected, got));
}

Error Node::refuse(std::string_view text) const {
    return fail(Errc::invalid, "{}{}{}", path_, path_.empty() ? "" : ": ", text);
}

Result<bool> Node::boolean() const {
    if (!value_->is_boolean()) return wrong("true or false");
    return value_->get<bool>();
}

Result<std::string> Node::string() const {
    if (!value_->is_string()) return wrong("a string");
    return value_->get_ref<const std::string&>();
}

Result<double> Node::number() const {
    if (!value_->is_number()) return wrong("a number");
    return value_->get<double>();
}

Result<std::uint64_t> Node::unsigned_integer(std::uint64_t max) const {
    if (!value_->is_number_unsigned()) return wrong("an unsigned integer");
    const auto value = value_->get<std::uint64_t>();
    if (value > max) return refuse(fmt::format("{} is larger than the limit {}", value, max));
    return value;
}

Result<std::int64_t> Node::signed_integer(std::int64_t min, std::int64_t max) const {
    if (!value_->is_number_integer()) return wrong("an integer");
    if (value_->is_number_unsigned()) {
        const auto value = value_->get<std::uint64_t>();
        if (max < 0 || value > static_cast<std::uint64_t>(max)) {
            return refuse(fmt::format("{} is larger than the limit {}", value, max));
        }
        if (static_cast<std::int64_t>(value) < min)
            return refuse(fmt::format("{} is smaller than the limit {}", value, min));
        return static_cast<std::int64_t>(value);
    }
    const auto value = value_->get<std::int64_t>();
    if (value < min) return refuse(fmt::format("{} is smaller than the limit {}", value, min));
    if (value > max) return refuse(fmt::format("{} is larger than the limit {}", value, max));
    return value;
}

Result<std::vector<Node>> Node::elements(std::size_t limit) const {
    if (!value_->is_array()) return wrong("an array");
    if (value_->size() > limit)
        return refuse(fmt::format("{} elements, the limit is {}", value_->size(), limit));
    std::vector<Node> out;
    out.reserve(value_->size());
    std::size_t index = 0;
    for (const auto& element : *value_)
        out.emplace_back(element, fmt::format("{}[{}]", path_, index++));
    return out;
}

Result<std::vector<std::pair<std::string, Node>>> Node::members(std::size_t limit) const {
    if (!value_->is_object()) return wrong("an object");
    if (value_->size() > limit)
        return refuse(fmt::format("{} members, the limit is {}", value_->size(), limit));
    std::vector<std::pair<std::string, Node>> out;
    out.reserve(value_->size());
    for (const auto& [name, member] : value_->items()) {
        out.emplace_back(name, Node(member, path_.empty() ? name : path_ + "." + name));
    }
    return out;
}

Result<std::optional<Node>> Node::find(std::string_view name) const {
    if (!value_->is_object()) return wrong("an object");
    const auto found = value_->find(name);
    if (found == value_->end()) return std::optional<Node>{};
    return std::optional<Node>(
            Node(*found, path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name)));
}

Result<void> read(const Node& node, bool& out) {
    out = TRY(node.boolean());
    return ok;
}

Result<void> read(const Node& node, double& out) {
    out = TRY(node.number());
    return ok;
}

Result<void> read(const Node& node, std::string& out) {
    out = TRY(node.string());
    return ok;
}

Fields::Fields(const Node& node) : node_(node) {
    if (!node.is_object()) error_ = node.wrong("an object");
}

std::optional<Node> Fields::take(std::string_view name, bool required) {
    asked_.push_back(name);
    if (error_) return std::nullopt;
    auto found = node_.find(name);
    if (!found) {
        error_ = std::move(found).error();
        return std::nullopt;
    }
    if (*found && !(*found)->is_null()) return std::move(*found);
    if (required) {
        const std::string path =
                node_.path().empty() ? std::string(name) : fmt::format("{}.{}", node_.path(), name);
        error_ = fail(Errc::invalid, "{}: missing", path);
    }
    return std::nullopt;
}

Result<void> Fields::finish(Unknown unknown) {
    if (!error_ && unknown == Unknown::reject) {
        for (const auto& [name, member] : node_.raw().items()) {
            if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
            error_ =
                    fail(Errc::invalid, "{}{}{}: unknown member", node_.path(),
                         node_.path().empty() ? "" : ".", name);
            break;
        }
    }
    if (error_) return std::move(*error_);
    return ok;
}

Result<void> ValueSplitter::feed(std::string_view bytes) {
    if (begin_ > 0 && !done_) {  // drop what was handed out
        buffer_.erase(0, begin_);
        at_ -= begin_;
        begin_ = 0;
    }
    buffer_.append(bytes);
    scan();
    const std::size_t held = (done_ ? at_ : buffer_.size()) - begin_;
    if (held > limit_)
        return fail(Errc::exhausted, "a JSON value of the stream is longer than {} bytes", limit_);
    return ok;
}

std::optional<std::string> ValueSplitter::next() {
    if (!done_) scan();
    if (!done_) return std::nullopt;
    std::string value = buffer_.substr(begin_, at_ - begin_);
    while (value.find_last_of(" \t\r\n") == value.size() - 1)
        value.pop_back();  // the space that ended a number
    begin_ = at_;
    done_ = false;
    if (begin_ == buffer_.size()) {
        buffer_.clear();
        begin_ = at_ = 0;
    }
    return value;
}

void ValueSplitter::scan() {
    for (; at_ < buffer_.size() && !done_; ++at_) {
        const char c = buffer_[at_];
        const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (!in_value_) {
            if (space) {
                begin_ = at_ + 1;
                continue;
            }
            in_value_ = true;
            begin_ = at_;
        }
        if (in_string_) {
            if (escaped_) {
                escaped_ = false;
            } else if (c == '\\') {
                escaped_ = true;
            } else if (c == '"') {
                in_string_ = false;
                done_ = depth_ == 0;
            }
        } else if (c == '"') {
            in_string_ = true;
        } else if (c == '{' || c == '[') {
            ++depth_;
        } else if (c == '}' || c == ']') {
            if (depth_ > 0) --depth_;
            done_ = depth_ == 0;
        } else if (depth_ == 0 && space) {
            done_ = true;
        }
    }
    if (done_) in_value_ = false;
}

}  // namespace base::json
