// The calls of cells, served by a brain (see README). Used by braind and by tests.
#pragma once

#include "base/http/router.hpp"
#include "brain/api/brain.hpp"

namespace brain::link {

// `brain` outlives the router.
void add_routes(base::http::Router& router, api::Brain& brain);

}  // namespace brain::link
