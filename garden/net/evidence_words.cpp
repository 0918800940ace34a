#include "garden/net/evidence_words.hpp"

namespace garden::net {

std::string_view word(Refusal refusal) {
    switch (refusal) {
        case Refusal::container:
            return "container";
        case Refusal::network:
            return "network";
        case Refusal::metadata:
            return "metadata";
        case Refusal::host:
            return "host";
        case Refusal::inbound:
            return "inbound";
        case Refusal::limits:
            return "limits";
    }
    return "";
}

std::string_view description(Refusal refusal) {
    switch (refusal) {
        case Refusal::container:
            return "default: to another container";
        case Refusal::network:
            return "default: to a denied network";
        case Refusal::metadata:
            return "metadata addresses";
        case Refusal::host:
            return "to the host";
        case Refusal::inbound:
            return "from outside, to no mapped port";
        case Refusal::limits:
            return "over the limits of connections";
    }
    return "";
}

std::string refusal_chain(Refusal refusal) {
    return "no-" + std::string(word(refusal));
}

}  // namespace garden::net
