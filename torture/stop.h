// Whether to end early: asked between the crash points, faults and lives of a case.

#ifndef KEEL_TORTURE_STOP_H_
#define KEEL_TORTURE_STOP_H_

#include <functional>

namespace keel::torture {

using Stop = std::function<bool()>;
inline bool Never() { return false; }

}  // namespace keel::torture

#endif  // KEEL_TORTURE_STOP_H_
