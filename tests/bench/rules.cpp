// bench-rules: what a change of a security group costs, and what the rules cost a packet, with few
// and with many containers. One JSON line per step.
//   bench-rules ours RULES CONTAINERS…        the rules of garden/net
//   bench-rules iptables RULES CONTAINERS…    the same made by one iptables-nft call for each rule
#include "base/parse.hpp"
#include "base/program.hpp"
#include "garden/net/network.hpp"
#include "tests/bench/rules_world.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

using namespace garden::net;
using bench::microseconds;

namespace {

constexpr int kRounds = 21;  // of each change; the first warms up
constexpr int kProgramRounds = 7;

struct Step {
    std::size_t containers = 0;
    std::vector<double> append, replace, exchange;   // microseconds
    std::vector<double> connect, allow, disconnect;  // of one container more
    bench::Traffic traffic;
};

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values.at(values.size() / 2);
}

void print(const char* who, std::size_t rules, const Step& step) {
    std::printf(
            "{\"who\":\"%s\",\"rules\":%zu,\"containers\":%zu,\"append_us\":%.0f,\"replace_us\":%."
            "0f,\"exchange_us\":%.0f,\"connect_us\":%.0f,\"allow_us\":%.0f,\"disconnect_us\":%.0f,"
            "\"established_per_second\":%.0f,\"new_per_second\":%.0f,\"arrived\":%.4f}\n",
            who, rules, step.containers, median(step.append), median(step.replace),
            median(step.exchange), median(step.connect), median(step.allow),
            median(step.disconnect), step.traffic.established, step.traffic.fresh,
            step.traffic.arrived);
    (void)std::fflush(stdout);
}

// No packet of the measured traffic is decided by one of them: it meets all.
std::vector<OutRule> some_rules(std::size_t count, const std::string& network = "203.0.113.") {
    std::vector<OutRule> rules;
    for (std::size_t i = 0; i < count; ++i) {
        const auto number = static_cast<std::uint16_t>(i + 1);
        const Address address = parse_address(network + std::to_string(number % 250 + 1)).value();
        rules.push_back(
                {.protocol = OutProtocol::udp,
                 .networks = {{.first = address, .last = address}},
                 .ports = {{.first = number, .last = number}}});
    }
    return rules;
}

template <class Change>
std::vector<double> times(int rounds, Change change) {
    std::vector<double> all;
    for (int i = 0; i < rounds; ++i) {
        const auto start = std::chrono::steady_clock::now();
        change();
        if (i > 0) all.push_back(microseconds(start));
    }
    return all;
}

// What the network part of a create and a destroy costs among those that are there.
void come_and_go(Network& network, const std::vector<OutRule>& rules, Step& step) {
    for (int i = 0; i < kRounds; ++i) {
        const Lease lease = network.lease("").value();
        base::Fd inside = bench::new_network_namespace();
        const auto measured = [&](std::vector<double>& into, const auto& change) {
            const auto start = std::chrono::steady_clock::now();
            change();
            if (i > 0) into.push_back(microseconds(start));
        };
        measured(step.connect, [&] { network.connect(lease, inside).value(); });
        measured(step.allow, [&] { network.allow(lease, rules).value(); });
        measured(step.disconnect, [&] { network.disconnect(lease, false).value(); });
        inside.reset();
        network.release(lease);
    }
}

void measure_ours(std::size_t count, const std::vector<std::size_t>& steps) {
    const bench::World world;
    // Without limits: the traffic is a flood.
    const auto network = Network::start({.pool = "10.254.0.0/20",
                                         .max_connections = 0,
                                         .new_connections = 0,
                                         .udp_packets = 0})
                                 .value();
    const auto rules = some_rules(count);
    const auto one = some_rules(1, "198.51.100.");
    const auto others = some_rules(count, "198.51.100.");
    std::vector<base::Fd> namespaces;
    std::vector<Lease> leases;
    for (const std::size_t wanted : steps) {
        while (leases.size() < wanted) {
            leases.push_back(network->lease("").value());
            namespaces.push_back(bench::new_network_namespace());
            network->connect(leases.back(), namespaces.back()).value();
            network->allow(leases.back(), rules).value();
        }
        Step step{.containers = leases.size()};
        step.append = times(kRounds, [&] { network->allow(leases.front(), one).value(); });
        step.replace = times(kRounds, [&] { network->replace(leases.front(), rules).value(); });
        bool turn = false;
        step.exchange = times(kRounds, [&] {
            network->replace(leases.front(), (turn = !turn) ? others : rules).value();
        });
        network->replace(leases.front(), rules).value();
        come_and_go(*network, rules, step);
        step.traffic = bench::measure_traffic(namespaces.front(), leases.front().container_ip);
        print("ours", count, step);
    }
    network->tear_down().value();
}

