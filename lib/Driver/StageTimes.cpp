#include "StageTimes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc::driver;

void StageTimes::end() {
  if (current)
    current->ms += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  current = nullptr;
}

void StageTimes::begin(StringRef stage) {
  end();
  current = find_if(stages, [&](const Stage& known) { return known.name == stage; });
  if (current == stages.end())
    current = &stages.emplace_back(Stage{stage.str(), 0});
  start = Clock::now();
}

void StageTimes::print(raw_ostream& os) {
  end();
  double sum = 0;
  for (const Stage& stage : stages) {
    os << fmt::format("{:<16}{:>12.3f} ms\n", stage.name, stage.ms);
    sum += stage.ms;
  }
  os << fmt::format("{:<16}{:>12.3f} ms\n", "all", sum);
}
