#include "garden/net/nft.hpp"

#include "base/fail.hpp"
#include "garden/net/nft_message.hpp"

extern "C" {
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
}

#include <algorithm>
#include <utility>

namespace garden::net {

namespace {

constexpr int kCommitTries = 5;
constexpr std::size_t kElementsPerMessage = 64;
constexpr unsigned kVerdictType = 0xffffff00;  // NFT_DATA_VERDICT

template <class T, auto free_function>
struct Owned {
    T* value = nullptr;

    explicit Owned(T* made) : value(made) {
        if (value == nullptr) base::panic("out of memory");
    }

    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;

    ~Owned() { free_function(value); }
};

using Table = Owned<nftnl_table, nftnl_table_free>;
using Chain = Owned<nftnl_chain, nftnl_chain_free>;
using Set = Owned<nftnl_set, nftnl_set_free>;

void add_each(Set& set, SetSpec::Each each) {
    nftnl_expr* expression = nullptr;
    switch (each) {
        case SetSpec::Each::nothing:
            return;
        case SetSpec::Each::counter:
            expression = nftnl_expr_alloc("counter");
            break;
        case SetSpec::Each::limit:
            expression = nftnl_expr_alloc("limit");
            break;
    }
    if (expression == nullptr) base::panic("out of memory");
    if (each == SetSpec::Each::limit) fill_limit(expression, kLogPerSecond, kLogBurst);
    nftnl_set_add_expr(set.value, expression);  // owns it
}

void name_chain(Chain& object, const std::string& table, const std::string& chain) {
    nftnl_chain_set_str(object.value, NFTNL_CHAIN_TABLE, table.c_str());
    nftnl_chain_set_str(object.value, NFTNL_CHAIN_NAME, chain.c_str());
}

void name_set(Set& object, const std::string& table, const std::string& set) {
    nftnl_set_set_str(object.value, NFTNL_SET_TABLE, table.c_str());
    nftnl_set_set_str(object.value, NFTNL_SET_NAME, set.c_str());
}

// As nft writes and prints it.
void put_comment(nftnl_set_elem* object, const std::string& comment) {
    nftnl_udata_buf* buffer = nftnl_udata_buf_alloc(NFTNL_UDATA_COMMENT_MAXLEN);
    if (buffer == nullptr) base::panic("out of memory");
    (void)nftnl_udata_put_strz(buffer, NFTNL_UDATA_SET_ELEM_COMMENT, comment.c_str());
    nftnl_set_elem_set(
            object, NFTNL_SET_ELEM_USERDATA, nftnl_udata_buf_data(buffer),
            nftnl_udata_buf_len(buffer));
    nftnl_udata_buf_free(buffer);
}

std::string comment_of(nftnl_set_elem* element) {
    std::uint32_t length = 0;
    const auto* data = static_cast<const char*>(
            nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_USERDATA)
                    ? nftnl_set_elem_get(element, NFTNL_SET_ELEM_USERDATA, &length)
                    : nullptr);
    // Type, length, text and its end: only what we wrote ourselves is read.
    constexpr std::uint32_t kHead = 2;
    if (data == nullptr || length <= kHead || data[0] != NFTNL_UDATA_SET_ELEM_COMMENT) return "";
    const std::string_view text(data + kHead, length - kHead);
    return std::string(text.substr(0, text.find('\0')));
}

void add_element(Set& set, const Element& element) {
    nftnl_set_elem* object = nftnl_set_elem_alloc();
    if (object == nullptr) base::panic("out of memory");
    if (!element.key.empty()) {
        nftnl_set_elem_set(
                object, NFTNL_SET_ELEM_KEY, element.key.data(),
                static_cast<std::uint32_t>(element.key.size()));
    }
    if (!element.last.empty()) {
        nftnl_set_elem_set(
                object, NFTNL_SET_ELEM_KEY_END, element.last.data(),
                static_cast<std::uint32_t>(element.last.size()));
    }
    if (element.flags != 0) nftnl_set_elem_set_u32(object, NFTNL_SET_ELEM_FLAGS, element.flags);
    if (!element.go_to.empty()) {
        nftnl_set_elem_set_u32(
                object, NFTNL_SET_ELEM_VERDICT,
                static_cast<std::uint32_t>(element.returns ? NFT_JUMP : NFT_GOTO));
        nftnl_set_elem_set_str(object, NFTNL_SET_ELEM_CHAIN, element.go_to.c_str());
    }
    if (!element.data.empty()) {
        nftnl_set_elem_set(
                object, NFTNL_SET_ELEM_DATA, element.data.data(),
                static_cast<std::uint32_t>(element.data.size()));
    }
    if (!element.comment.empty()) put_comment(object, element.comment);
    nftnl_set_elem_add(set.value, object);
}

}  // namespace

