// Runs the kernels of CPUKernelCases.cpp for several targets, or measures them.
//
//   cpu-kernel-test                      all cases, plain x86-64, AVX2 and AVX-512 where present
//   cpu-kernel-test --only NAME          those whose name contains NAME
//   cpu-kernel-test --time [NAME]        ns per step and head, one thread
//   cpu-kernel-test --files FILE…        kernels from files, compared with the f64 interpreter
//   cpu-kernel-test --asm|--ll NAME      what is compiled for this machine
#include "CPUKernelHarness.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace ssmc;
using namespace ssmc::test;

int main(int argc, char** argv) {
  std::string mode = argc > 1 ? argv[1] : "", only = argc > 2 ? argv[2] : "";
  cpu::TargetSpec host = cpu::TargetSpec::host();
  std::vector<Case> cases = allCases();
  for (Case& test : pairCases())
    cases.push_back(test);
  // Measures kernels from files: --time-files HEADS STEPS FILE…
  if (mode == "--time-files" && argc > 3) {
    for (int i = 4; i < argc; ++i) {
      std::ifstream file(argv[i]);
      std::stringstream text;
      text << file.rdbuf();
      Case test = interpretedCase(argv[i], text.str(), {1, atoi(argv[2]), 1, atoi(argv[3]), 1});
      // Decays must decay, whatever they are called: small values keep every kernel finite.
      for (Operand& operand : test.operands) {
        operand.low = -0.1;
        operand.high = 0.1;
      }
      double median, least = timeCase(test, host, 1, &median);
      std::printf("%-40s %8.1f  (median %.1f) ns per step and head\n", argv[i], least, median);
    }
    return 0;
  }
  if (mode == "--files") {
    cases.clear();
    for (int i = 2; i < argc; ++i) {
      std::ifstream file(argv[i]);
      std::stringstream text;
      text << file.rdbuf();
      Sizes sizes{2, 4, 2, 37, 1};
      if (text.str().find("axis 1") != std::string::npos)
        sizes = {2, 2, 1, 5, 19};
      std::string name = argv[i];
      cases.push_back(interpretedCase(name.substr(name.rfind('/') + 1), text.str(), sizes));
    }
    only.clear();
    mode.clear();
  }
  std::erase_if(cases, [&](const Case& test) {
    return test.name.find(only) == std::string::npos ||
           (mode.rfind("--", 0) == 0 && mode != "--only" ? test.name[0] != '*'
                                                         : test.name[0] == '*');
  });
  if (mode == "--time") {
    for (const Case& test : cases) {
      double median, least = timeCase(test, host, 1, &median);
      std::printf("%-24s %8.1f  (median %.1f) ns per step and head\n", test.name.c_str(), least,
                  median);
    }
    return 0;
  }
  if ((mode == "--asm" || mode == "--ll") && only.find(".mlir") != std::string::npos) {
    std::ifstream file(only);
    std::stringstream text;
    text << file.rdbuf();
    cases = {interpretedCase(only, text.str())};
  }
  if (mode == "--asm" || mode == "--ll") {
    for (const Case& test : cases)
      std::fputs(
          compileCase(test, host, mode == "--asm" ? cpu::Output::Assembly : cpu::Output::LLVMText)
              .c_str(),
          stdout);
    return 0;
  }
  auto targets = targetsHere();
  int failures = 0;
  for (const Case& test : cases) {
    failures += runCase(test, targets);
    // Other machines: it compiles.
    cpu::TargetSpec arm{"aarch64-unknown-linux-gnu", "+neon"};
    if (compileCase(test, arm, cpu::Output::Object).empty()) {
      std::printf("FAIL %s does not compile for aarch64\n", test.name.c_str());
      ++failures;
    }
  }
  std::printf("%d failures\n", failures);
  return failures != 0;
}
