// Reading JSON that others wrote: bounded parsing, errors that name the path, exact integers. Used
// by wire types and config. A type of ours takes part with `Result<void> from_json(const Node&,
// T&)` in its own namespace. Writing: json_writer.hpp.
#pragma once

#include "base/named.hpp"
#include "base/result.hpp"

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace base::json {

inline constexpr std::size_t kMaxBytes = std::size_t{4} << 20;
inline constexpr std::size_t kMaxDepth = 64;
inline constexpr std::size_t kMaxElements = std::size_t{1} << 16;  // of one array or object

struct Limits {
    std::size_t bytes = kMaxBytes;
    std::size_t depth = kMaxDepth;
};

enum class Rest : std::uint8_t {
    reject,
    ignore
};  // what stands behind the first value (garden-api §1: ignore)
enum class Unknown : std::uint8_t { reject, ignore };  // members that nobody asked for

// A value inside a Document, with the path that leads to it. Borrowed: the Document must live
// longer.
class Node {
  public:
    Node(const nlohmann::json& value, std::string path) : value_(&value), path_(std::move(path)) {}

    const std::string& path() const { return path_; }

    const nlohmann::json& raw() const { return *value_; }

    bool is_null() const;
    bool is_object() const;
    bool is_array() const;
    bool is_string() const;

    Result<bool> boolean() const;
    Result<std::string> string() const;
    Result<double> number() const;
    // Integers only: 1.0 and 1e3 are refused like text is, and so is what does not fit.
    Result<std::uint64_t> unsigned_integer(std::uint64_t max) const;
    Result<std::int64_t> signed_integer(std::int64_t min, std::int64_t max) const;
    Result<std::vector<Node>> elements(std::size_t limit = kMaxElements) const;
    Result<std::vector<std::pair<std::string, Node>>> members(
            std::size_t limit = kMaxElements) const;
    // The member, or nothing when it is absent; an error when this is not an object.
    Result<std::optional<Node>> find(std::string_view name) const;

    std::string dump() const;                      // compact text
    Error wrong(std::string_view expected) const;  // "limits.max: expected a string, got 7"
    Error refuse(std::string_view text) const;     // "limits.max: <text>"

  private:
    const nlohmann::json* value_;
    std::string path_;
};

class Document {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
  public:
    // Errc::invalid for bad text (with line and column), Errc::exhausted for a limit.
    static Result<Document> parse(
            std::string_view text, Limits limits = {}, Rest rest = Rest::reject);
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;
    ~Document();

    Node root() const { return Node(*value_, ""); }

  private:
    explicit Document(std::unique_ptr<nlohmann::json> value);
    std::unique_ptr<nlohmann::json> value_;
};

// Cuts a byte stream into JSON values (the process stream of garden-api §7.2); newlines between
// them mean nothing.
class ValueSplitter {
  public:
    explicit ValueSplitter(std::size_t limit) : limit_(limit) {}

    // Errc::exhausted when one value grows over the limit; the stream is then unusable.
    Result<void> feed(std::string_view bytes);
    std::optional<std::string> next();  // the next complete value

    bool empty() const { return begin_ == buffer_.size(); }

  private:
    void scan();

    std::size_t limit_;
    std::string buffer_;
    std::size_t begin_ = 0;  // of the value being read
    std::size_t at_ = 0;     // scanned up to here
    std::size_t depth_ = 0;
    bool in_value_ = false;
    bool in_string_ = false;
    bool escaped_ = false;
    bool done_ = false;  // [begin_, at_) is a whole value
};

Result<void> read(const Node& node, bool& out);
Result<void> read(const Node& node, double& out);
Result<void> read(const Node& node, std::string& out);

template <std::unsigned_integral T>
Result<void> read(const Node& node, T& out) {
    out = static_cast<T>(TRY(node.unsigned_integer(std::numeric_limits<T>::max())));
    return ok;
}

template <std::signed_integral T>
Result<void> read(const Node& node, T& out) {
    out = static_cast<T>(
            TRY(node.signed_integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max())));
    return ok;
}

template <class T>

requires requires(const Node& node, T& out) {
    { from_json(node, out) } -> std::same_as<Result<void>>;
}

Result<void> read(const Node& node, T& out) {
    return from_json(node, out);
}

template <class Tag, class T>
Result<void> read(const Node& node, Named<Tag, T>& out) {
    T value{};
    TRY(read(node, value));
    out = Named<Tag, T>(std::move(value));
    return ok;
}

template <class T>
Result<void> read(const Node& node, std::optional<T>& out) {
    if (node.is_null()) {
        out.reset();
        return ok;
    }
    T value{};
    TRY(read(node, value));
    out = std::move(value);
    return ok;
}

template <class T>
Result<void> read(const Node& node, std::vector<T>& out) {
    std::vector<T> values;
    for (const Node& element : TRY(node.elements())) {
        T value{};
        TRY(read(element, value));
        values.push_back(std::move(value));
    }
    out = std::move(values);
    return ok;
}

template <class T>
Result<void> read(const Node& node, std::map<std::string, T>& out) {
    std::map<std::string, T> values;
    for (auto& [name, member] : TRY(node.members())) {
        T value{};
        TRY(read(member, value));
        values.insert_or_assign(std::move(name), std::move(value));
    }
    out = std::move(values);
    return ok;
}

// The members of one object, one call each; the first error wins and is told by finish().
//     Fields fields(node);
//     fields.required("path", out.path).optional("args", out.args);
//     return fields.finish(Unknown::ignore);
class Fields {
  public:
    explicit Fields(const Node& node);

    template <class T>
    Fields& required(std::string_view name, T& out) {
        return member(name, out, true);
    }

    // Absent and null leave `out` as it is.
    template <class T>
    Fields& optional(std::string_view name, T& out) {
        return member(name, out, false);
    }

    Result<void> finish(Unknown unknown);

  private:
    template <class T>
    Fields& member(std::string_view name, T& out, bool required) {
        const std::optional<Node> found = take(name, required);
        if (found) {
            auto done = read(*found, out);
            if (!done) error_ = std::move(done).error();
        }
        return *this;
    }

    std::optional<Node> take(std::string_view name, bool required);

    Node node_;
    std::vector<std::string_view> asked_;
    std::optional<Error> error_;
};

// The whole of `text` as a T.
template <class T>
Result<T> decode(std::string_view text, Rest rest = Rest::reject, Limits limits = {}) {
    const Document document = TRY(Document::parse(text, limits, rest));
    T out{};
    TRY(read(document.root(), out));
    return out;
}

}  // namespace base::json
