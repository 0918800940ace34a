// nf_tables: rules from expressions, and batches that the kernel takes whole or not at all. Thin
// over libnftnl; no policy. Used by table.cpp, the one place that knows our layout.
#pragma once

#include "base/result.hpp"
#include "garden/net/address.hpp"
#include "garden/net/netlink.hpp"

#include <netinet/in.h>  // before the kernel headers: they then leave its names alone

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct nftnl_expr;
struct nftnl_rule;

namespace garden::net {

void fill_limit(nftnl_expr* limit, std::uint64_t per_second, std::uint32_t burst);

enum class Layer {
    link = NFT_PAYLOAD_LL_HEADER,
    network = NFT_PAYLOAD_NETWORK_HEADER,
    transport = NFT_PAYLOAD_TRANSPORT_HEADER
};

// One rule, expression by expression, in the order the kernel runs them. Registers are NFT_REG_1 or
// NFT_REG32_NN.
class Rule {
  public:
    Rule();

    Rule& meta(unsigned key, unsigned to = NFT_REG_1);
    Rule& payload(Layer layer, unsigned offset, unsigned length, unsigned to = NFT_REG_1);

    Rule& equals(std::span<const std::uint8_t> data, unsigned from = NFT_REG_1) {
        return compare(NFT_CMP_EQ, data, from);
    }

    Rule& differs(std::span<const std::uint8_t> data, unsigned from = NFT_REG_1) {
        return compare(NFT_CMP_NEQ, data, from);
    }

    // From the first to the last, both inside; big-endian bytes.
    Rule& within(std::span<const std::uint8_t> first, std::span<const std::uint8_t> last);
    Rule& equals_u32(std::uint32_t host_order);  // meta and ct keys
    Rule& differs_u32(std::uint32_t host_order);
    Rule& equals_u16(std::uint16_t network_value);            // ports and protocols, converted here
    Rule& conntrack_has(unsigned key, std::uint32_t bits);    // any of the bits
    Rule& conntrack_lacks(unsigned key, std::uint32_t bits);  // none of them
    Rule& masked_u32(
            std::uint32_t mask, std::uint32_t value);  // network order: address & mask == value
    Rule& in_set(std::string_view set);  // continues when register 1 (and after) is an element
    Rule& verdict_map(std::string_view map);
    // Continues when register 1 (and after) is a key of the map; its data is in register 1 then.
    Rule& data_map(std::string_view map);
    Rule& not_in_set(std::string_view set);  // continues when it is none
    // Of so many bytes of registers, below the bound.
    Rule& hash(
            unsigned from, unsigned length, unsigned to, std::uint32_t bound, std::uint32_t seed);

    // Register 1 (and after), into a set that packets fill and out of it.
    Rule& put_element(std::string_view set) { return element(set, NFT_DYNSET_OP_ADD); }

    Rule& drop_element(std::string_view set) { return element(set, NFT_DYNSET_OP_DELETE); }

    Rule& conntrack(unsigned key, unsigned direction, unsigned to = NFT_REG_1);  // IP_CT_DIR_*
    Rule& destination_nat(bool v6);  // to the address in register 1 and the port behind it
    // Continue for what is over: of bytes at all, or of each key in register 1. A burst of `burst`
    // goes through beside what a second may have.
    Rule& bytes_over(std::uint64_t per_second, std::uint32_t burst);
    Rule& packets_over(std::string_view set, std::uint64_t per_second, std::uint32_t burst);
    Rule& connections_over(std::string_view set, std::uint32_t count);
    Rule& counter();
    Rule& limit(std::uint64_t per_second, std::uint32_t burst);  // continues while below
    Rule& comment(
            std::string_view text);  // what `nft list` and our own counters show; cut when long
    Rule& log(std::uint16_t group, std::string_view prefix);  // NFLOG; the first 128 bytes

    Rule& jump(std::string_view chain) { return verdict(NFT_JUMP, chain); }

    Rule& go_to(std::string_view chain) { return verdict(NFT_GOTO, chain); }

    Rule& accept() { return verdict(NF_ACCEPT, ""); }

    Rule& drop() { return verdict(NF_DROP, ""); }

    Rule& leave() { return verdict(NFT_RETURN, ""); }

    Rule& reject(unsigned type, unsigned code);  // NFT_REJECT_*
    Rule& masquerade();

    const nftnl_rule* get() const { return rule_.get(); }

    nftnl_rule* get() { return rule_.get(); }

  private:
    struct Free {
        void operator()(nftnl_rule* rule) const;
    };

