#include "brain/auction/texts.hpp"

#include "base/fail.hpp"

namespace brain::auction {

std::string no_tags(const std::vector<std::string>& desired) {
    if (desired.empty()) return "found no compatible cell with no placement tags";
    std::string out = desired.size() == 1 ? "found no compatible cell with placement tag "
                                          : "found no compatible cell with placement tags ";
    for (std::size_t i = 0; i < desired.size(); ++i) {
        if (i > 0) out += i + 1 == desired.size() ? " and " : ", ";
        out += '"' + desired[i] + '"';
    }
    return out;
}

std::string insufficient(const std::vector<std::string_view>& common) {
    std::string out(kInsufficient);
    for (std::size_t i = 0; i < common.size(); ++i)
        out.append(i == 0 ? ": " : ", ").append(common[i]);
    return out;
}

}  // namespace brain::auction