void run(std::vector<std::string> words, std::string input = "") {
    const std::string path = "/usr/sbin/" + words.front();
    words.erase(words.begin());
    const auto end = base::run_program(
            {.path = path, .arguments = std::move(words), .input = std::move(input)});
    if (!end) base::panic(end.error().text);
    if (end->code != 0) base::panic(path + ": " + end->complaint);
}

std::string chain_of(std::size_t container) {
    return "w--inst-" + std::to_string(container);
}

std::vector<std::string> rule_words(std::size_t rule) {
    return {"-d",      "203.0.113." + std::to_string(rule % 250 + 1) + "/32",
            "-p",      "udp",
            "--dport", std::to_string(rule + 1),
            "-g",      "w--accept"};
}

void add_rule(std::size_t container, std::size_t rule) {
    std::vector<std::string> words{"iptables-nft", "-w", "-I", chain_of(container), "1"};
    for (auto& word : rule_words(rule)) words.push_back(std::move(word));
    run(std::move(words));
}

// A chain for each interface, found by one rule for each, as Garden lays them out. Loaded at once:
// only changes are measured.
std::string layout(std::size_t from, std::size_t to, std::size_t count) {
    std::string text = "*filter\n";
    if (from == 0) {
        text += ":w--forward - [0:0]\n:w--accept - [0:0]\n-A FORWARD -j w--forward\n";
        text += "-A w--accept -j ACCEPT\n";
        text += "-A w--forward -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n";
    }
    for (std::size_t i = from; i < to; ++i) text += ":" + chain_of(i) + " - [0:0]\n";
    for (std::size_t i = from; i < to; ++i) {
        // The measured container is the last one, as the youngest is.
        text += "-I w--forward 2 -i " + bench::interface_of(i) + " -g " + chain_of(i) + "\n";
        for (std::size_t rule = 0; rule < count; ++rule) {
            text += "-A " + chain_of(i);
            for (const auto& word : rule_words(rule)) text += " " + word;
            text += "\n";
        }
        text += "-A " + chain_of(i) + " -g w--accept\n";
    }
    return text + "COMMIT\n";
}

void measure_iptables(std::size_t count, const std::vector<std::size_t>& steps) {
    if (::access("/usr/sbin/iptables-nft", X_OK) != 0) {
        std::printf("{\"who\":\"iptables\",\"absent\":\"iptables-nft is not installed\"}\n");
        return;
    }
    const bench::World world;
    const base::Fd guest = bench::new_network_namespace();
    bench::connect_by_hand(guest);
    std::size_t present = 0;
    for (const std::size_t wanted : steps) {
        run({"iptables-nft-restore", "-w", "--noflush"}, layout(present, wanted, count));
        present = wanted;
        Step step{.containers = present};
        step.append = times(kProgramRounds, [&] { add_rule(0, 0); });
        step.replace = times(3, [&] {
            run({"iptables-nft", "-w", "-F", chain_of(0)});
            for (std::size_t rule = 0; rule < count; ++rule) add_rule(0, rule);
            run({"iptables-nft", "-w", "-A", chain_of(0), "-g", "w--accept"});
        });
        step.traffic = bench::measure_traffic(guest, bench::kGuest);
        print("iptables", count, step);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv, argv + argc);
    if (words.size() < 4) return 2;
    const auto count = base::parse_number<std::size_t>(words.at(2), "RULES");
    std::vector<std::size_t> steps;
    for (std::size_t i = 3; i < words.size(); ++i) {
        const auto step = base::parse_number<std::size_t>(words.at(i), "CONTAINERS");
        if (!step) return 2;
        steps.push_back(*step);
    }
    if (!count) return 2;
    if (words.at(1) == "ours") {
        measure_ours(*count, steps);
    } else if (words.at(1) == "iptables") {
        measure_iptables(*count, steps);
    } else {
        return 2;
    }
    return 0;
}
