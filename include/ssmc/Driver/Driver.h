/// The command line of `ssmc`, as a function.
#pragma once

namespace ssmc::driver {

/// What a run of `ssmc` ends with.
enum ExitCode : int {
  Done = 0,
  CheckFailed = 1, ///< `check` found an error over its bound
  WrongInput = 2,  ///< the command line, a declaration or an array is wrong; stderr says how
  OurBug = 3,      ///< stderr says what to report
};

/// Runs a command line from end to end and returns its exit code.
int runDriver(int argc, char** argv);

} // namespace ssmc::driver
