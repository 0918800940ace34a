// CheckSet: the declarative checks of one container, probed from the host again and again
// (executor-rep §7.2). Lives on the loop. Used by the health step and by readiness.
#pragma once

#include "executor/checks/checks.hpp"
#include "executor/loop/loop.hpp"
#include "executor/steps/tools.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace executor {

// Delays between attempts that are hoped to succeed soon: `first`, then 2, 4, … times as long, up
// to `most`. A first of 0: always `most`, as Diego's.
class Eagerness {
  public:
    Eagerness(std::chrono::nanoseconds first, std::chrono::nanoseconds most)
        : next_(first > first.zero() && first < most ? first : most), most_(most) {}

    std::chrono::nanoseconds next() {
        const auto now = next_;
        next_ = now > most_ / 2 ? most_ : now * 2;
        return now;
    }

  private:
    std::chrono::nanoseconds next_;
    std::chrono::nanoseconds most_;
};

class CheckSet {
  public:
    struct Events {
        std::function<void()> passed;                         // of wait()
        std::function<void()> missed;                         // of wait(): an attempt failed
        std::function<void(const std::string& text)> failed;  // of watch()
    };

    // Events may call everything here; they must not destroy it.
    CheckSet(Tools& tools, const std::vector<api::Check>& checks, Events events);
    ~CheckSet();
    CheckSet(const CheckSet&) = delete;
    CheckSet& operator=(const CheckSet&) = delete;

    void wait();  // until each has passed once
    // Each at its own interval, until one has failed as often as its threshold says. `first`: the
    // delay before the first attempts; 0 = their intervals.
    void watch(std::chrono::nanoseconds first = std::chrono::nanoseconds(0));
    void stop();

    // During wait(): what has not passed yet, one sentence each.
    std::string waiting_for(std::chrono::nanoseconds elapsed) const;

  private:
    struct One;
    void attempt_after(One& one, std::chrono::nanoseconds delay);
    void attempt(One& one);
    void judge(One& one, const ProbeAnswer& answer);
    void judge_waiting(One& one, const ProbeAnswer& answer);
    void judge_watching(One& one, const ProbeAnswer& answer);

    Tools& tools_;
    const Events events_;
    std::vector<std::unique_ptr<One>> all_;
    bool watching_ = false;
    std::shared_ptr<char> alive_ = std::make_shared<char>();  // one owner; posted jobs look
};

}  // namespace executor
