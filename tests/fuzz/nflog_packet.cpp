// Packets that containers send and the network refuses: fields are read within the bytes there are,
// and the log stays bounded and complete.
#include "garden/net/evidence_log.hpp"
#include "garden/net/evidence_packet.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

using namespace garden::net;

namespace {

void check(const PacketFields& fields) {
    fuzz::require(!fields.protocol.empty(), "a packet has a protocol");
    fuzz::require(fields.protocol.size() <= 20, "a protocol is a word");
    for (const char c : fields.protocol)
        fuzz::require(c > ' ' && c < 0x7f, "no byte of a packet is text");
    fuzz::require(
            fields.source.has_value() == fields.destination.has_value(), "addresses are a pair");
    fuzz::require(
            fields.source_port.has_value() == fields.destination_port.has_value(),
            "ports are a pair");
    fuzz::require(!(fields.source_port && fields.icmp_type), "ICMP has no ports");
    fuzz::require(
            fields.source || (!fields.source_port && !fields.icmp_type),
            "what has no addresses has no transport");
}

}  // namespace

// The first byte chooses the kind, the rest is a packet from its network header on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    constexpr std::uint16_t kKinds[] = {0x0800, 0x86dd, 0x0806, 0x88b5};
    const std::span packet(data + 1, size - 1);
    ConnectionLog log;
    Addresses addresses;
    addresses.v4.bytes = {10, 254, 0, 2};
    log.add("abcdefghijk", addresses);
    std::uint64_t noted = 0;
    // As it is and cut at every place, as the kernel may cut it.
    for (std::size_t length = 0; length <= packet.size() && length <= 160; ++length) {
        LogRecord record{
                .prefix = "abcdefghijk forged ",
                .packet = parse_packet(packet.first(length), kKinds[data[0] % 4]),
                .source_mac = source_mac(packet.first(length))};
        check(record.packet);
        log.note(record, {});
        ++noted;
        record.prefix = "metadata ";
        log.note(record, {});
        if (record.packet.source == addresses.v4) ++noted;
    }
    const auto view = log.read("abcdefghijk", 0);
    fuzz::require(view.connections.size() <= kMaxConnections, "the log of a container is bounded");
    std::uint64_t counted = view.forgotten;
    for (const auto& entry : view.connections) counted += entry.count;
    fuzz::require(counted == noted, "every record is counted once");
    return 0;
}
