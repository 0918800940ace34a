#include "brain/api/digest.hpp"

#include "base/error.hpp"
#include "base/fail.hpp"

#include <cstring>

#include <openssl/evp.h>

namespace brain::api {

bool counts_for(const ActualLrp& lrp, std::string_view cell_id) {
    return lrp.instance.cell_id == cell_id &&
           (lrp.state == LrpState::claimed || lrp.state == LrpState::running);
}

bool counts_for(const Task& task, std::string_view cell_id) {
    return task.cell_id == cell_id && task.state == TaskState::running;
}

namespace {

std::string canonical(const ActualLrp& lrp) {
    base::json::Writer w;
    w.begin_array().value("lrp").value(lrp.key).value(lrp.instance);
    w.value(lrp.presence).value(lrp.state);
    // A claim has no address yet, whatever a careless writer left in the record.
    if (lrp.state == LrpState::running)
        w.value(lrp.net_info)
                .value(lrp.internal_routes)
                .value(lrp.metric_tags)
                .value(lrp.routable.value_or(true))
                .value(lrp.availability_zone);
    w.end_array();
    return w.take();
}

std::string canonical(const Task& task) {
    base::json::Writer w;
    w.begin_array().value("task").value(task.task_guid).value(task.cell_id).value(task.state);
    w.end_array();
    return w.take();
}

}  // namespace

void Digest::add(const ActualLrp& lrp) {
    change(canonical(lrp), true);
}

void Digest::remove(const ActualLrp& lrp) {
    change(canonical(lrp), false);
}

void Digest::add(const Task& task) {
    change(canonical(task), true);
}

void Digest::remove(const Task& task) {
    change(canonical(task), false);
}

void Digest::add(const Digest& other) {
    records_ += other.records_;
    for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] += other.sum_[i];
}

void Digest::remove(const Digest& other) {
    records_ -= other.records_;
    for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] -= other.sum_[i];
}

void Digest::change(const std::string& canonical, bool adding) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    if (EVP_Digest(
                canonical.data(), canonical.size(), hash.data(), nullptr, EVP_sha256(), nullptr) !=
        1)
        base::panic("libcrypto has no SHA-256");
    for (std::size_t i = 0; i < sum_.size(); ++i) {
        std::uint64_t part = 0;
        // Little endian by hand: both sides may be different machines.
        for (std::size_t byte = 0; byte < 8; ++byte)
            part |= static_cast<std::uint64_t>(hash[i * 8 + byte]) << (8 * byte);
        if (adding)
            sum_[i] += part;
        else
            sum_[i] -= part;
    }
    records_ += adding ? 1 : static_cast<std::uint64_t>(-1);
}

std::string Digest::text() const {
    return base::format("1:{}:{:016x}{:016x}", records_, sum_[0], sum_[1]);
}

std::string digest(
        std::string_view cell_id,
        const std::vector<ActualLrp>& lrps,
        const std::vector<Task>& tasks) {
    Digest sum;
    for (const auto& lrp : lrps)
        if (counts_for(lrp, cell_id)) sum.add(lrp);
    for (const auto& task : tasks)
        if (counts_for(task, cell_id)) sum.add(task);
    return sum.text();
}

}  // namespace brain::api
