#include "cli/clients.hpp"

#include <type_traits>

namespace cli {

namespace {

template <class T, class... Choices>
constexpr bool is_one_of = (std::is_same_v<T, Choices> || ...);

}  // namespace

Daemon daemon_of(const Arguments& arguments) {
    const auto& global = arguments.global;
    return std::visit(
            [&](const auto& options) -> Daemon {
                using Options = std::remove_cvref_t<decltype(options)>;
                if constexpr (is_one_of<Options, CellStateOptions, CellEvacuateOptions>)
                    return {.name = "celld",
                            .address = global.rep,
                            .flag = "--rep",
                            .variable = "CLOCHE_REP"};
                if constexpr (is_one_of<
                                      Options, CellContainersOptions, CellLogsOptions,
                                      TaskRunOptions>)
                    return {.name = "celld",
                            .address = global.cell,
                            .flag = "--cell",
                            .variable = "CLOCHE_CELL"};
                return {.name = "gardend",
                        .address = global.host,
                        .flag = "--host",
                        .variable = "CLOCHE_HOST"};
            },
            arguments.command);
}

base::Result<base::http::ClientConfig> client_config(
        const Global& global, std::string_view address, std::string_view flag) {
    base::http::ClientConfig config;
    config.endpoint = TRY(base::http::Endpoint::parse(address).context(flag));
    config.endpoint.tls.ca = global.tls_ca;
    config.endpoint.tls.certificate = global.tls_certificate;
    config.endpoint.tls.key = global.tls_key;
    return config;
}

base::Result<executor::api::Client> cell_client(const Global& global) {
    return executor::api::Client(TRY(client_config(global, global.cell, "--cell")));
}

base::Result<rep::api::Client> rep_client(const Global& global) {
    return rep::api::Client(TRY(client_config(global, global.rep, "--rep")));
}

}  // namespace cli
