// The probe's parts. Everything here runs inside a container, under its class: it looks and tries,
// and changes nothing (OBS-03). Used by garden-probe only.
#pragma once

#include <string>
#include <string_view>

namespace garden::audit::probe {

// Collects the answers; one write at the end, so that a stalled reader costs one block.
class Answers {
  public:
    void add(std::string_view word, std::string_view name, int error, std::string_view detail);
    bool send() const;

  private:
    std::string text_;
};

void try_read(Answers& answers, const std::string& path);
void try_write(Answers& answers, const std::string& path);
void tell_text(Answers& answers, const std::string& path);
// Arguments are all ones: no descriptor, no address, no set of flags that a call would obey.
void try_call(Answers& answers, long number, std::string_view name);
// FS-12: the kernel gives no copy without what is locked onto it.
void try_tree(Answers& answers, const std::string& path);
void try_node(Answers& answers);
// Calls that are refused by their arguments (6.3), and calls of foreign architectures (SC-02).
void try_conditions(Answers& answers);
void tell_self(Answers& answers);

}  // namespace garden::audit::probe
