// A plain table with aligned columns. Used by every command that lists.
#pragma once

#include <string>
#include <vector>

namespace cli {

class Table {
  public:
    enum class Align { left, right };

    struct Column {
        std::string title;
        Align align = Align::left;
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // Missing cells are empty; an empty cell prints as "-", so that scripts can count columns.
    void add(std::vector<std::string> row);
    // One line per row, no trailing blanks; the head in bold when `color`.
    std::string text(bool color) const;

    bool empty() const { return rows_.empty(); }

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace cli
