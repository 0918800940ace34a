// HttpFiles: a tar stream that arrives over HTTP, as the executor's callers read it. Used by the
// client and, for Garden's answer passed on, by executor/core.
#pragma once

#include "base/http/client.hpp"
#include "executor/api/executor.hpp"

#include <utility>

namespace executor::api {

class HttpFiles final : public FileStream {
  public:
    explicit HttpFiles(base::http::ClientStream stream) : stream_(std::move(stream)) {}

    base::Result<std::size_t> read_some(std::span<char> into) override {
        return stream_.read_some(into);
    }

  private:
    base::http::ClientStream stream_;
};

}  // namespace executor::api
