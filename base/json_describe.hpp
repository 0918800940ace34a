// One list of members per type serves reading and writing of its JSON. Used by the wire types: a
// .cpp defines describe(visitor, T&) and then BASE_JSON_DESCRIBED(T) in the type's namespace.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace base::json {

class ReadVisitor {
  public:
    static constexpr bool kReads = true;

    explicit ReadVisitor(const Node& node) : fields_(node) {}

    template <class T>
    void omit(std::string_view name, T& value) {
        fields_.optional(name, value);
    }

    template <class T>
    void always(std::string_view name, T& value) {
        fields_.optional(name, value);
    }

    Result<void> finish() { return fields_.finish(Unknown::ignore); }

  private:
    Fields fields_;
};

class WriteVisitor {
  public:
    static constexpr bool kReads = false;

    explicit WriteVisitor(Writer& writer) : writer_(writer) {}

    // Left out when it has the zero value.
    template <class T>
    void omit(std::string_view name, const T& value) {
        writer_.member_unless_zero(name, value);
    }

    template <class T>
    void always(std::string_view name, const T& value) {
        writer_.member(name, value);
    }

  private:
    Writer& writer_;
};

}  // namespace base::json

// Two functions that differ in nothing but the type.
// NOLINTBEGIN(bugprone-macro-parentheses): a type has none
#define BASE_JSON_DESCRIBED(T)                                            \
    void to_json(base::json::Writer& w, const T& v) {                     \
        w.begin_object();                                                 \
        base::json::WriteVisitor visitor(w);                              \
        describe(visitor, const_cast<T&>(v)); /* the writer only reads */ \
        w.end_object();                                                   \
    }                                                                     \
    base::Result<void> from_json(const base::json::Node& node, T& v) {    \
        base::json::ReadVisitor visitor(node);                            \
        describe(visitor, v);                                             \
        return visitor.finish();                                          \
    }
// NOLINTEND(bugprone-macro-parentheses)
