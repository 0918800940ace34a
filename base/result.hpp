// Result<T>: a value or an Error, with std::expected's spelling; TRY and CO_TRY pass an error on.
// Used by everything. Allocates only for the error's text, so the static programs may use it
// outside child.cpp.
#pragma once

#include "base/error.hpp"

#include <errno.h>

#include <concepts>
#include <type_traits>
#include <utility>
#include <variant>

namespace base {

template <class T>
class [[nodiscard]] Result {
  public:
    using value_type = T;

    template <class U = T>

    requires std::constructible_from<T, U&&> &&(!std::same_as<std::remove_cvref_t<U>, Error>)&&(
            !std::same_as<std::remove_cvref_t<U>, Result>)Result(U&& value)  // NOLINT: implicit
        : state_(std::in_place_index<0>, std::forward<U>(value)) {}

    Result(Error error)  // NOLINT(google-explicit-constructor): `return error;` reads well
        : state_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const { return state_.index() == 0; }

    explicit operator bool() const { return has_value(); }

    T& value() & {
        check();
        return *std::get_if<0>(&state_);
    }

    const T& value() const& {
        check();
        return *std::get_if<0>(&state_);
    }

    T&& value() && {
        check();
        return std::move(*std::get_if<0>(&state_));
    }

    T& operator*() & { return value(); }

    const T& operator*() const& { return value(); }

    T&& operator*() && { return std::move(*this).value(); }

    T* operator->() { return &value(); }

    const T* operator->() const { return &value(); }

    Error& error() & { return *std::get_if<1>(&state_); }

    const Error& error() const& { return *std::get_if<1>(&state_); }

    Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

    template <class U>
    T value_or(U&& other) && {
        if (has_value()) return std::move(*this).value();
        return static_cast<T>(std::forward<U>(other));
    }

    // Adds what this level knows, on failure only: the prefix is built in every case, keep it
    // cheap.
    Result&& context(std::string_view prefix) && {
        if (!has_value()) (void)std::move(error()).context(prefix);
        return std::move(*this);
    }

  private:
    void check() const {
        if (!has_value()) panic(std::get_if<1>(&state_)->text, std::get_if<1>(&state_)->where);
    }

    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    using value_type = void;

    Result() = default;

    Result(Error error)  // NOLINT(google-explicit-constructor): as above
        : error_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const { return error_.index() == 0; }

    explicit operator bool() const { return has_value(); }

    void value() const {
        if (!has_value()) panic(error().text, error().where);
    }

    Error& error() & { return *std::get_if<1>(&error_); }

    const Error& error() const& { return *std::get_if<1>(&error_); }

    Error&& error() && { return std::move(*std::get_if<1>(&error_)); }

    Result&& context(std::string_view prefix) && {
        if (!has_value()) (void)std::move(error()).context(prefix);
        return std::move(*this);
    }

  private:
    std::variant<std::monostate, Error> error_;
};

inline constexpr struct Ok {
    operator Result<void>() const { return {}; }  // NOLINT: `return ok;` reads well
} ok;

// The message of the current errno, without a lock and without locale.
std::string errno_text(int error);

namespace detail {

template <class T>
T take(Result<T>& result) {
    return std::move(result).value();
}

inline void take(Result<void>&) {}

}  // namespace detail

}  // namespace base

// The value of a Result, or return its Error. An expression; plain functions only (conventions §5).
#define TRY(...)                                   \
    __extension__({                                \
        auto try_result_ = (__VA_ARGS__);          \
        if (!try_result_) [[unlikely]]             \
            return std::move(try_result_).error(); \
        ::base::detail::take(try_result_);         \
    })

#define BASE_CONCAT_(a, b) a##b
#define BASE_CONCAT(a, b) BASE_CONCAT_(a, b)

// The same in a coroutine, as a statement: CO_TRY(auto x, co_await f(y));
#define CO_TRY(declaration, ...)                                        \
    auto BASE_CONCAT(co_result_, __LINE__) = __VA_ARGS__;               \
    if (!BASE_CONCAT(co_result_, __LINE__)) [[unlikely]]                \
        co_return std::move(BASE_CONCAT(co_result_, __LINE__)).error(); \
    declaration = ::base::detail::take(BASE_CONCAT(co_result_, __LINE__))

// For Result<void> in a coroutine: CO_TRY_VOID(co_await f(y));
#define CO_TRY_VOID(...)                                  \
    auto BASE_CONCAT(co_result_, __LINE__) = __VA_ARGS__; \
    if (!BASE_CONCAT(co_result_, __LINE__)) [[unlikely]]  \
    co_return std::move(BASE_CONCAT(co_result_, __LINE__)).error()
