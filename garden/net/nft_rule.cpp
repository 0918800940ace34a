// The expressions of a rule.
#include "garden/net/nft.hpp"

extern "C" {
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
}

#include <array>
#include <cstring>
#include <utility>

namespace garden::net {

namespace {

std::array<std::uint8_t, 4> bytes_of(std::uint32_t host_order) {
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &host_order, bytes.size());
    return bytes;
}

void set_u32(nftnl_expr* expression, unsigned attribute, std::uint32_t value) {
    nftnl_expr_set_u32(expression, static_cast<std::uint16_t>(attribute), value);
}

void set_text(nftnl_expr* expression, unsigned attribute, std::string_view value) {
    nftnl_expr_set_str(
            expression, static_cast<std::uint16_t>(attribute), std::string(value).c_str());
}

}  // namespace

void fill_limit(nftnl_expr* limit, std::uint64_t per_second, std::uint32_t burst) {
    nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_RATE, per_second);
    nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_UNIT, 1);  // seconds
    set_u32(limit, NFTNL_EXPR_LIMIT_BURST, burst);
    set_u32(limit, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
}

void Rule::Free::operator()(nftnl_rule* rule) const {
    nftnl_rule_free(rule);
}

Rule::Rule() : rule_(nftnl_rule_alloc()) {
    if (!rule_) base::panic("out of memory");
}

nftnl_expr* Rule::expression(const char* name) {
    nftnl_expr* expression = nftnl_expr_alloc(name);
    if (expression == nullptr)
        base::panic("out of memory, or libnftnl does not know an expression");
    nftnl_rule_add_expr(rule_.get(), expression);  // owns it
    return expression;
}

Rule& Rule::meta(unsigned key, unsigned to) {
    nftnl_expr* e = expression("meta");
    set_u32(e, NFTNL_EXPR_META_KEY, key);
    set_u32(e, NFTNL_EXPR_META_DREG, to);
    return *this;
}

Rule& Rule::payload(Layer layer, unsigned offset, unsigned length, unsigned to) {
    nftnl_expr* e = expression("payload");
    set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, static_cast<std::uint32_t>(layer));
    set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, length);
    set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, to);
    return *this;
}

Rule& Rule::compare(unsigned operation, std::span<const std::uint8_t> data, unsigned from) {
    nftnl_expr* e = expression("cmp");
    set_u32(e, NFTNL_EXPR_CMP_SREG, from);
    set_u32(e, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data.data(), static_cast<std::uint32_t>(data.size()));
    return *this;
}

Rule& Rule::within(std::span<const std::uint8_t> first, std::span<const std::uint8_t> last) {
    nftnl_expr* e = expression("range");
    set_u32(e, NFTNL_EXPR_RANGE_SREG, NFT_REG_1);
    set_u32(e, NFTNL_EXPR_RANGE_OP, NFT_RANGE_EQ);
    nftnl_expr_set(
            e, NFTNL_EXPR_RANGE_FROM_DATA, first.data(), static_cast<std::uint32_t>(first.size()));
    nftnl_expr_set(
            e, NFTNL_EXPR_RANGE_TO_DATA, last.data(), static_cast<std::uint32_t>(last.size()));
    return *this;
}

Rule& Rule::log(std::uint16_t group, std::string_view prefix) {
    constexpr std::uint32_t kSnapLength = 128;  // NET-07
    nftnl_expr* e = expression("log");
    nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, group);
    set_u32(e, NFTNL_EXPR_LOG_SNAPLEN, kSnapLength);
    set_text(e, NFTNL_EXPR_LOG_PREFIX, prefix);
    return *this;
}

Rule& Rule::equals_u32(std::uint32_t host_order) {
    return equals(bytes_of(host_order));
}

Rule& Rule::differs_u32(std::uint32_t host_order) {
    return differs(bytes_of(host_order));
}

Rule& Rule::equals_u16(std::uint16_t network_value) {
    const std::array<std::uint8_t, 2> bytes{
            static_cast<std::uint8_t>(network_value >> 8),
            static_cast<std::uint8_t>(network_value)};
    return equals(bytes);
}

Rule& Rule::conntrack_has(unsigned key, std::uint32_t bits) {
    nftnl_expr* e = expression("ct");
    set_u32(e, NFTNL_EXPR_CT_KEY, key);
    set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
    return mask(bits).differs_u32(0);
}

Rule& Rule::conntrack_lacks(unsigned key, std::uint32_t bits) {
    nftnl_expr* e = expression("ct");
    set_u32(e, NFTNL_EXPR_CT_KEY, key);
    set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
    return mask(bits).equals_u32(0);
}

Rule& Rule::masked_u32(std::uint32_t bits, std::uint32_t value) {
    return mask(bits).equals_u32(value);
}

Rule& Rule::mask(std::uint32_t bits) {
    nftnl_expr* e = expression("bitwise");
    set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof bits);
    const std::uint32_t none = 0;
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &bits, sizeof bits);
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &none, sizeof none);
    return *this;
}

Rule& Rule::in_set(std::string_view set) {
    nftnl_expr* e = expression("lookup");
    set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    set_text(e, NFTNL_EXPR_LOOKUP_SET, set);
    return *this;
}

Rule& Rule::verdict_map(std::string_view map) {
    nftnl_expr* e = expression("lookup");
    set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
    set_text(e, NFTNL_EXPR_LOOKUP_SET, map);
    return *this;
}

