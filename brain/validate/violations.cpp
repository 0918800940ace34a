#include "brain/validate/violations.hpp"

#include "base/fail.hpp"

namespace brain::validate {

void Violations::add(std::string field, std::string detail) {
    if (!full()) list_.push_back({.field = std::move(field), .detail = std::move(detail)});
}

void Violations::add_within(std::string field, const Violations& inner) {
    if (inner.empty()) return;
    add(std::move(field));
    for (const auto& one : inner.list_) add(one.field, one.detail);
}

std::string Violations::message() const {
    std::string text;
    for (const auto& one : list_)
        text.append(text.empty() ? "" : ", ").append("Invalid field: ").append(one.field);
    return text;
}

std::vector<std::string> Violations::details() const {
    std::vector<std::string> out;
    for (const auto& one : list_)
        if (!one.detail.empty()) out.push_back(one.detail);
    return out;
}

base::Error Violations::error() const {
    return base::fail(base::Errc::invalid, "{}", message());
}

}  // namespace brain::validate