template <class Fill>
void Batch::add(const char* what, unsigned type, unsigned flags, Fill fill) {
    messages_.add(what, message_type(NFNL_SUBSYS_NFTABLES, type), flags, [&](nlmsghdr* header) {
        put_family(header, static_cast<unsigned>(family_), 0);
        fill(header);
    });
}

Batch::Batch(std::string table) : table_(std::move(table)) {
    messages_.add("begin a rule transaction", NFNL_MSG_BATCH_BEGIN, 0, [](nlmsghdr* header) {
        put_family(header, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    });
}

void Batch::add_table() {
    Table table(nftnl_table_alloc());
    nftnl_table_set_str(table.value, NFTNL_TABLE_NAME, table_.c_str());
    add("create the rule table", NFT_MSG_NEWTABLE, NLM_F_CREATE,
        [&](nlmsghdr* header) { nftnl_table_nlmsg_build_payload(header, table.value); });
}

void Batch::delete_table() {
    Table table(nftnl_table_alloc());
    nftnl_table_set_str(table.value, NFTNL_TABLE_NAME, table_.c_str());
    add("delete the rule table", NFT_MSG_DELTABLE, 0,
        [&](nlmsghdr* header) { nftnl_table_nlmsg_build_payload(header, table.value); });
}

void Batch::add_chain(const std::string& chain, bool exclusive) {
    Chain object(nftnl_chain_alloc());
    name_chain(object, table_, chain);
    content_.chains.try_emplace({family_, chain});
    add("create a rule chain", NFT_MSG_NEWCHAIN,
        NLM_F_CREATE | (exclusive ? unsigned{NLM_F_EXCL} : 0U),
        [&](nlmsghdr* header) { nftnl_chain_nlmsg_build_payload(header, object.value); });
}

void Batch::add_base_chain(const std::string& chain, const BaseChain& base, bool exclusive) {
    Chain object(nftnl_chain_alloc());
    name_chain(object, table_, chain);
    content_.chains.try_emplace({family_, chain});
    nftnl_chain_set_u32(object.value, NFTNL_CHAIN_HOOKNUM, base.hook);
    nftnl_chain_set_s32(object.value, NFTNL_CHAIN_PRIO, base.priority);
    nftnl_chain_set_str(object.value, NFTNL_CHAIN_TYPE, base.type);
    nftnl_chain_set_u32(object.value, NFTNL_CHAIN_POLICY, NF_ACCEPT);
    if (!base.device.empty())
        nftnl_chain_set_str(object.value, NFTNL_CHAIN_DEV, base.device.c_str());
    add("create a base chain", NFT_MSG_NEWCHAIN,
        NLM_F_CREATE | (exclusive ? unsigned{NLM_F_EXCL} : 0U),
        [&](nlmsghdr* header) { nftnl_chain_nlmsg_build_payload(header, object.value); });
}

void Batch::delete_chain(const std::string& chain) {
    Chain object(nftnl_chain_alloc());
    name_chain(object, table_, chain);
    add("delete a rule chain", NFT_MSG_DELCHAIN, 0,
        [&](nlmsghdr* header) { nftnl_chain_nlmsg_build_payload(header, object.value); });
}

void Batch::flush_chain(const std::string& chain) {
    Rule rule;
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, table_.c_str());
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, chain.c_str());
    add("flush a rule chain", NFT_MSG_DELRULE, 0,
        [&](nlmsghdr* header) { nftnl_rule_nlmsg_build_payload(header, rule.get()); });
}

void Batch::append(const std::string& chain, Rule rule) {
    add_rule(chain, std::move(rule), NLM_F_CREATE | NLM_F_APPEND);
}

void Batch::prepend(const std::string& chain, Rule rule) {
    add_rule(chain, std::move(rule), NLM_F_CREATE);
}

void Batch::add_rule(const std::string& chain, Rule rule, unsigned flags) {
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, table_.c_str());
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, chain.c_str());
    ++content_.chains[{family_, chain}];
    add("add a rule", NFT_MSG_NEWRULE, flags,
        [&](nlmsghdr* header) { nftnl_rule_nlmsg_build_payload(header, rule.get()); });
}

