// A Receptor over real HTTP on loopback, in front of the brain under test; requests as bytes and as
// values. Used by the tests of brain/receptor.
#pragma once

#include "base/http/client.hpp"
#include "base/http/server.hpp"
#include "brain/receptor/receptor.hpp"
#include "tests/unit/brain_receptor/faulty_brain.hpp"
#include "tests/unit/brain_receptor/subject.hpp"

#include <functional>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

namespace test {

struct Answer {
    int status = 0;
    base::http::Headers headers;
    std::string body;

    nlohmann::json json() const { return nlohmann::json::parse(body); }

    std::string header(const std::string& name) const { return std::string(headers.get(name)); }

    // Of the envelope; "" when there is none.
    std::string name() const;
    std::string message() const;
};

class Served {
  public:
    explicit Served(
            const brain::receptor::Settings& settings = {},
            const std::function<void(base::http::ServerConfig&)>& change = {});
    ~Served();
    Served(const Served&) = delete;
    Served& operator=(const Served&) = delete;

    Answer call(
            const std::string& method,
            const std::string& target,
            const std::string& body = {},
            const base::http::Headers& headers = {}) const;

    Answer get(const std::string& target) const { return call("GET", target); }

    base::http::EventReader events() const;

    // The next event as its JSON and, through `name` and `id`, the rest.
    struct Seen {
        std::string name, id;
        nlohmann::json data;
        std::string text;
    };

    static Seen next(base::http::EventReader& reader);

    // A desired LRP with one instance that runs.
    void desire(const std::string& guid, int instances = 1) const;
    void run(const std::string& guid, int index = 0, const std::string& cell = "cell-1") const;
    void desire_task(const std::string& guid, const std::string& members = {}) const;
    void complete_task(const std::string& guid) const;

    std::unique_ptr<Subject> subject = make_subject();
    FaultyBrain brain{subject->clients()};
    base::SystemClock clock;
    std::unique_ptr<base::http::Server> server;
};

brain::api::LrpKey key_of(const std::string& guid, int index = 0);
brain::api::InstanceKey instance_of(const std::string& guid, const std::string& cell);
brain::api::RunningLrp running_of(
        const std::string& guid, int index = 0, const std::string& cell = "cell-1");

// Bodies with the least that is valid; `members` begin with a comma.
std::string task_body(const std::string& guid, const std::string& members = {});
std::string lrp_body(const std::string& guid, const std::string& members = {});

}  // namespace test
