// What gardend and a shim say to each other. Used by the ShimHub and by garden-shim; not by anybody
// else.
//
//   gardend                             garden-shim
//     | -- prepare ---------------------> |  clone3 of all namespaces, id maps
//     | <---------------- reply + fds --- |  pidfd, user and network namespace
//     | -- create (plan, fds, bundle) --> |  the child mounts, confines itself, is garden-init
//     | <---------------------- reply --- |  from now on `shim.sock` in the bundle can be joined
//     | -- run, attach, tail, signal ---> |  any number, answered by id, in any order
//     | <--------------- event exited --- |  replayed after a re-join
//     | -- destroy ---------------------> |
//     | <---------------------- reply --- |  and the shim ends
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/launch/shim_client.hpp"
#include "garden/launch/wire.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace garden::launch {

inline constexpr std::uint8_t kProtocolVersion = 1;
inline constexpr const char* kSocketName = "shim.sock";
inline constexpr const char* kExitsName = "exits";

enum class MessageKind : std::uint8_t {
    prepare = 1,
    create,
    run,
    attach,
    connect_output,
    close_input,
    detach,
    tail,
    signal,
    resize,
    state,
    forget,
    destroy,
    reply,
    exited,          // event: process id, code
    container_died,  // event
    more,            // further descriptors of the message before
};

// The arguments of every small request; each kind uses some.
struct Arguments {
    std::string process_id;
    std::uint64_t attachment = 0;
    std::uint8_t stream = 0;
    std::int32_t number = 0;
    std::uint16_t columns = 0;
    std::uint16_t rows = 0;
};

// The head of every reply; what follows depends on the kind.
struct Outcome {
    bool failed = false;
    std::uint8_t kind = 0;
    std::int32_t sys = 0;
    std::string text;
    std::int32_t pid = 0;  // prepare: init's, run and attach: the process's
    std::uint64_t attachment = 0;
    bool user_namespace = false;  // which descriptors follow
    bool network_namespace = false;
    bool input = false;
    std::string data;  // tail
    ShimState state;
};

struct Exit {
    std::string id;
    std::int32_t code = 0;
};

template <class A, class T>
requires std::same_as<std::remove_const_t<T>, Arguments>

void visit(A& a, T& v) {
    a(v.process_id), a(v.attachment), a(v.stream), a(v.number), a(v.columns), a(v.rows);
}
template <class A, class T>
requires std::same_as<std::remove_const_t<T>, ProcessState>

void visit(A& a, T& v) {
    a(v.id), a(v.exited), a(v.exit_code), a(v.internal), a(v.host_pid);
}
template <class A, class T>
requires std::same_as<std::remove_const_t<T>, ShimState>

void visit(A& a, T& v) {
    a(v.created), a(v.init_alive), a(v.init_pid), a(v.processes);
}
template <class A, class T>
requires std::same_as<std::remove_const_t<T>, Outcome>

void visit(A& a, T& v) {
    a(v.failed), a(v.kind), a(v.sys), a(v.text), a(v.pid), a(v.attachment), a(v.user_namespace);
    a(v.network_namespace), a(v.input), a(v.data), a(v.state);
}
template <class A, class T>
requires std::same_as<std::remove_const_t<T>, Exit>

void visit(A& a, T& v) {
    a(v.id), a(v.code);
}

template <class T>
std::string to_bytes(const T& value) {
    Writer writer;
    writer(value);
    return std::move(writer).take();
}

template <class T>
base::Result<T> from_bytes(std::string_view bytes, std::string_view what) {
    constexpr std::size_t kMaxList = 65536;
    Reader reader(bytes, kMaxList);
    T value;
    reader(value);
    TRY(reader.finish(what));
    return value;
}

struct Frame {
    MessageKind kind = MessageKind::reply;
    std::uint64_t id = 0;
    std::string body;
    std::vector<base::Fd> fds;
};

// One message with any number of descriptors: large bodies travel in a memory file, descriptors in
// batches. Callers keep the frames of one socket apart (a lock, or one thread).
base::Result<void> send_frame(
        base::FdRef socket,
        MessageKind kind,
        std::uint64_t id,
        std::string_view body,
        std::span<const base::FdRef> fds = {});
// Errc::unavailable with EAGAIN: nothing there (wait = false). Errc::not_found with sys 0: the peer
// closed.
base::Result<Frame> receive_frame(base::FdRef socket, bool wait);

}  // namespace garden::launch
