// The brain that these tests run against when nobody brings another.
#include "tests/unit/brain_receptor/map_brain.hpp"

namespace test {

std::unique_ptr<Subject> make_subject() {
    return std::make_unique<MapBrain>();
}

}  // namespace test
