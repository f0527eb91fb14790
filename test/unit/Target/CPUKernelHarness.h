/// Compiles a tile kernel from text, runs it on random arrays and compares with loops in f64.
#pragma once

#include "ssmc/Target/CPU.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ssmc::test {

/// An operand of a test kernel: a role, a stored type, who shares it, and its axes.
struct Operand {
  std::string name;
  char role;           ///< i: in, p: param, s: state_in, S: state_out, o: out
  std::string storage; ///< f32, bf16, f16, f64, i1, complex<f32>
  char scope = 'h';    ///< h: head, g: group, s: shared
  std::vector<int64_t> axes;
  double low = -1, high = 1;
  bool null = false; ///< states: no pointer is passed
};

struct Sizes {
  int64_t batch = 2, heads = 3, groups = 1, time = 37, time1 = 1;
  /// Of packed sequences: where each begins, and where the last one ends. Then `batch` is their
  /// number, and `time` the steps of one of them.
  std::vector<int64_t> offsets = {};

  /// Steps along the time axis of an array.
  int64_t rows() const { return offsets.empty() ? time : offsets.back(); }
};

/// The arrays of a run, as doubles, by name and role ("S/s"). A complex number is two of them.
using Arrays = std::map<std::string, std::vector<double>>;

/// One item of the reference: `at(name, role, t, x)` is where the operand's axes begin.
struct ItemView {
  const Sizes& sizes;
  Arrays& arrays;
  const std::vector<Operand>& operands;
  int64_t batch, head;
  double* at(const std::string& name, char role, int64_t t = 0, int64_t x = 0) const;
};

struct Case {
  std::string name;
  std::string text; ///< one tile.kernel
  std::vector<Operand> operands;
  Sizes sizes;
  std::function<void(ItemView)> reference;
  double bound = 1e-5;
  std::string kernel = "k"; ///< its name
  bool relative = false;    ///< the bound is for each element, not for the RMS
};

/// A case from a kernel's text alone: its operands are those that it declares, with values in
/// [-1, 1], and the f64 interpreter of tile kernels says what is right.
Case interpretedCase(std::string name, const std::string& text, Sizes sizes = {});

/// Products of factors that may be rounded.
std::vector<Case> pairCases();

/// All cases; `timeOnly` ones are built for measuring.
std::vector<Case> allCases();

using NamedTarget = std::pair<std::string, cpu::TargetSpec>;

/// What this machine can run, by name, the narrowest vectors first.
std::vector<NamedTarget> targetsHere();

/// Runs a case for each target, and again with packed sequences where it has one time axis; prints
/// what is right and returns how many targets are not.
unsigned runCase(const Case& test, llvm::ArrayRef<NamedTarget> targets);

/// ns per step and head of a kernel on random arrays: the least of several runs.
double timeCase(const Case& test, const cpu::TargetSpec& target, int threads, double* median);

/// The kernel's text compiled to assembly or LLVM IR; empty on failure.
std::string compileCase(const Case& test, const cpu::TargetSpec& target, cpu::Output output);

} // namespace ssmc::test
