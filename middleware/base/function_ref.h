// FunctionRef: a non-owning view of a callable, for parameters that are called before the function
// returns.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "middleware/base/thread_annotations.h"

namespace understudy {

template <typename Signature>
class FunctionRef;

// Trivially copyable, two words, no allocation. The callable must outlive the FunctionRef.
template <typename R, typename... Args>
class FunctionRef<R(Args...)> {
 public:
  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> &&
           std::is_invocable_r_v<R, F&, Args...>)
      FunctionRef(F&& callable)  // NOLINT: implicit, so that lambdas can be passed directly
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(callable)))),
        call_([](void* object, Args... args) NO_THREAD_SAFETY_ANALYSIS -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

}  // namespace understudy