void Batch::add_set(const SetSpec& set) {
    Set object(nftnl_set_alloc());
    name_set(object, table_, set.name);
    nftnl_set_set_u32(object.value, NFTNL_SET_ID, set.id != 0 ? set.id : next_set_id_++);
    nftnl_set_set_u32(object.value, NFTNL_SET_FAMILY, static_cast<std::uint32_t>(family_));
    nftnl_set_set_u32(object.value, NFTNL_SET_KEY_TYPE, set.key_type);
    nftnl_set_set_u32(object.value, NFTNL_SET_KEY_LEN, set.key_length);
    nftnl_set_set_u32(
            object.value, NFTNL_SET_FLAGS,
            set.flags | (set.verdicts || set.data_length != 0 ? unsigned{NFT_SET_MAP} : 0U) |
                    (set.timeout_ms != 0 ? unsigned{NFT_SET_TIMEOUT} : 0U) |
                    (!set.fields.empty() ? NFT_SET_INTERVAL | NFT_SET_CONCAT : 0U));
    if (set.verdicts) {
        nftnl_set_set_u32(object.value, NFTNL_SET_DATA_TYPE, kVerdictType);
        nftnl_set_set_u32(object.value, NFTNL_SET_DATA_LEN, 16);
    } else if (set.data_length != 0) {
        nftnl_set_set_u32(object.value, NFTNL_SET_DATA_TYPE, set.data_type);
        nftnl_set_set_u32(object.value, NFTNL_SET_DATA_LEN, set.data_length);
    }
    if (!set.fields.empty()) {
        nftnl_set_set_data(
                object.value, NFTNL_SET_DESC_CONCAT, set.fields.data(),
                static_cast<std::uint32_t>(set.fields.size()));
    }
    if (set.capacity != 0) nftnl_set_set_u32(object.value, NFTNL_SET_DESC_SIZE, set.capacity);
    if (set.timeout_ms != 0) nftnl_set_set_u64(object.value, NFTNL_SET_TIMEOUT, set.timeout_ms);
    add_each(object, set.each);
    // What the packets themselves put there is nothing to compare.
    if ((set.flags & NFT_SET_EVAL) == 0) content_.sets.try_emplace({family_, set.name});
    add("create a rule set", NFT_MSG_NEWSET, NLM_F_CREATE,
        [&](nlmsghdr* header) { nftnl_set_nlmsg_build_payload(header, object.value); });
}

void Batch::flush_set(const std::string& set) {
    Set object(nftnl_set_alloc());
    name_set(object, table_, set);
    add("flush a rule set", NFT_MSG_DELSETELEM, 0,
        [&](nlmsghdr* header) { nftnl_set_elems_nlmsg_build_payload(header, object.value); });
}

void Batch::delete_set(const std::string& set) {
    Set object(nftnl_set_alloc());
    name_set(object, table_, set);
    add("delete a rule set", NFT_MSG_DELSET, 0,
        [&](nlmsghdr* header) { nftnl_set_nlmsg_build_payload(header, object.value); });
}

void Batch::elements(
        const char* what,
        unsigned type,
        unsigned flags,
        const std::string& set,
        std::span<const Element> elements) {
    while (!elements.empty()) {
        const auto some = elements.first(std::min(elements.size(), kElementsPerMessage));
        elements = elements.subspan(some.size());
        Set object(nftnl_set_alloc());
        name_set(object, table_, set);
        for (const Element& element : some) add_element(object, element);
        add(what, type, flags,
            [&](nlmsghdr* header) { nftnl_set_elems_nlmsg_build_payload(header, object.value); });
    }
}

void Batch::add_elements(const std::string& set, std::span<const Element> added, bool exclusive) {
    content_.sets[{family_, set}] += added.size();
    elements(
            "add a set element", NFT_MSG_NEWSETELEM,
            NLM_F_CREATE | (exclusive ? unsigned{NLM_F_EXCL} : 0U), set, added);
}

void Batch::delete_elements(const std::string& set, std::span<const Element> deleted) {
    elements("delete a set element", NFT_MSG_DELSETELEM, 0, set, deleted);
}

