// Writing JSON text directly: members in the order written, integers exact, always valid UTF-8.
// Used by wire types and logs.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base::json {

// `text` with JSON escapes, without quotes; bytes that are no UTF-8 become U+FFFD.
void append_escaped(std::string& out, std::string_view text);

//     Writer w;
//     w.begin_object().member("Handle", handle).end_object();
//     send(w.take());
// A type of ours takes part with `void to_json(Writer&, const T&)` in its own namespace.
class Writer {
  public:
    Writer& begin_object();
    Writer& end_object();
    Writer& begin_array();
    Writer& end_array();
    Writer& key(std::string_view name);
    Writer& null();
    Writer& raw(std::string_view json);  // text that is JSON already

    Writer& value(std::string_view text);

    Writer& value(const char* text) { return value(std::string_view(text)); }

    Writer& value(const std::string& text) { return value(std::string_view(text)); }

    Writer& value(bool flag);
    Writer& value(double number);
    template <std::unsigned_integral T>

    requires(!std::same_as<T, bool>) Writer& value(T number) { return unsigned_number(number); }

    template <std::signed_integral T>
    Writer& value(T number) {
        return signed_number(number);
    }

    template <class T>
    Writer& value(const std::vector<T>& values) {
        begin_array();
        for (const auto& v : values) value(v);
        return end_array();
    }

    template <class T>
    Writer& value(const std::map<std::string, T>& values) {
        begin_object();
        for (const auto& [name, v] : values) member(name, v);
        return end_object();
    }

    template <class T>
    Writer& value(const std::optional<T>& v) {
        return v ? value(*v) : null();
    }
    template <class T>

    requires requires(Writer& w, const T& v) { to_json(w, v); }

    Writer& value(const T& v) {
        to_json(*this, v);
        return *this;
    }

    template <class T>
    Writer& member(std::string_view name, const T& v) {
        return key(name).value(v);
    }

    // Absent when it has the zero value (Go's omitempty): 0, false, "", empty list or map, no
    // value.
    template <class T>
    Writer& member_unless_zero(std::string_view name, const T& v) {
        if (is_zero(v)) return *this;
        return member(name, v);
    }

    const std::string& text() const { return out_; }

    std::string take() { return std::move(out_); }

  private:
    Writer& unsigned_number(std::uint64_t number);
    Writer& signed_number(std::int64_t number);
    void separate();

    template <class T>
    static bool is_zero(const T& v) {
        if constexpr (requires { v.empty(); }) {
            return v.empty();
        } else if constexpr (requires { v.has_value(); }) {
            return !v.has_value();
        } else {
            return v == T{};
        }
    }

    std::string out_;
    bool comma_ = false;  // the next value or key needs one in front
};

// The JSON text of one value.
template <class T>
std::string encode(const T& value) {
    Writer writer;
    writer.value(value);
    return writer.take();
}

}  // namespace base::json
