// The members of keys and addresses, listed once: alone they are objects, in an actual LRP they
// lie flat among its own. Private to brain/api.
#pragma once

#include "brain/api/keys.hpp"

namespace brain::api {

template <class V>
void describe(V& v, ModificationTag& o) {
    v.always("epoch", o.epoch);
    v.always("index", o.index);
}

template <class V>
void describe(V& v, LrpKey& o) {
    v.always("process_guid", o.process_guid);
    v.always("index", o.index);
    v.always("domain", o.domain);
}

template <class V>
void describe(V& v, InstanceKey& o) {
    v.always("instance_guid", o.instance_guid);
    v.always("cell_id", o.cell_id);
}

template <class V>
void describe(V& v, NetInfo& o) {
    v.always("address", o.address);
    v.always("ports", o.ports);
    v.omit("instance_address", o.instance_address);
    v.always("preferred_address", o.preferred_address);
    v.omit("instance_ipv6_address", o.instance_ipv6_address);
}

}  // namespace brain::api
