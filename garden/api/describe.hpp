// One list of members per type serves reading and writing. Private to garden/api: a .cpp defines
// describe(visitor, T&) and then GARDEN_API_JSON(T).
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace garden::api {

class ReadVisitor {
  public:
    explicit ReadVisitor(const base::json::Node& node) : fields_(node) {}

    template <class T>
    void omit(std::string_view name, T& value) {
        fields_.optional(name, value);
    }

    template <class T>
    void always(std::string_view name, T& value) {
        fields_.optional(name, value);
    }

    base::Result<void> finish() { return fields_.finish(base::json::Unknown::ignore); }

  private:
    base::json::Fields fields_;
};

class WriteVisitor {
  public:
    explicit WriteVisitor(base::json::Writer& writer) : writer_(writer) {}

    template <class T>
    void omit(std::string_view name, const T& value) {
        writer_.member_unless_zero(name, value);
    }

    template <class T>
    void always(std::string_view name, const T& value) {
        writer_.member(name, value);
    }

  private:
    base::json::Writer& writer_;
};

}  // namespace garden::api

// The only macro of this folder: two functions that differ in nothing but the type.
// NOLINTBEGIN(bugprone-macro-parentheses): a type has none
#define GARDEN_API_JSON(T)                                                \
    void to_json(base::json::Writer& w, const T& v) {                     \
        w.begin_object();                                                 \
        WriteVisitor visitor(w);                                          \
        describe(visitor, const_cast<T&>(v)); /* the writer only reads */ \
        w.end_object();                                                   \
    }                                                                     \
    base::Result<void> from_json(const base::json::Node& node, T& v) {    \
        ReadVisitor visitor(node);                                        \
        describe(visitor, v);                                             \
        return visitor.finish();                                          \
    }
// NOLINTEND(bugprone-macro-parentheses)
