// The brain under test: what clients see of it, what cells tell it. Every test of the Receptor
// makes one; another definition of make_subject() runs the same tests against another brain.
#pragma once

#include "brain/api/brain.hpp"
#include "brain/api/public_brain.hpp"

#include <memory>

namespace test {

class Subject {
  public:
    virtual ~Subject() = default;
    virtual brain::api::PublicBrain& clients() = 0;
    virtual brain::api::Brain& cells() = 0;
};

std::unique_ptr<Subject> make_subject();

}  // namespace test
