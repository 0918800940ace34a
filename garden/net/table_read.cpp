// What is in the table: whose chains and elements exist, for sweeping and for removals that found
// something missing.
#include "garden/net/table.hpp"
#include "garden/net/table_family.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace garden::net {

namespace {

// The lease id that an element belongs to: its comment, its verdict's chain, or the interface at
// the start of its key.
std::string owner_of(const Element& element, const std::string& tag) {
    if (is_lease_id(element.comment)) return element.comment;
    if (!element.go_to.empty()) return id_of_chain(element.go_to).value_or("");
    if (element.key.size() < kInterfaceLength) return "";
    const std::string name(
            element.key.begin(),
            std::find(element.key.begin(), element.key.begin() + kInterfaceLength, 0));
    return id_of_interface(tag, name).value_or("");
}

// Each chain, set and element of a container with its owner.
template <class ChainFound, class SetFound, class ElementFound>
base::Result<void> walk(
        Netlink& netfilter,
        const std::string& tag,
        ChainFound chain,
        SetFound own_set,
        ElementFound found) {
    const std::string table = table_name(tag);
    for (const TableFamily family : {TableFamily::inet, TableFamily::device}) {
        const std::vector<std::string> chains = TRY(list_chains(netfilter, family, table));
        for (const std::string& name : chains) {
            if (auto id = id_of_chain(name)) chain(*id, family, name);
        }
        if (chains.empty()) continue;  // no table of ours
        const std::vector<std::string> all = TRY(list_sets(netfilter, family, table));
        for (const std::string& name : all) {
            if (auto id = id_of_set(name)) own_set(*id, name);
        }
        const std::vector<const char*> sets =
                family == TableFamily::inet
                        ? std::vector{kV4.egress, kV6.egress, kV4.ports, kV6.ports}
                        : std::vector{kV4.bound, kV6.bound};
        for (const char* set : sets) {
            std::vector<Element> elements = TRY(list_elements(netfilter, family, table, set));
            for (Element& element : elements) {
                const std::string id = owner_of(element, tag);
                if (!id.empty()) found(id, set, std::move(element));
            }
        }
    }
    return base::ok;
}

}  // namespace

base::Result<Remains> find_remains(
        Netlink& netfilter,
        const std::string& tag,
        std::string_view id,
        const std::optional<Addresses>& addresses) {
    Remains remains;
    TRY(walk(
            netfilter, tag,
            [&](const std::string& owner, TableFamily family, const std::string& name) {
                if (owner != id) return;
                (family == TableFamily::inet ? remains.chains : remains.device_chains)
                        .push_back(name);
            },
            [&](const std::string& owner, const std::string& name) {
                if (owner == id) remains.sets.push_back(name);
            },
            [&](const std::string& owner, std::string_view set, Element element) {
                if (owner != id) return;
                auto& list = set == kV4.egress   ? remains.egress4
                             : set == kV6.egress ? remains.egress6
                             : set == kV4.ports  ? remains.ports4
                             : set == kV6.ports  ? remains.ports6
                             : set == kV4.bound  ? remains.bound4
                                                 : remains.bound6;
                list.push_back(std::move(element));
            }));
    std::vector<Element> keys = remains.egress4;
    keys.insert(keys.end(), remains.egress6.begin(), remains.egress6.end());
    if (addresses) keys.push_back(address_element(addresses->v4));
    if (addresses && addresses->v6) keys.push_back(address_element(*addresses->v6));
    if (!keys.empty()) remains.evidence = TRY(find_evidence(netfilter, table_name(tag), keys));
    return remains;
}

base::Result<std::vector<std::string>> ids_in_table(Netlink& netfilter, const std::string& tag) {
    std::set<std::string> ids;
    TRY(walk(
            netfilter, tag,
            [&](const std::string& id, TableFamily, const std::string&) { ids.insert(id); },
            [&](const std::string& id, const std::string&) { ids.insert(id); },
            [&](const std::string& id, std::string_view, const Element&) { ids.insert(id); }));
    return std::vector<std::string>(ids.begin(), ids.end());
}

void remove_remains(Batch& batch, const Remains& remains) {
    batch.delete_elements(kV4.egress, remains.egress4);
    batch.delete_elements(kV6.egress, remains.egress6);
    batch.delete_elements(kV4.ports, remains.ports4);
    batch.delete_elements(kV6.ports, remains.ports6);
    for (const SetElement& found : remains.evidence)
        batch.delete_elements(found.set, std::array{found.element});
    for (const std::string& chain : remains.chains) batch.delete_chain(chain);
    for (const std::string& set : remains.sets) batch.delete_set(set);
    batch.in(TableFamily::device);
    batch.delete_elements(kV4.bound, remains.bound4);
    batch.delete_elements(kV6.bound, remains.bound6);
    for (const std::string& chain : remains.device_chains) batch.delete_chain(chain);
    batch.in(TableFamily::inet);
}

}  // namespace garden::net
