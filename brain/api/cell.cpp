#include "brain/api/cell.hpp"

#include "base/json_describe.hpp"

namespace brain::api {

template <class V>
void describe(V& v, CellCapacity& o) {
    v.always("memory_mb", o.memory_mb);
    v.always("disk_mb", o.disk_mb);
    v.always("containers", o.containers);
}

template <class V>
void describe(V& v, Provider& o) {
    v.always("name", o.name);
    v.omit("properties", o.properties);
}

template <class V>
void describe(V& v, CellPresence& o) {
    v.always("cell_id", o.cell_id);
    v.always("rep_address", o.rep_address);
    v.always("zone", o.zone);
    v.always("capacity", o.capacity);
    v.always("rootfs_provider_list", o.rootfs_providers);
    v.always("placement_tags", o.placement_tags);
    v.always("optional_placement_tags", o.optional_placement_tags);
    v.always("rep_url", o.rep_url);
    v.always("annotations", o.annotations);
}

BASE_JSON_DESCRIBED(CellCapacity)
BASE_JSON_DESCRIBED(Provider)
BASE_JSON_DESCRIBED(CellPresence)

}  // namespace brain::api
