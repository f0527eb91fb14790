/// How long each stage of a command takes, for --verbose.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <chrono>
#include <string>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace ssmc::driver {

class StageTimes {
public:
  /// Ends the stage that is under way. One of the same name goes on.
  void begin(llvm::StringRef stage);
  /// A line for each stage, in the order in which they began, and their sum.
  void print(llvm::raw_ostream& os);

private:
  using Clock = std::chrono::steady_clock;
  struct Stage {
    std::string name;
    double ms;
  };
  void end();

  llvm::SmallVector<Stage, 8> stages;
  Stage* current = nullptr;
  Clock::time_point start;
};

} // namespace ssmc::driver
