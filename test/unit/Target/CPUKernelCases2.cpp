#include "CPUKernelHarness.h"
using namespace ssmc::test;
std::vector<Case> moreCases();
std::vector<Case> moreCases() { return {}; }
