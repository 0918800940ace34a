// Foreign text inside of XML and HTML (API-10). Used by the audit's JUnit and HTML forms.
#pragma once

#include <string>
#include <string_view>

namespace cli {

// Good for content and for attributes in either kind of quotes: steering characters spelt out, then
// & < > " ' as entities; cut at kMaxShownCharacters.
std::string markup_text(std::string_view text);

}  // namespace cli
