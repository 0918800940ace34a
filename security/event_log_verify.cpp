#include "security/event_log_verify.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/sys/file.hpp"
#include "security/event_log.hpp"

#include <fcntl.h>

#include <algorithm>

namespace security {

namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 30;
// For a line that is just being written by a daemon that runs.
constexpr std::chrono::milliseconds kSecondLook{200};

class Verifier {
  public:
    Verifier(const EventKey& key, bool whole) : key_(key), whole_(whole) {
        verdict_.key = key.id();
    }

    void file(const EventLogText& file) {
        file_ = file.name;
        line_ = 0;
        std::string_view rest(file.text);
        while (!rest.empty() && !verdict_.fault) {
            ++line_;
            const auto end = rest.find('\n');
            if (end == std::string_view::npos)
                return fault("incomplete: a crash leaves this, and the next start repairs it");
            line(rest.substr(0, end));
            rest.remove_prefix(end + 1);
        }
    }

    EventLogVerdict finish(const std::string& head) {
        if (!verdict_.fault && whole_ && verdict_.first_seq > 1 &&
            removed_to_ + 1 < verdict_.first_seq) {
            file_.clear();
            line_ = 0;
            fault(base::format(
                    "the log begins at seq {}: what was before it is missing, and nothing says "
                    "that it was removed",
                    verdict_.first_seq));
        }
        if (!verdict_.fault && !head.empty()) check_head(head);
        return verdict_;
    }

  private:
    void fault(std::string what) {
        verdict_.fault = EventLogFault{.file = file_, .line = line_, .what = std::move(what)};
    }

    void line(std::string_view text) {
        const auto parsed = parse_event_line(text);
        if (!parsed) return fault("no line of a log: " + parsed.error().text);
        if (verdict_.lines == 0) {
            verdict_.first_seq = parsed->seq;
            if (parsed->seq == 0 || (parsed->seq == 1 && parsed->prev != kNoLine))
                return fault("the first line has something before it");
        } else if (parsed->seq != verdict_.last_seq + 1) {
            return fault(
                    parsed->seq > verdict_.last_seq
                            ? base::format(
                                      "seq {} follows {}: lines were removed", parsed->seq,
                                      verdict_.last_seq)
                            : base::format(
                                      "seq {} follows {}: lines are out of order", parsed->seq,
                                      verdict_.last_seq));
        } else if (parsed->prev != previous_) {
            return fault(base::format(
                    "does not follow seq {}: that line, or this one, was changed",
                    verdict_.last_seq));
        }
        if (parsed->event == kCheckpoint) {
            if (const auto good = check_checkpoint(key_, *parsed, text); !good)
                return fault(good.error().text);
            ++verdict_.checkpoints;
            verdict_.sealed_seq = parsed->seq;
            sealed_line_ = text;
        }
        if (parsed->event == "log.removed") note_removed(parsed->details);
        previous_ = line_hash(text);
        ++verdict_.lines;
        verdict_.last_seq = parsed->seq;
    }

    void note_removed(const std::string& details) {
        const auto document = base::json::Document::parse(details);
        if (!document) return;
        std::uint64_t last = 0;
        base::json::Fields fields(document->root());
        fields.required("last_seq", last);
        if (fields.finish(base::json::Unknown::ignore)) removed_to_ = std::max(removed_to_, last);
    }

    // The copy of the last checkpoint: a log that is shorter was cut.
    void check_head(const std::string& head) {
        file_ = kEventLogHead;
        line_ = 1;
        const auto text = std::string_view(head).substr(0, head.find('\n'));
        const auto sealed = parse_event_line(text);
        if (!sealed) return fault("no checkpoint: " + sealed.error().text);
        if (const auto good = check_checkpoint(key_, *sealed, text); !good)
            return fault(good.error().text);
        if (sealed->seq > verdict_.last_seq) {
            return fault(base::format(
                    "truncated: seq {} was sealed, and the log ends at {}", sealed->seq,
                    verdict_.last_seq));
        }
        if (sealed->seq == verdict_.sealed_seq && text != sealed_line_)
            return fault(base::format("seq {} was sealed with another content", sealed->seq));
    }

    const EventKey& key_;
    const bool whole_;
    EventLogVerdict verdict_;
    std::string file_;
    std::uint64_t line_ = 0;
    std::string previous_;
    std::string sealed_line_;
    std::uint64_t removed_to_ = 0;
};

base::Result<EventLogVerdict> look(
        base::FdRef directory, const std::string& file, bool whole, const EventKey& key) {
    std::vector<EventLogText> texts;
    // The head first: what is sealed while we read is then in the files that we read later.
    std::string head;
    if (whole) head = base::sys::read_file_at(directory, kEventLogHead).value_or(std::string());
    auto names = whole ? TRY(event_log_files(directory)) : std::vector<std::string>{file};
    for (auto& name : names) {
        auto text = TRY(base::sys::read_file_at(directory, name, kMaxFile).context(name));
        texts.push_back({.name = std::move(name), .text = std::move(text)});
    }
    return verify_event_log(texts, head, key, whole);
}

}  // namespace

EventLogVerdict verify_event_log(
        const std::vector<EventLogText>& files,
        const std::string& head,
        const EventKey& key,
        bool whole) {
    Verifier verifier(key, whole);
    for (const auto& file : files) verifier.file(file);
    return verifier.finish(head);
}

base::Result<EventLogVerdict> verify_event_log_at(
        const std::string& path, const std::string& key_file) {
    auto place = TRY(base::sys::open_host(path, O_PATH));
    const bool whole = S_ISDIR(TRY(base::sys::stat_fd(place)).st_mode);
    const auto slash = path.rfind('/');
    const auto parent = slash == std::string::npos ? std::string(".") : path.substr(0, slash + 1);
    const auto directory = TRY(base::sys::open_host(whole ? path : parent, O_RDONLY | O_DIRECTORY));
    const auto file = whole || slash == std::string::npos ? path : path.substr(slash + 1);
    const auto pem = key_file.empty() ? TRY(base::sys::read_file_at(directory, kEventLogPublicKey))
                                      : TRY(base::sys::read_host_file(key_file));
    const auto key = TRY(EventKey::parse(pem));
    auto verdict = TRY(look(directory, file, whole, key));
    if (!verdict.fault) return verdict;
    base::pause_for(kSecondLook);
    return look(directory, file, whole, key);
}

}  // namespace security
