// The style sheet of the audit's page: light and dark, wide and narrow, screen and paper. Used by
// audit_html.cpp only.
#pragma once

#include <string_view>

namespace cli {

std::string_view audit_html_style();

}  // namespace cli
