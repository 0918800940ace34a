// Metrics: counters, gauges and histograms with labels, as Prometheus text. Used by every daemon's
// GET /metrics.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace base::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::size_t kMaxSeries =
        2000;  // of one name; more share one series without labels' values

class Counter {
  public:
    void add(std::uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }

    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
  public:
    void set(double value) { value_.store(value, std::memory_order_relaxed); }

    void add(double by);

    double value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<double> value_{0};
};

class Histogram {
  public:
    explicit Histogram(std::vector<double> bounds);
    void observe(double value);

    struct Figures {
        std::vector<std::uint64_t> cumulative;  // one per bound
        std::uint64_t count = 0;
        double sum = 0;
    };

    Figures figures() const;

    const std::vector<double>& bounds() const { return bounds_; }

  private:
    const std::vector<double> bounds_;  // upper, ascending, without +Inf
    mutable std::mutex mutex_;
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    double sum_ = 0;
};

// 1 ms to 60 s, for durations in seconds.
std::vector<double> duration_bounds();

// References stay valid as long as the registry. Asking twice for the same name and labels gives
// the same series. A name has one kind and one help text: those of the first call.
class Registry {
  public:
    Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
    Histogram& histogram(
            std::string_view name,
            std::string_view help,
            const Labels& labels = {},
            const std::vector<double>& bounds = duration_bounds());
    // Asked when the text is made; `counter`: whether the value only grows.
    void ask(
            std::string_view name,
            std::string_view help,
            const Labels& labels,
            bool counter,
            std::function<double()> value);

    std::string text() const;  // text/plain; version=0.0.4

  private:
    struct Series {
        std::string labels;  // rendered: a="b",c="d"
        std::unique_ptr<Counter> counter;
        std::unique_ptr<Gauge> gauge;
        std::unique_ptr<Histogram> histogram;
        std::function<double()> value;
    };

    struct Family {
        std::string help;
        std::string kind;
        std::map<std::string, Series> series;  // by rendered labels
    };

    Series& series(
            std::string_view name,
            std::string_view help,
            std::string_view kind,
            const Labels& labels);

    mutable std::mutex mutex_;
    std::map<std::string, Family, std::less<>> families_;
};

}  // namespace base::metrics
