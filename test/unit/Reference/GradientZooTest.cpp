// The gradient of every declaration of the zoo, and of those that the end-to-end tests add.
#include "GradientCheck.h"
#include "ssmc/Frontend/Import.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::test;

/// Small sizes, all different, so that no two axes can be taken for each other.
static reference::Sizes smallSizes(ssm::RecurrenceOp recurrence) {
  reference::Sizes sizes = {2, {5}, 4, 2, {}};
  if (recurrence.getNumTimeAxes() == 2)
    sizes.time = {3, 4};
  int64_t next = 2;
  for (auto dim : recurrence.getDims().getAsRange<ssm::DimAttr>())
    if (dim.getSize() < 0)
      sizes.dims[dim.getName().str()] = next++;
  return sizes;
}

static void checkFile(StringRef path) {
  SourceMgr sources;
  auto buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return fail(__FILE__, __LINE__, "cannot read " + path.str());
  sources.AddNewSourceBuffer(std::move(*buffer), SMLoc());
  mlir::MLIRContext context;
  Diagnostics diagnostics(sources);
  mlir::OwningOpRef<mlir::ModuleOp> module = frontend::importSource(sources, context, diagnostics);
  if (!module)
    return fail(__FILE__, __LINE__, path.str() + " has errors");
  for (auto recurrence : module->getOps<ssm::RecurrenceOp>()) {
    reference::Sizes sizes = smallSizes(recurrence);
    for (bool withStates : {false, true}) {
      if (withStates && recurrence.getNumTimeAxes() == 2)
        continue;
      Point point = randomPoint(recurrence, sizes, withStates);
      checkGradient(point);
    }
  }
}

static int checkFolder(StringRef folder) {
  int files = 0;
  std::error_code error;
  for (sys::fs::directory_iterator it(folder, error), end; it != end && !error; it.increment(error))
    if (StringRef path = it->path(); path.ends_with(".ssm")) {
      checkFile(path);
      ++files;
    }
  return files;
}

TEST(gradientsOfTheZoo) {
  CHECK(checkFolder(SSMC_SOURCE_DIR "/zoo") >= 26);
}

TEST(gradientsOfOtherDeclarations) {
  CHECK(checkFolder(SSMC_SOURCE_DIR "/test/EndToEnd/declarations") >= 5);
}
