// Runs every test, or those whose names contain the first argument.
#include "Check.h"

#include <vector>

namespace {
struct Test {
  const char* name;
  void (*run)();
};
} // namespace

static std::vector<Test>& tests() {
  static std::vector<Test> list;
  return list;
}

static int failures = 0;

ssmc::test::Registration::Registration(const char* name, void (*run)()) {
  tests().push_back({name, run});
}

void ssmc::test::fail(const char* file, int line, const std::string& what) {
  ++failures;
  std::printf("%s:%d: %s\n", file, line, what.c_str());
}

int main(int argc, char** argv) {
  int run = 0, failed = 0;
  for (const Test& test : tests()) {
    if (argc > 1 && !llvm::StringRef(test.name).contains(argv[1]))
      continue;
    ++run;
    int before = failures;
    test.run();
    if (failures == before)
      continue;
    ++failed;
    std::printf("FAILED %s\n", test.name);
  }
  std::printf("%d of %d tests passed\n", run - failed, run);
  return failed || run == 0 ? 1 : 0;
}
