#include "cli/markup.hpp"

#include "cli/audit_view.hpp"
#include "cli/characters.hpp"

namespace cli {

std::string markup_text(std::string_view text) {
    std::string out;
    for (const char c : visible(text, kMaxShownCharacters)) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

}  // namespace cli
