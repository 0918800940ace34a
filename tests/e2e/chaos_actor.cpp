#include "tests/e2e/chaos_actor.hpp"

#include <algorithm>

namespace test {

using base::Errc;

namespace {

constexpr std::size_t kMostBoxes = 5;

std::optional<unsigned long long> started_at(pid_t pid) {
    for (const auto& line : all_processes()) {
        if (line.pid == pid && line.state != 'Z') return line.started;
    }
    return std::nullopt;
}

}  // namespace

void Complaints::add(std::string text) {
    const std::lock_guard lock(mutex_);
    texts_.push_back(std::move(text));
}

std::vector<std::string> Complaints::all() const {
    const std::lock_guard lock(mutex_);
    return texts_;
}

std::size_t Complaints::size() const {
    const std::lock_guard lock(mutex_);
    return texts_.size();
}

void Pulse::expect(pid_t pid, const std::string& what) {
    const auto started = started_at(pid);
    const std::lock_guard lock(mutex_);
    known_[pid] = {.what = what, .started = started.value_or(0)};
}

void Pulse::release(pid_t pid) {
    const std::lock_guard lock(mutex_);
    known_.erase(pid);
}

std::vector<std::string> Pulse::missing() const {
    // The lock covers the look: a release comes before the kill that it announces.
    const std::lock_guard lock(mutex_);
    std::map<pid_t, ProcessLine> living;
    for (auto& line : all_processes()) {
        if (line.state != 'Z') living.emplace(line.pid, line);
    }
    std::vector<std::string> lines;
    for (const auto& [pid, known] : known_) {
        const auto it = living.find(pid);
        if (it == living.end() || it->second.started != known.started)
            lines.push_back(known.what + " (pid " + std::to_string(pid) + ") does not run");
    }
    return lines;
}

std::size_t Pulse::size() const {
    const std::lock_guard lock(mutex_);
    return known_.size();
}

Actor::Actor(
        Daemon& daemon,
        int number,
        unsigned seed,
        ChaosFigures& figures,
        Complaints& complaints,
        Pulse& pulse)
    : daemon_(daemon),
      number_(number),
      random_(seed + static_cast<unsigned>(number) * 7919U),
      figures_(figures),
      complaints_(complaints),
      pulse_(pulse),
      client_(daemon.new_client()) {}

int Actor::dice(int sides) {
    return static_cast<int>(random_() % static_cast<unsigned>(sides));
}

void Actor::complain(const std::string& what, const std::string& how) {
    complaints_.add(what + ": " + how);
}

void Actor::work() {
    while (complaints_.size() < 20 && figures_.operations_left > 0) step();
}

void Actor::step() {
    if (boxes_.empty() || (boxes_.size() < kMostBoxes && dice(100) < 25)) return create();
    auto it = boxes_.begin();
    std::advance(it, dice(static_cast<int>(boxes_.size())));
    const int choice = dice(100);
    if (choice < 45) return run_short(it->first, it->second);
    if (choice < 57) return run_long(it->first, it->second);
    if (choice < 63) return kill_long(it->first, it->second);
    if (choice < 70) return set_property(it->first, it->second);
    if (choice < 80) return look(it->first, it->second);
    destroy(it->first);
}

void Actor::create() {
    --figures_.operations_left;
    ++figures_.creates;
    const auto handle = "c" + std::to_string(number_) + "-" + std::to_string(next_box_++);
    auto spec = daemon_.spec(handle);
    spec.properties["client"] = std::to_string(number_);
    int attempts = 0;
    const auto made = insist([&] {
        ++attempts;
        return client_->create(spec);
    });
    // The answer that got lost may have been "created".
    if (!made && !(attempts > 1 && made.error().kind == Errc::already_exists))
        return complain("create " + handle, made.error().text);
    boxes_[handle].properties["client"] = std::to_string(number_);
}

std::optional<garden::api::ProcessStream> Actor::attach(
        const std::string& handle, const std::string& id) {
    ++figures_.attaches;
    auto stream = insist([&] { return client_->attach(handle, id); });
    if (stream) return std::move(*stream);
    complain("attach " + handle + "/" + id, stream.error().text);
    return std::nullopt;
}

std::optional<garden::api::ProcessStream> Actor::start(
        const std::string& handle, const garden::api::ProcessSpec& spec) {
    --figures_.operations_left;
    ++figures_.runs;
    const auto name = handle + "/" + spec.id;
    auto stream = client_->run(handle, spec);
    while (!stream && stream.error().kind == Errc::unavailable) {
        // It may run, or have run: a second run of the same id would start it again.
        auto known = insist([&] { return client_->attach(handle, spec.id); });
        if (known) return std::move(*known);
        if (known.error().kind != Errc::not_found) {
            complain("attach after a lost run " + name, known.error().text);
            return std::nullopt;
        }
        stream = client_->run(handle, spec);
        ++figures_.repeats;
    }
    if (stream) return std::move(*stream);
    complain("run " + name, stream.error().text);
    return std::nullopt;
}

std::optional<std::int32_t> Actor::wait(
        const std::string& handle, const std::string& id, garden::api::ProcessStream stream) {
    std::optional<garden::api::ProcessStream> current = std::move(stream);
    while (current) {
        const auto code = current->wait(patience(milliseconds(60'000)));
        if (code) return *code;
        if (code.error().kind != Errc::unavailable) {
            complain("wait for " + handle + "/" + id, code.error().text);
            return std::nullopt;
        }
        current = attach(handle, id);
    }
    return std::nullopt;
}

void Actor::run_short(const std::string& handle, Box& box) {
    const auto id = "p" + std::to_string(box.next_process++);
    const int code = dice(100);
    const auto script = "echo begin " + id + "; usleep " + std::to_string(dice(300'000)) +
                        "; echo end " + id + "; exit " + std::to_string(code);
    auto stream = start(handle, process({"sh", "-c", script}, id));
    if (!stream) return;
    const auto got = wait(handle, id, std::move(*stream));
    if (!got) return;
    const auto name = "run of " + handle + "/" + id;
    if (*got != code)
        complain(name, "exit code " + std::to_string(*got) + ", not " + std::to_string(code));
    // Once, whole, in order: neither lost nor run twice.
    const auto output = insist([&] { return client_->logs(handle, id, false); });
    if (!output) return complain(name, "logs: " + output.error().text);
    if (*output != "begin " + id + "\nend " + id + "\n") complain(name, "output '" + *output + "'");
}

void Actor::run_long(const std::string& handle, Box& box) {
    const auto id = "long" + std::to_string(box.next_process++);
    const auto stream = start(handle, process({"sleep", "100000"}, id));
    if (!stream) return;
    const auto rows = insist([&] { return client_->processes(handle); });
    if (!rows) return complain("processes of " + handle, rows.error().text);
    const auto row =
            std::find_if(rows->begin(), rows->end(), [&](const auto& r) { return r.id == id; });
    if (row == rows->end()) return complain("processes of " + handle, "no " + id);
    box.running[id] = row->host_pid;
    pulse_.expect(row->host_pid, handle + "/" + id);
}

void Actor::kill_long(const std::string& handle, Box& box) {
    if (box.running.empty()) return;
    const auto [id, pid] = *box.running.begin();
    pulse_.release(pid);
    box.running.erase(id);
    while (true) {
        auto stream = attach(handle, id);
        if (!stream) return;
        stream->send_signal(garden::api::StreamSignal::kill);
        const auto code = stream->wait(patience(milliseconds(30'000)));
        if (!code && code.error().kind == Errc::unavailable) continue;  // perhaps not sent
        if (!code) return complain("kill " + handle + "/" + id, code.error().text);
        if (*code != 137)
            complain("kill " + handle + "/" + id, "exit code " + std::to_string(*code));
        return;
    }
}

void Actor::set_property(const std::string& handle, Box& box) {
    const auto name = "key" + std::to_string(dice(3));
    const auto value = std::to_string(random_());
    const auto done = insist([&] { return client_->set_property(handle, name, value); });
    if (!done) return complain("set_property " + handle, done.error().text);
    box.properties[name] = value;
}

void Actor::destroy(std::string handle) {
    --figures_.operations_left;
    ++figures_.destroys;
    for (const auto& [id, pid] : boxes_[handle].running) pulse_.release(pid);
    boxes_.erase(handle);
    int attempts = 0;
    const auto done = insist([&] {
        ++attempts;
        return client_->destroy(handle);
    });
    if (!done && !(attempts > 1 && done.error().kind == Errc::not_found))
        complain("destroy " + handle, done.error().text);
}

void Actor::look(const std::string& handle, const Box& box) {
    const auto info = insist([&] { return client_->info(handle); });
    if (!info) return complain("info " + handle, info.error().text);
    if (info->state != "active") {
        complain(
                "info " + handle,
                "state " + info->state + (info->events.empty() ? "" : ", " + info->events[0]));
    }
    for (const auto& [name, value] : box.properties) {
        const auto it = info->properties.find(name);
        if (it == info->properties.end() || it->second != value)
            complain("info " + handle, "property " + name + " is not " + value);
    }
    const auto rows = insist([&] { return client_->processes(handle); });
    if (!rows) return complain("processes of " + handle, rows.error().text);
    for (const auto& [id, pid] : box.running) {
        const auto row = std::find_if(
                rows->begin(), rows->end(), [&, name = id](const auto& r) { return r.id == name; });
        if (row == rows->end() || row->exited || row->host_pid != pid)
            complain("processes of " + handle, id + " is not what it was");
    }
}

void Actor::verify() {
    auto listed = insist([&] { return client_->list({{"client", std::to_string(number_)}}); });
    if (!listed) return complain("list", listed.error().text);
    std::sort(listed->begin(), listed->end());
    auto expected = handles();
    std::sort(expected.begin(), expected.end());
    if (*listed != expected) {
        std::string text;
        for (const auto& handle : *listed) text += " " + handle;
        text += ", expected";
        for (const auto& handle : expected) text += " " + handle;
        complain("list of client " + std::to_string(number_), text);
    }
    for (const auto& [handle, box] : boxes_) look(handle, box);
}

std::vector<std::string> Actor::handles() const {
    std::vector<std::string> names;
    for (const auto& [handle, box] : boxes_) names.push_back(handle);
    return names;
}

}  // namespace test
