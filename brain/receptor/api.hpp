// Api: the handlers of every route over a PublicBrain, a method each. Private to brain/receptor.
#pragma once

#include "base/gate.hpp"
#include "base/http/request.hpp"
#include "brain/api/public_brain.hpp"
#include "brain/receptor/access.hpp"
#include "brain/receptor/settings.hpp"
#include "brain/validate/rules.hpp"

#include <memory>
#include <string>

namespace brain::receptor {

using base::http::Request;
using base::http::Response;

class Api {
  public:
    Api(api::PublicBrain& brain, const Settings& settings, const Access& access)
        : brain_(brain),
          settings_(settings),
          access_(access),
          rules_(settings.limits_of_2015 ? validate::Rules::of_2015() : validate::Rules::today()),
          events_(
                  {.name = "event readers",
                   .total = settings.event_readers,
                   .per_key = settings.event_readers}),
          downloads_(
                  {.name = "downloads",
                   .total = settings.downloads,
                   .per_key = settings.downloads}) {}

    Response create_task(Request& request);
    Response list_tasks(Request& request);
    Response get_task(Request& request);
    Response delete_task(Request& request);
    Response cancel_task(Request& request);

    Response create_desired_lrp(Request& request);
    Response list_desired_lrps(Request& request);
    Response get_desired_lrp(Request& request);
    Response update_desired_lrp(Request& request);
    Response delete_desired_lrp(Request& request);

    Response list_actual_lrps(Request& request);
    Response list_actual_lrps_of(Request& request);
    Response get_actual_lrp(Request& request);
    Response kill_actual_lrp(Request& request);

    Response list_cells(Request& request);
    Response upsert_domain(Request& request);
    Response list_domains(Request& request);
    Response version(Request& request);
    Response auth_cookie(Request& request);

    Response events(Request& request);
    Response sync(Request& request);

  private:
    api::PublicBrain& brain_;
    const Settings settings_;
    const Access& access_;
    const validate::Rules rules_;
    base::Gate events_;
    base::Gate downloads_;
};

// The parameter as it may stand in a message.
std::string shown(std::string_view text);
// InvalidRequest; a pattern matches the empty text, too.
Response missing(std::string_view parameter);
bool is_named(const base::Error& error, std::string_view name);

}  // namespace brain::receptor
