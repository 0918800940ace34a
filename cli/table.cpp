#include "cli/table.hpp"

#include "cli/human.hpp"

#include <algorithm>

namespace cli {

void Table::add(std::vector<std::string> row) {
    row.resize(columns_.size());
    for (auto& cell : row) cell = cell.empty() ? "-" : printable(cell);
    rows_.push_back(std::move(row));
}

std::string Table::text(bool color) const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        auto width = display_width(columns_[i].title);
        for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
        widths.push_back(width);
    }
    std::string out;
    const auto line = [&](const auto& cell_of) {
        std::string current;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const std::string& cell = cell_of(i);
            const std::string padding(widths[i] - display_width(cell), ' ');
            if (i > 0) current += "   ";
            current += columns_[i].align == Align::right ? padding + cell : cell + padding;
        }
        current.erase(current.find_last_not_of(' ') + 1);
        return current;
    };
    const auto head = line([&](std::size_t i) -> const std::string& { return columns_[i].title; });
    out += color ? "\x1b[1m" + head + "\x1b[0m\n" : head + "\n";
    for (const auto& row : rows_)
        out += line([&](std::size_t i) -> const std::string& { return row[i]; }) + "\n";
    return out;
}

}  // namespace cli
