// What garden-probe and the engine say to each other. Requests, one per line: `WORD NAME` or
// `WORD NUMBER NAME`. Answers, one per line: `WORD<tab>NAME<tab>ERRNO<tab>DETAIL`, escaped as
// below. Header only: the probe links nothing of ours. Used by probe/main.cpp and probe_text.cpp.
//
//   read PATH      open for reading: kind and how much can be read        -> read
//   write PATH     open for writing, and nothing is ever written         -> write
//   text PATH      the content, at most kMaxText                         -> text
//   call N NAME    system call N with arguments that no call can obey    -> call
//   tree PATH      a copy of the mount there without those below, never attached -> call tree PATH
//   mknod          a block device in /dev/shm, removed at once           -> call mknod
//   conditions     calls that their arguments make forbidden, foreign calls  -> call
//   self           descriptors, nodes, environment, processes, links, attributes -> fd, node, env,
//   pid, link, self
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace garden::audit::probe {

inline constexpr std::size_t kMaxRequest = std::size_t{64} << 10;
inline constexpr std::size_t kMaxText = std::size_t{256} << 10;  // of one file
inline constexpr std::size_t kMaxAnswer = std::size_t{2} << 20;  // of everything
inline constexpr std::size_t kMaxNodes = 512;
inline constexpr const char* kLastLine = "end";

// Tabs and line ends part the answers, so they never occur in one.
inline std::string escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c == '\\') {
            out += "\\\\";
        } else {
            out += c;
        }
    }
    return out;
}

inline std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char next = text[++i];
        out += next == 'n' ? '\n' : next == 't' ? '\t' : next;
    }
    return out;
}

}  // namespace garden::audit::probe
