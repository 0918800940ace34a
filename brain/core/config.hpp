// Settings of brain/core; every one is a setting of braind.
#pragma once

#include "brain/model/outcome.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace brain::core {

struct Config {
    std::string name;  // of this brain: how clients and other brains reach it
    model::Limits limits;
    std::chrono::milliseconds lead_time{10'000};       // a brain that is gone leads so long at most
    std::chrono::milliseconds convergence{30'000};     // between passes over everything
    std::chrono::milliseconds presence_grace{15'000};  // for known cells to be heard after a start
    std::chrono::milliseconds max_presence{60'000};    // longest lease that a cell may ask for
    std::size_t max_batch = 1'000;                     // operations in one commit
};

}  // namespace brain::core
