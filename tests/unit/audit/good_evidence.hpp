// Evidence of a container without a fault, to be weakened one field at a time. Used by
// tests/unit/audit.
#pragma once

#include "garden/audit/checks.hpp"

namespace test {

garden::audit::Evidence good_evidence(
        security::Class container_class = security::Class::unprivileged);
garden::audit::HostView good_host();
std::vector<garden::audit::Belongings> good_belongings();

}  // namespace test
