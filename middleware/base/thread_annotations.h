// The attributes of clang's thread-safety analysis; nothing under other compilers.
// https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#pragma once

#if defined(__clang__)
#define UNDERSTUDY_TSA(x) __attribute__((x))
#else
#define UNDERSTUDY_TSA(x)
#endif
#define CAPABILITY(x) UNDERSTUDY_TSA(capability(x))
#define SCOPED_CAPABILITY UNDERSTUDY_TSA(scoped_lockable)
#define GUARDED_BY(x) UNDERSTUDY_TSA(guarded_by(x))
#define PT_GUARDED_BY(x) UNDERSTUDY_TSA(pt_guarded_by(x))
#define REQUIRES(...) UNDERSTUDY_TSA(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) UNDERSTUDY_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) UNDERSTUDY_TSA(release_capability(__VA_ARGS__))
#define EXCLUDES(...) UNDERSTUDY_TSA(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS UNDERSTUDY_TSA(no_thread_safety_analysis)
