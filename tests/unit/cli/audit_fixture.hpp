// A report as a small machine gives it: an ordinary container, a privileged one, the pairs, the
// host. Used by the tests of the audit's forms.
#pragma once

#include "garden/api/audit.hpp"

namespace fixture {

garden::api::AuditReport audit_report();
// The same shape where every text that a container or an image chooses attacks its reader.
garden::api::AuditReport hostile_report();

}  // namespace fixture
