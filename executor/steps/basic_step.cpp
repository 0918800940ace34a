#include "executor/steps/basic_step.hpp"

namespace executor {

void BasicStep::start(Listener listener) {
    listener_ = std::move(listener);
    (void)loop_.post(guarded([this] {  // a stopped loop: nobody is left to be told
        begun_ = true;
        begin();
    }));
}

void BasicStep::cancel() {
    if (cancelled_) return;
    cancelled_ = true;
    if (begun_ && !over_) on_cancel();
}

void BasicStep::ready() {
    if (ready_ || over_) return;
    ready_ = true;
    (void)loop_.post(guarded([this] {
        const auto told = std::move(listener_.ready);
        if (told) told();
    }));
}

// Posted, so that nobody is called back while he calls cancel() or start(), and so that the step is
// on no stack when its listener destroys it.
void BasicStep::finish(Outcome outcome) {
    if (over_) return;
    over_ = true;
    (void)loop_.post(guarded([this, outcome = std::move(outcome)]() mutable {
        const auto told = std::move(listener_.done);
        if (told) told(std::move(outcome));
    }));
}

void WrapperStep::start_child() {
    if (cancelled()) child_->cancel();
    child_->start(
            {.ready = [this] { child_ready(); },
             .done = [this](Outcome outcome) { child_done(std::move(outcome)); }});
}

}  // namespace executor
