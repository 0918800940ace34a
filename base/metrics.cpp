#include "base/metrics.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace base::metrics {

namespace {

std::string escape(std::string_view text, bool quote) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && quote) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
    return out;
}

std::string render(const Labels& labels, bool values) {
    std::string out;
    for (const auto& [name, value] : labels) {
        if (!out.empty()) out += ',';
        out += fmt::format("{}=\"{}\"", name, values ? escape(value, true) : "other");
    }
    return out;
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

void line(
        std::string& out, std::string_view name, std::string_view labels, std::string_view value) {
    out += name;
    if (!labels.empty()) out += fmt::format("{{{}}}", labels);
    out += fmt::format(" {}\n", value);
}

void histogram_lines(
        std::string& out,
        std::string_view name,
        std::string_view labels,
        const Histogram& histogram) {
    const auto figures = histogram.figures();
    const std::string separator = labels.empty() ? "" : ",";
    const auto bucket = fmt::format("{}_bucket", name);
    for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
        const auto with =
                fmt::format("{}{}le=\"{}\"", labels, separator, number(histogram.bounds()[i]));
        line(out, bucket, with, fmt::format("{}", figures.cumulative[i]));
    }
    line(out, bucket, fmt::format("{}{}le=\"+Inf\"", labels, separator),
         fmt::format("{}", figures.count));
    line(out, fmt::format("{}_sum", name), labels, number(figures.sum));
    line(out, fmt::format("{}_count", name), labels, fmt::format("{}", figures.count));
}

}  // namespace

void Gauge::add(double by) {
    double now = value();
    while (!value_.compare_exchange_weak(now, now + by, std::memory_order_relaxed)) {
    }
}

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size(), 0) {}

void Histogram::observe(double value) {
    const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    const std::lock_guard lock(mutex_);
    if (at != bounds_.end()) ++counts_[static_cast<std::size_t>(at - bounds_.begin())];
    ++count_;
    sum_ += value;
}

Histogram::Figures Histogram::figures() const {
    const std::lock_guard lock(mutex_);
    Figures figures{.cumulative = counts_, .count = count_, .sum = sum_};
    for (std::size_t i = 1; i < figures.cumulative.size(); ++i)
        figures.cumulative[i] += figures.cumulative[i - 1];
    return figures;
}

std::vector<double> duration_bounds() {
    return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

Registry::Series& Registry::series(
        std::string_view name, std::string_view help, std::string_view kind, const Labels& labels) {
    auto it = families_.find(name);
    if (it == families_.end()) {
        it = families_
                     .emplace(
                             std::string(name), Family{.help = std::string(help),
                                                       .kind = std::string(kind),
                                                       .series = {}})
                     .first;
    }
    auto& family = it->second;
    auto rendered = render(labels, true);
    if (family.series.size() >= kMaxSeries && !family.series.contains(rendered))
        rendered = render(labels, false);
    auto& found = family.series[rendered];
    found.labels = rendered;
    return found;
}

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard lock(mutex_);
    auto& found = series(name, help, "counter", labels);
    if (!found.counter) found.counter = std::make_unique<Counter>();
    return *found.counter;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard lock(mutex_);
    auto& found = series(name, help, "gauge", labels);
    if (!found.gauge) found.gauge = std::make_unique<Gauge>();
    return *found.gauge;
}

Histogram& Registry::histogram(
        std::string_view name,
        std::string_view help,
        const Labels& labels,
        const std::vector<double>& bounds) {
    const std::lock_guard lock(mutex_);
    auto& found = series(name, help, "histogram", labels);
    if (!found.histogram) found.histogram = std::make_unique<Histogram>(bounds);
    return *found.histogram;
}

void Registry::ask(
        std::string_view name,
        std::string_view help,
        const Labels& labels,
        bool counter,
        std::function<double()> value) {
    const std::lock_guard lock(mutex_);
    series(name, help, counter ? "counter" : "gauge", labels).value = std::move(value);
}

std::string Registry::text() const {
    std::string out;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, family] : families_) {
        out += fmt::format(
                "# HELP {} {}\n# TYPE {} {}\n", name, escape(family.help, false), name,
                family.kind);
        for (const auto& [labels, series] : family.series) {
            if (series.counter) line(out, name, labels, fmt::format("{}", series.counter->value()));
            if (series.gauge) line(out, name, labels, number(series.gauge->value()));
            if (series.histogram) histogram_lines(out, name, labels, *series.histogram);
            if (series.value) line(out, name, labels, number(series.value()));
        }
    }
    return out;
}

}  // namespace base::metrics
