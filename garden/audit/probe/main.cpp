// garden-probe: reads what to look at from standard input, tells what it saw on standard output
// (format.hpp). Runs inside a container from a sealed memory file (PL-03), as a process of the
// container's own class. Exit 0, or 1 when it was asked nonsense or could not answer.
#include "garden/audit/probe/format.hpp"
#include "garden/audit/probe/probe.hpp"

#include <errno.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace garden::audit::probe {

void Answers::add(
        std::string_view word, std::string_view name, int error, std::string_view detail) {
    std::string line(word);
    line += '\t';
    line += escape(name);
    line += '\t';
    line += std::to_string(error);
    line += '\t';
    line += escape(detail);
    line += '\n';
    if (text_.size() + line.size() < kMaxAnswer) text_ += line;
}

bool Answers::send() const {
    std::string_view rest = text_;
    while (!rest.empty()) {
        const auto written = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

namespace {

bool read_request(std::string& text) {
    std::array<char, 4096> buffer{};
    while (text.size() <= kMaxRequest) {
        const auto size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return false;
        if (size == 0) return true;
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return false;
}

bool obey(Answers& answers, std::string_view line) {
    const auto space = line.find(' ');
    const auto word = line.substr(0, space);
    std::string name(space == std::string_view::npos ? std::string_view() : line.substr(space + 1));
    if (word == "read") return try_read(answers, name), true;
    if (word == "write") return try_write(answers, name), true;
    if (word == "text") return tell_text(answers, name), true;
    if (word == "tree") return try_tree(answers, name), true;
    if (word == "mknod") return try_node(answers), true;
    if (word == "conditions") return try_conditions(answers), true;
    if (word == "self") return tell_self(answers), true;
    if (word != "call") return false;
    long number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc{} || end == name.data() + name.size() || *end != ' ') return false;
    try_call(
            answers, number,
            std::string_view(
                    end + 1, static_cast<std::size_t>(name.data() + name.size() - end - 1)));
    return true;
}

int run() {
    std::string request;
    if (!read_request(request)) return 1;
    Answers answers;
    std::string_view rest = request;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        const auto line = rest.substr(0, end);
        if (!line.empty() && !obey(answers, line)) return 1;
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    answers.add(kLastLine, "", 0, "");
    return answers.send() ? 0 : 1;
}

}  // namespace

}  // namespace garden::audit::probe

int main() {
    return garden::audit::probe::run();
}