Rule& Rule::not_in_set(std::string_view set) {
    nftnl_expr* e = expression("lookup");
    set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    set_text(e, NFTNL_EXPR_LOOKUP_SET, set);
    set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    return *this;
}

Rule& Rule::data_map(std::string_view map) {
    nftnl_expr* e = expression("lookup");
    set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1);
    set_text(e, NFTNL_EXPR_LOOKUP_SET, map);
    return *this;
}

Rule& Rule::hash(
        unsigned from, unsigned length, unsigned to, std::uint32_t bound, std::uint32_t seed) {
    nftnl_expr* e = expression("hash");
    set_u32(e, NFTNL_EXPR_HASH_SREG, from);
    set_u32(e, NFTNL_EXPR_HASH_DREG, to);
    set_u32(e, NFTNL_EXPR_HASH_LEN, length);
    set_u32(e, NFTNL_EXPR_HASH_MODULUS, bound);
    set_u32(e, NFTNL_EXPR_HASH_SEED, seed);
    set_u32(e, NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS);
    return *this;
}

Rule& Rule::conntrack(unsigned key, unsigned direction, unsigned to) {
    nftnl_expr* e = expression("ct");
    set_u32(e, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, static_cast<std::uint8_t>(direction));
    set_u32(e, NFTNL_EXPR_CT_DREG, to);
    return *this;
}

Rule& Rule::destination_nat(bool v6) {
    nftnl_expr* e = expression("nat");
    set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
    set_u32(e, NFTNL_EXPR_NAT_FAMILY, v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
    set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
    set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, v6 ? NFT_REG32_04 : NFT_REG32_01);
    return *this;
}

namespace {

void fill_limit(nftnl_expr* e, unsigned type, std::uint64_t per_second, std::uint32_t burst) {
    nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, per_second);
    nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, 1);
    set_u32(e, NFTNL_EXPR_LIMIT_BURST, burst);
    set_u32(e, NFTNL_EXPR_LIMIT_TYPE, type);
    set_u32(e, NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV);
}

nftnl_expr* inner_expression(const char* name) {
    nftnl_expr* e = nftnl_expr_alloc(name);
    if (e == nullptr) base::panic("out of memory, or libnftnl does not know an expression");
    return e;
}

}  // namespace

Rule& Rule::bytes_over(std::uint64_t per_second, std::uint32_t burst) {
    fill_limit(expression("limit"), NFT_LIMIT_PKT_BYTES, per_second, burst);
    return *this;
}

Rule& Rule::element(std::string_view set, unsigned operation, nftnl_expr* inner) {
    nftnl_expr* e = expression("dynset");
    set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
    set_u32(e, NFTNL_EXPR_DYNSET_OP, operation);
    set_text(e, NFTNL_EXPR_DYNSET_SET_NAME, set);
    if (inner != nullptr) nftnl_expr_add_expr(e, NFTNL_EXPR_DYNSET_EXPRESSIONS, inner);  // owns it
    return *this;
}

Rule& Rule::packets_over(std::string_view set, std::uint64_t per_second, std::uint32_t burst) {
    nftnl_expr* inner = inner_expression("limit");
    fill_limit(inner, NFT_LIMIT_PKTS, per_second, burst);
    return element(set, NFT_DYNSET_OP_UPDATE, inner);
}

Rule& Rule::connections_over(std::string_view set, std::uint32_t count) {
    nftnl_expr* inner = inner_expression("connlimit");
    set_u32(inner, NFTNL_EXPR_CONNLIMIT_COUNT, count);
    set_u32(inner, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
    return element(set, NFT_DYNSET_OP_ADD, inner);
}

Rule& Rule::counter() {
    (void)expression("counter");
    return *this;
}

Rule& Rule::limit(std::uint64_t per_second, std::uint32_t burst) {
    fill_limit(expression("limit"), per_second, burst);
    return *this;
}

Rule& Rule::comment(std::string_view text) {
    constexpr std::size_t kMaxComment = 127;  // nft's own bound
    constexpr std::uint32_t kRoom = 256;
    const std::string cut(text.substr(0, kMaxComment));
    const std::unique_ptr<nftnl_udata_buf, decltype(&nftnl_udata_buf_free)> notes(
            nftnl_udata_buf_alloc(kRoom), &nftnl_udata_buf_free);
    if (!notes) base::panic("out of memory");
    (void)nftnl_udata_put_strz(notes.get(), NFTNL_UDATA_RULE_COMMENT, cut.c_str());
    nftnl_rule_set_data(
            rule_.get(), NFTNL_RULE_USERDATA, nftnl_udata_buf_data(notes.get()),
            nftnl_udata_buf_len(notes.get()));
    return *this;
}

Rule& Rule::verdict(int code, std::string_view chain) {
    nftnl_expr* e = expression("immediate");
    set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    set_u32(e, NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(code));
    if (!chain.empty()) set_text(e, NFTNL_EXPR_IMM_CHAIN, chain);
    return *this;
}

Rule& Rule::reject(unsigned type, unsigned code) {
    nftnl_expr* e = expression("reject");
    set_u32(e, NFTNL_EXPR_REJECT_TYPE, type);
    nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, static_cast<std::uint8_t>(code));
    return *this;
}

Rule& Rule::masquerade() {
    (void)expression("masq");
    return *this;
}

}  // namespace garden::net