    nftnl_expr* expression(const char* name);
    Rule& compare(unsigned operation, std::span<const std::uint8_t> data, unsigned from);
    Rule& mask(std::uint32_t bits);
    Rule& verdict(int code, std::string_view chain);
    Rule& element(std::string_view set, unsigned operation, nftnl_expr* inner = nullptr);

    std::unique_ptr<nftnl_rule, Free> rule_;
};

struct BaseChain {
    unsigned hook = 0;
    int priority = 0;
    const char* type = "filter";
    std::string device;  // of an ingress hook
};

struct SetSpec {
    std::string name;
    unsigned flags = 0;     // NFT_SET_*
    unsigned key_type = 0;  // nft's datatype numbers, so that `nft list` prints well
    unsigned key_length = 0;
    bool verdicts = false;
    unsigned id = 0;         // unique in the batch; 0: the batch finds one
    unsigned data_type = 0;  // of a map that has no verdicts
    unsigned data_length = 0;
    std::uint32_t capacity = 0;    // 0: no limit
    std::uint64_t timeout_ms = 0;  // of elements that nobody asked for since
    // What every element gets of its own; a lookup that finds the element runs it.
    enum class Each : std::uint8_t { nothing, counter, limit } each = Each::nothing;
    // Of a set whose elements are ranges in several fields: how many bytes each has. In the key
    // every field begins at a whole word.
    std::vector<std::uint8_t> fields{};
};

// The budget of NET-07 of whoever may be logged.
inline constexpr std::uint64_t kLogPerSecond = 10;
inline constexpr std::uint32_t kLogBurst = 50;

struct Element {
    std::vector<std::uint8_t> key;
    unsigned flags = 0;              // NFT_SET_ELEM_*; a catch-all has no key
    std::string go_to;               // of a verdict map
    bool returns = false;            // … from where it leads: a jump
    std::vector<std::uint8_t> last;  // of ranges: the last key, `key` is the first
    std::vector<std::uint8_t> data;  // of another map
    std::string comment;             // a lease id: whose it is (NET-16)
};

// Where a table hooks in: IPv4 and IPv6 packets on their way through the host, or all frames of one
// device.
enum class TableFamily { inet = NFPROTO_INET, device = NFPROTO_NETDEV };

// How many rules and elements there are, by family and name; without what counts packets.
struct Content {
    using Key = std::pair<TableFamily, std::string>;
    std::map<Key, std::size_t> chains, sets;
    friend bool operator==(const Content&, const Content&) = default;
};

// Changes of our two tables (one name, two families), applied in one transaction.
class Batch {
  public:
    explicit Batch(std::string table);

    // The family that the following calls mean; inet at first.
    void in(TableFamily family) { family_ = family; }

    void add_table();
    void delete_table();
    void add_chain(const std::string& chain, bool exclusive);
    void add_base_chain(const std::string& chain, const BaseChain& base, bool exclusive);
    void delete_chain(const std::string& chain);  // with its rules
    void flush_chain(const std::string& chain);
    void append(const std::string& chain, Rule rule);
    void prepend(const std::string& chain, Rule rule);
    void add_set(const SetSpec& set);
    void flush_set(const std::string& set);
    void delete_set(const std::string& set);  // that no rule names any more
    // `exclusive`: one that exists already is an error.
    void add_elements(
            const std::string& set, std::span<const Element> elements, bool exclusive = true);
    void delete_elements(const std::string& set, std::span<const Element> elements);

    bool empty() const { return messages_.entries().size() == 1; }  // it begins with one

    // What a table that began empty has after this batch.
    const Content& content() const { return content_; }

    // Commits. A transaction that met another one (EAGAIN, EINTR, EBUSY, ENOBUFS) is repeated a few
    // times.
    base::Result<void> commit(Netlink& netfilter);

  private:
    void add_rule(const std::string& chain, Rule rule, unsigned flags);
    template <class Fill>
    void add(const char* what, unsigned type, unsigned flags, Fill fill);
    void elements(
            const char* what,
            unsigned type,
            unsigned flags,
            const std::string& set,
            std::span<const Element> elements);

    std::string table_;
    Content content_;
    TableFamily family_ = TableFamily::inet;
    Messages messages_;
    unsigned next_set_id_ = 1000;  // above those that are given
    bool finished_ = false;
};

base::Result<bool> table_exists(Netlink& netfilter, TableFamily family, const std::string& table);
base::Result<std::vector<std::string>> list_chains(
        Netlink& netfilter, TableFamily family, const std::string& table);
base::Result<std::vector<std::string>> list_sets(
        Netlink& netfilter, TableFamily family, const std::string& table);
// Errc::not_found when the set or table does not exist.
base::Result<std::vector<Element>> list_elements(
        Netlink& netfilter, TableFamily family, const std::string& table, const std::string& set);

}  // namespace garden::net
