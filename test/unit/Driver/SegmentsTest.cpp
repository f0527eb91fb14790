// How many segments a long sequence is cut in on a GPU.
#include "Check.h"
#include "Choose.h"

#include "ssmc/Frontend/Import.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using namespace ssmc::test;

static int64_t segmentsOf(int64_t blocks, int64_t steps) {
  return segmentsFor(blocks, /*processors=*/132, steps);
}

TEST(segments_of_few_heads) {
  CHECK(segmentsOf(4, 65536) == 16);  // No more, whatever has room.
  CHECK(segmentsOf(12, 65536) == 11); // As many as have room.
  CHECK(segmentsOf(0, 65536) == 16);
}

TEST(segments_none_of_many_heads) {
  CHECK(segmentsOf(16, 65536) == 8);
  CHECK(segmentsOf(17, 65536) == 1); // Seven would not pay for their summaries.
  CHECK(segmentsOf(512, 65536) == 1);
}

TEST(segments_few_or_none_of_short_sequences) {
  CHECK(segmentsOf(1, 16384) == 8);
  CHECK(segmentsOf(1, 8192) == 4);
  CHECK(segmentsOf(1, 8191) == 1);
  CHECK(segmentsOf(1, 0) == 1);
}

TEST(stretches_where_states_leave_half_idle) {
  CHECK(stretchesFor(64, 132, 65536) == 7);
  CHECK(stretchesFor(66, 132, 16384) == 4);
  CHECK(stretchesFor(67, 132, 65536) == 1);
}

TEST(stretches_few_or_none_of_short_sequences) {
  CHECK(stretchesFor(64, 132, 4096) == 2);
  CHECK(stretchesFor(64, 132, 2800) == 1);
  CHECK(stretchesFor(64, 132, 0) == 1);
  CHECK(stretchesFor(1, 132, 1 << 30) == 16);
}

namespace {
/// What is chosen for a recurrence of the zoo.
struct Chosen {
  std::string name;
  Form form = Form::Chunked;
  std::vector<int64_t> offsets = {};
  bool onGPU = true;
  int64_t asked = 0;

  int64_t segments() const {
    SourceMgr sources;
    mlir::MLIRContext context;
    sources.AddNewSourceBuffer(
        std::move(*MemoryBuffer::getFile(SSMC_SOURCE_DIR "/zoo/" + name + ".ssm")), SMLoc());
    Diagnostics diagnostics(sources);
    auto module = frontend::importSource(sources, context, diagnostics);
    auto declared = *module->getOps<ssm::RecurrenceOp>().begin();
    Inputs inputs;
    inputs.sizes = {1, {65536}, 4, 4, {}};
    inputs.offsets = offsets;
    for (auto dim : declared.getDims().getAsRange<ssm::DimAttr>())
      inputs.sizes.dims[dim.getName().str()] = 64;
    CodeTarget target;
    if (onGPU)
      target.cuda.emplace();
    LoweringOptions settled{inputs.sizes.dims, runtime::DType::BF16, form};
    if (form == Form::Chunked)
      settled.chunk = 32;
    settled.items = 4;
    return UNWRAP(chooseSegments(declared, settled, target, inputs, asked));
  }
};
} // namespace

TEST(segments_chosen_for_chunked_forms_alone) {
  CHECK((Chosen{"retnet"}.segments() == 16));
  CHECK((Chosen{"retnet", Form::Recurrent}.segments() == 1));
  CHECK((Chosen{"retnet", Form::Chunked, {0, 30000, 65536}}.segments() == 1));
}

TEST(segments_not_chosen_on_a_cpu) {
  CHECK((Chosen{"retnet", Form::Chunked, {}, /*onGPU=*/false}.segments() == 1));
}

TEST(segments_as_asked) {
  CHECK((Chosen{"retnet", Form::Recurrent, {}, false, 3}.segments() == 3));
}
