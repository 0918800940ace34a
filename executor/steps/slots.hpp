// Slots: how many of something may go on at once, first come first served. Bounds the health checks
// that need a process, over all containers of a cell (executor-rep §4.7). On the loop only.
#pragma once

#include "executor/loop/loop.hpp"

#include <cstddef>
#include <functional>
#include <list>
#include <memory>

namespace executor {

class Slots {
    struct Waiting {
        std::function<void()> go;
        bool going = false;
    };

    using Queue = std::list<std::unique_ptr<Waiting>>;

  public:
    // A place in the queue, then a slot, until it is destroyed; before the Slots are.
    class Turn {
      public:
        Turn(Slots& slots, Waiting& place) : slots_(slots), place_(place) {}

        ~Turn() { slots_.leave(place_); }

        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

      private:
        Slots& slots_;
        Waiting& place_;
    };

    Slots(Loop& loop, std::size_t count) : loop_(loop), free_(count) {}

    // `go` is called on the loop when its turn has come, never before this returns, and not once
    // the turn is destroyed.
    std::unique_ptr<Turn> take(std::function<void()> go);

  private:
    void leave(const Waiting& place);
    void call_next();

    Loop& loop_;
    std::size_t free_;
    Queue queue_;                                             // those who wait, and those who go
    std::shared_ptr<char> alive_ = std::make_shared<char>();  // one owner; posted jobs look
};

}  // namespace executor
