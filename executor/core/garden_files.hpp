// Files of one container over Garden's streams. Blocking. Used by transfer steps and file requests.
#pragma once

#include "executor/steps/tools.hpp"
#include "garden/api/client.hpp"

namespace executor {

class GardenFiles final : public ContainerFiles {
  public:
    GardenFiles(garden::api::Client& garden, std::string handle)
        : garden_(garden), handle_(std::move(handle)) {}

    base::Result<void> stream_in(
            std::string_view user,
            std::string_view destination,
            std::function<base::Result<std::size_t>(std::span<char>)> tar) override {
        return garden_.stream_in(handle_, user, destination, std::move(tar));
    }

    base::Result<void> stream_out(
            std::string_view user,
            std::string_view source,
            std::function<base::Result<void>(
                    std::function<base::Result<std::size_t>(std::span<char>)>)> reader) override {
        auto stream = TRY(garden_.stream_out(handle_, user, source));
        return reader([&](std::span<char> into) { return stream.read_some(into); });
    }

  private:
    garden::api::Client& garden_;
    const std::string handle_;
};

}  // namespace executor
