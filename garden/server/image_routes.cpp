// Routes about what the image store holds: evidence, verification, collection (docs/api.md). Lists
// and pulls are in extension_routes.cpp.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "garden/api/image_checks.hpp"
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

#include <mutex>

namespace garden::server {

using base::Errc;
using base::http::Request;
using base::http::Response;

namespace {

std::string word_of(rootfs::LayerCheck::State state) {
    switch (state) {
        case rootfs::LayerCheck::State::good:
            return "good";
        case rootfs::LayerCheck::State::damaged:
            return "damaged";
        case rootfs::LayerCheck::State::unsealed:
            return "unsealed";
        case rootfs::LayerCheck::State::missing:
            return "missing";
    }
    return "";
}

api::VerifyAnswer to_wire(rootfs::VerifyReport report) {
    api::VerifyAnswer out;
    for (auto& layer : report.layers) {
        const auto state = layer.check.state;
        if (state == rootfs::LayerCheck::State::damaged ||
            state == rootfs::LayerCheck::State::missing)
            out.good = false;
        out.layers.push_back(
                {.diff_id = std::move(layer.diff_id),
                 .state = word_of(state),
                 .images = std::move(layer.images),
                 .entries = layer.check.entries,
                 .bytes = layer.check.bytes,
                 .differences = layer.check.differences,
                 .findings = std::move(layer.check.findings)});
    }
    return out;
}

api::ImageDecision to_wire(rootfs::TrustDecision decision) {
    api::ImageDecision out{
            .accepted = decision.accepted,
            .name = std::move(decision.name),
            .policy = std::move(decision.policy),
            .rule = std::move(decision.rule),
            .decided_at = decision.decided_at};
    for (auto& proof : decision.proofs)
        out.proofs.push_back(
                {.requirement = std::move(proof.requirement),
                 .key = std::move(proof.key),
                 .digest = std::move(proof.digest),
                 .identity = std::move(proof.identity)});
    return out;
}

}  // namespace

void Service::add_image_routes() {
    add_query("GET", "/cloche/v1/images/inspect", &Service::inspect);
    add_query("POST", "/cloche/v1/images/prune", &Service::prune);
    add_query("POST", "/cloche/v1/images/verify", &Service::verify_images);
}

void Service::add_image_metrics() {
    const auto ask = [this](const char* name, const char* help, bool counter, auto member) {
        metrics_.ask(name, help, {}, counter, [this, member] {
            return static_cast<double>(engine_.images().figures().*member);
        });
    };
    ask("gardend_image_store_bytes", "Bytes of unpacked layers.", false,
        &rootfs::StoreFigures::bytes);
    ask("gardend_image_disk_used_bytes", "Bytes used on the disk of the image store.", false,
        &rootfs::StoreFigures::disk_used);
    ask("gardend_image_disk_size_bytes", "Bytes of the disk of the image store.", false,
        &rootfs::StoreFigures::disk_size);
    ask("gardend_images_collected_total", "Images removed because nobody used them.", true,
        &rootfs::StoreFigures::collected_images);
    ask("gardend_image_bytes_collected_total", "Bytes of layers removed with them.", true,
        &rootfs::StoreFigures::collected_bytes);
}

Response Service::inspect(Request& request) {
    if (!request.query.has("reference"))
        return refuse(request, base::fail(Errc::invalid, "reference: missing"));
    const auto reference = request.query.get("reference");
    const auto image = engine_.images().inspect(reference);
    if (!image) return refuse(request, image.error());
    const auto answer = describe(*image, reference);
    return answer ? json_answer(*answer) : refuse(request, answer.error());
}

base::Result<api::Image> Service::describe(const rootfs::Image& image, std::string_view reference) {
    auto decisions = TRY(engine_.images().decisions(reference));
    auto answer = server::to_wire(image);
    for (auto& decision : decisions) answer.decisions.push_back(to_wire(std::move(decision)));
    return answer;
}

Response Service::prune(Request& request) {
    std::chrono::seconds unused_for{0};
    if (request.query.has("unused_for_seconds")) {
        // A hundred years: more would not fit into what is computed with it.
        constexpr std::uint32_t kMost = 3'153'600'000U;
        const auto given = base::parse_number<std::uint32_t>(
                request.query.get("unused_for_seconds"), "unused_for_seconds");
        if (!given) return refuse(request, given.error());
        unused_for = std::chrono::seconds(std::min(*given, kMost));
    }
    const auto freed = engine_.images().prune_unused_for(unused_for);
    if (!freed) return refuse(request, freed.error());
    return json_answer(api::PruneAnswer{.freed_bytes = *freed});
}

Response Service::verify_images(Request& request) {
    // Ended by nobody but the process: every layer is read once, which has its end.
    const std::atomic<bool> never{false};
    auto report = engine_.images().verify(request.query.get("reference"), never);
    if (!report) return refuse(request, report.error());
    return json_answer(to_wire(std::move(*report)));
}

}  // namespace garden::server