base::Result<void> Batch::commit(Netlink& netfilter) {
    if (!finished_) {
        // Only the last command is acknowledged: its answer comes after the commit, errors come
        // before it.
        messages_.acknowledge_last();
        messages_.add("end a rule transaction", NFNL_MSG_BATCH_END, 0, [](nlmsghdr* header) {
            put_family(header, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
        });
        finished_ = true;
    }
    for (int tries = 1;; ++tries) {
        auto done = netfilter.transact(messages_);
        if (done) return done;
        const int error = done.error().sys;
        const bool again = error == EAGAIN || error == EINTR || error == EBUSY || error == ENOBUFS;
        if (!again || tries == kCommitTries) return std::move(done).context(table_);
    }
}

namespace {

Messages dump_request(
        const char* what,
        unsigned type,
        TableFamily family,
        const std::string& table,
        const std::string& set) {
    Messages request;
    request.add(what, message_type(NFNL_SUBSYS_NFTABLES, type), NLM_F_DUMP, [&](nlmsghdr* header) {
        put_family(header, static_cast<unsigned>(family), 0);
        if (type == NFT_MSG_GETSET) mnl_attr_put_strz(header, NFTA_SET_TABLE, table.c_str());
        if (type == NFT_MSG_GETSETELEM) {
            mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, table.c_str());
            mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, set.c_str());
        }
    });
    return request;
}

}  // namespace

base::Result<bool> table_exists(Netlink& netfilter, TableFamily family, const std::string& table) {
    bool found = false;
    TRY(netfilter.dump(
            dump_request("list rule tables", NFT_MSG_GETTABLE, family, table, ""),
            [&] { found = false; },
            [&](const nlmsghdr* header) {
                Table object(nftnl_table_alloc());
                if (nftnl_table_nlmsg_parse(header, object.value) < 0) return;
                const char* name = nftnl_table_get_str(object.value, NFTNL_TABLE_NAME);
                found = found || (name != nullptr && table == name);
            }));
    return found;
}

base::Result<std::vector<std::string>> list_chains(
        Netlink& netfilter, TableFamily family, const std::string& table) {
    std::vector<std::string> chains;
    TRY(netfilter.dump(
            dump_request("list rule chains", NFT_MSG_GETCHAIN, family, table, ""),
            [&] { chains.clear(); },
            [&](const nlmsghdr* header) {
                Chain object(nftnl_chain_alloc());
                if (nftnl_chain_nlmsg_parse(header, object.value) < 0) return;
                const char* owner = nftnl_chain_get_str(object.value, NFTNL_CHAIN_TABLE);
                const char* name = nftnl_chain_get_str(object.value, NFTNL_CHAIN_NAME);
                if (owner != nullptr && name != nullptr && table == owner)
                    chains.emplace_back(name);
            }));
    return chains;
}

base::Result<std::vector<std::string>> list_sets(
        Netlink& netfilter, TableFamily family, const std::string& table) {
    std::vector<std::string> sets;
    TRY(netfilter.dump(
            dump_request("list rule sets", NFT_MSG_GETSET, family, table, ""),
            [&] { sets.clear(); },
            [&](const nlmsghdr* header) {
                Set object(nftnl_set_alloc());
                if (nftnl_set_nlmsg_parse(header, object.value) < 0) return;
                const char* owner = nftnl_set_get_str(object.value, NFTNL_SET_TABLE);
                const char* name = nftnl_set_get_str(object.value, NFTNL_SET_NAME);
                if (owner != nullptr && name != nullptr && table == owner) sets.emplace_back(name);
            }));
    return sets;
}

base::Result<std::vector<Element>> list_elements(
        Netlink& netfilter, TableFamily family, const std::string& table, const std::string& set) {
    std::vector<Element> elements;
    const auto each = [&](const nlmsghdr* header) {
        Set object(nftnl_set_alloc());
        if (nftnl_set_elems_nlmsg_parse(header, object.value) < 0) return;
        nftnl_set_elems_iter* iterator = nftnl_set_elems_iter_create(object.value);
        if (iterator == nullptr) return;
        while (nftnl_set_elem* element = nftnl_set_elems_iter_next(iterator)) {
            Element copy;
            std::uint32_t length = 0;
            const auto* key = static_cast<const std::uint8_t*>(
                    nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &length));
            if (key != nullptr) copy.key.assign(key, key + length);
            const char* chain = nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_CHAIN)
                                        ? nftnl_set_elem_get_str(element, NFTNL_SET_ELEM_CHAIN)
                                        : nullptr;
            if (chain != nullptr) copy.go_to = chain;
            copy.comment = comment_of(element);
            elements.push_back(std::move(copy));
        }
        nftnl_set_elems_iter_destroy(iterator);
    };
    TRY(netfilter.dump(
            dump_request("list set elements", NFT_MSG_GETSETELEM, family, table, set),
            [&] { elements.clear(); }, each));
    return elements;
}

}  // namespace garden::net
