// System calls without a C library. Used by garden-init only.
#pragma once

#include <asm/unistd.h>

#include <cstdint>

// The kernel enters a program with an aligned stack and no return address, which is not what a
// function of C++ expects on x86-64; and the guard of the stack is the C library's to set up.
#if defined(__x86_64__)
#define START_OF_PROGRAM __attribute__((force_align_arg_pointer, no_stack_protector))
#else
#define START_OF_PROGRAM __attribute__((no_stack_protector))
#endif

namespace calls {

template <class T>
long address(const T* pointer) {
    return static_cast<long>(reinterpret_cast<std::uintptr_t>(pointer));
}

// The kernel's answer: negative is an errno.
inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
#if defined(__x86_64__)
    register long fourth asm("r10") = d;
    register long fifth asm("r8") = e;
    long result = number;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                 : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;
    register long x3 asm("x3") = d;
    register long x4 asm("x4") = e;
    asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
#else
#error "garden-init knows the system calls of x86-64 and arm64 only"
#endif
}

[[noreturn]] inline void leave(int code) {
    for (;;) (void)call(__NR_exit_group, code);
}

}  // namespace calls
