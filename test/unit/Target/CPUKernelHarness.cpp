#include "CPUKernelHarness.h"
#include "TileEmulator.h"
#include "TileInterpreter.h"

#include "dialects/Tile/Tile.h"
#include "ssmc/Derive/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>

using namespace ssmc;
using namespace ssmc::test;

static int64_t product(const std::vector<int64_t>& axes) {
  int64_t count = 1;
  for (int64_t axis : axes)
    count *= axis;
  return count;
}

static bool isComplex(const Operand& o) {
  return o.storage.rfind("complex", 0) == 0;
}

/// Outer dimensions of an operand's array: batch, time, time1, heads.
static std::array<int64_t, 4> outer(const Operand& o, const Sizes& s) {
  int64_t heads = o.scope == 'h' ? s.heads : o.scope == 'g' ? s.groups : 1;
  if (o.role == 'p')
    return {1, 1, 1, heads};
  if (o.role == 's' || o.role == 'S')
    return {s.batch, 1, 1, heads};
  return {s.offsets.empty() ? s.batch : 1, s.rows(), s.time1, heads};
}

static int64_t elementCount(const Operand& o, const Sizes& s) {
  auto d = outer(o, s);
  return d[0] * d[1] * d[2] * d[3] * product(o.axes);
}

double* ItemView::at(const std::string& name, char role, int64_t t, int64_t x) const {
  for (const Operand& o : operands)
    if (o.name == name && o.role == role) {
      auto d = outer(o, sizes);
      if (!sizes.offsets.empty())
        t += sizes.offsets[batch];
      int64_t h = o.scope == 'h' ? head : o.scope == 'g' ? head * sizes.groups / sizes.heads : 0;
      int64_t b = d[0] == 1 ? 0 : batch;
      int64_t row = ((b * d[1] + (d[1] == 1 ? 0 : t)) * d[2] + (d[2] == 1 ? 0 : x)) * d[3] + h;
      return arrays[name + "/" + role].data() + row * product(o.axes) * (isComplex(o) ? 2 : 1);
    }
  std::fprintf(stderr, "no operand %s/%c\n", name.c_str(), role);
  std::abort();
}

//===-- stored types -------------------------------------------------------------------------===//

static size_t bytesOf(const std::string& storage) {
  if (storage == "bf16" || storage == "f16")
    return 2;
  if (storage == "f64" || storage == "complex<f32>" || storage == "i64")
    return 8;
  if (storage == "complex<f64>")
    return 16;
  return storage == "i1" ? 1 : 4;
}

static void put(char* to, const std::string& storage, double value) {
  float f = float(value);
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  if (storage == "bf16") {
    uint16_t high = uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    std::memcpy(to, &high, 2);
  } else if (storage == "f16") {
    _Float16 half = _Float16(f);
    std::memcpy(to, &half, 2);
  } else if (storage == "f64") {
    std::memcpy(to, &value, 8);
  } else if (storage == "i1") {
    *to = value != 0;
  } else {
    std::memcpy(to, &f, 4);
  }
}

static double get(const char* from, const std::string& storage) {
  if (storage == "bf16") {
    uint16_t high;
    std::memcpy(&high, from, 2);
    uint32_t bits = uint32_t(high) << 16;
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
  }
  if (storage == "f16") {
    _Float16 half;
    std::memcpy(&half, from, 2);
    return double(half);
  }
  if (storage == "f64") {
    double d;
    std::memcpy(&d, from, 8);
    return d;
  }
  if (storage == "i1")
    return *from;
  float f;
  std::memcpy(&f, from, 4);
  return f;
}

/// A memory image of an operand, with guard bytes around it.
struct Image {
  static constexpr size_t guard = 256;
  std::vector<char> bytes;
  char* data() { return bytes.data() + guard; }
  bool guardsIntact() const {
    auto is = [](char c) { return c == char(0x5a); };
    return std::all_of(bytes.begin(), bytes.begin() + guard, is) &&
           std::all_of(bytes.end() - guard, bytes.end(), is);
  }
};

//===-- compiling and running ----------------------------------------------------------------===//

static mlir::MLIRContext& context() {
  static mlir::MLIRContext* context = [] {
    mlir::DialectRegistry registry;
    registry.insert<ssm::SSMDialect, tile::TileDialect>();
    auto* made = new mlir::MLIRContext(registry, mlir::MLIRContext::Threading::DISABLED);
    return made;
  }();
  return *context;
}

std::vector<NamedTarget> ssmc::test::targetsHere() {
  cpu::TargetSpec host = cpu::TargetSpec::host();
  if (!host.isX86())
    return {{"host", host}};
  std::vector<NamedTarget> targets{{"x86-64", {host.triple, ""}}};
  if (host.has("avx2") && host.has("fma"))
    targets.push_back({"avx2", {host.triple, "+avx2,+fma"}});
  if (host.has("avx512f") && host.has("avx512bw") && host.has("avx512vl") && host.has("avx512dq"))
    targets.push_back(
        {"avx512", {host.triple, "+avx2,+fma,+avx512f,+avx512bw,+avx512vl,+avx512dq"}});
  if (host.hasPairVectors())
    targets.push_back({"bf16", {host.triple, targets.back().second.features + ",+avx512bf16"}});
  if (host.hasPairTiles() || (host.hasPairVectors() && emulateTiles()))
    targets.push_back(
        {"amx", {host.triple, targets.back().second.features + ",+amx-tile,+amx-bf16"}});
  return targets;
}

Case ssmc::test::interpretedCase(std::string name, const std::string& text, Sizes sizes) {
  auto module = std::make_shared<mlir::OwningOpRef<mlir::ModuleOp>>(
      mlir::parseSourceString<mlir::ModuleOp>(text, &context()));
  Case test{std::move(name), text, {}, sizes};
  if (!*module)
    return test;
  // Ops over steps mean what their loops over the steps say.
  derive::expandSteps(module->get(), [](mlir::Operation*) { return false; });
  auto kernel = *(*module)->getOps<tile::KernelOp>().begin();
  test.kernel = kernel.getSymName().str();
  test.operands = operandsOf(kernel);
  test.reference = [module, kernel](ItemView item) { interpret(kernel, item); };
  return test;
}

static std::string compileText(const std::string& text, const cpu::TargetSpec& target,
                               cpu::Output output) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  if (!module)
    return {};
  std::string error;
  auto result = cpu::compile(*module, target, output, error);
  if (!result)
    std::fprintf(stderr, "%s\n", error.c_str());
  return result.value_or("");
}

std::string ssmc::test::compileCase(const Case& test, const cpu::TargetSpec& target,
                                    cpu::Output output) {
  return compileText(test.text, target, output);
}

namespace {
struct Run {
  std::vector<Image> images;
  std::vector<void*> pointers;
  std::vector<int64_t> strides;
  ssmc_kernel_args args;
};
} // namespace

static void prepare(const Case& test, const Sizes& s, Arrays& arrays, Run& run) {
  std::mt19937 random(7);
  for (const Operand& o : test.operands) {
    auto d = outer(o, s);
    int64_t count = elementCount(o, s), parts = isComplex(o) ? 2 : 1;
    int64_t inner = product(o.axes);
    std::string unit = o.storage == "complex<f32>"   ? "f32"
                       : o.storage == "complex<f64>" ? "f64"
                                                     : o.storage;
    Image image;
    image.bytes.assign(2 * Image::guard + count * bytesOf(o.storage), char(0x5a));
    std::vector<double>& values = arrays[o.name + "/" + o.role];
    values.assign(count * parts, 0);
    std::uniform_real_distribution<double> uniform(o.low, o.high);
    for (int64_t i = 0; i < count * parts; ++i) {
      char* at = image.data() + i * bytesOf(unit);
      bool isInput = o.role == 'i' || o.role == 'p' || o.role == 's' || o.role == 'T';
      if (!isInput)
        continue;
      put(at, unit, o.storage == "i1" ? double(uniform(random) > 0) : uniform(random));
      values[i] = o.null ? 0 : get(at, unit);
    }
    run.images.push_back(std::move(image));
    // A batch entry of packed sequences is never left: its stride may be anything.
    bool isState = o.role == 's' || o.role == 'S';
    int64_t batchStride =
        s.offsets.empty() || isState ? d[1] * d[2] * d[3] * inner : int64_t(1) << 40;
    run.strides.insert(run.strides.end(), {batchStride, d[2] * d[3] * inner, d[3] * inner, inner});
  }
  for (auto [i, o] : llvm::enumerate(test.operands))
    run.pointers.push_back(o.null ? nullptr : run.images[i].data());
  run.args = {s.batch,
              s.heads,
              s.groups,
              {s.rows(), s.time1},
              run.pointers.data(),
              run.strides.data(),
              s.offsets.empty() ? nullptr : s.offsets.data()};
}

/// Runs items [first, last) with a workspace that is poisoned first.
static bool runPart(const cpu::Kernel& kernel, const ssmc_kernel_args& args, int64_t first,
                    int64_t last) {
  int64_t bytes = (kernel.workspace(&args, last - first) + 63) / 64 * 64;
  auto* memory = static_cast<char*>(std::aligned_alloc(64, bytes + 4096));
  std::memset(memory, 0xff, bytes);
  std::memset(memory + bytes, 0x5a, 4096);
  bool good = kernel.run(&args, first, last, memory) == 0;
  for (int64_t i = bytes; i < bytes + 4096; ++i)
    if (memory[i] != char(0x5a)) {
      std::fprintf(stderr, "written behind the workspace\n");
      good = false;
      break;
    }
  std::free(memory);
  return good;
}

static bool fail(const std::string& name, const std::string& targetName, const std::string& why) {
  std::printf("FAIL %-28s %-8s %s\n", name.c_str(), targetName.c_str(), why.c_str());
  return false;
}

/// What the reference makes of the arrays of `prepare`.
static Arrays expect(const Case& test, const Sizes& s) {
  Arrays arrays;
  Run unused;
  prepare(test, s, arrays, unused);
  for (int64_t b = 0; b < s.batch; ++b) {
    Sizes one = s;
    if (!s.offsets.empty())
      one.time = s.offsets[b + 1] - s.offsets[b];
    for (int64_t h = 0; h < s.heads; ++h)
      test.reference({one, arrays, test.operands, b, h});
  }
  return arrays;
}

/// Runs a compiled case on arrays of these sizes.
static bool runSizes(const Case& test, const std::string& name, const cpu::Kernel& kernel,
                     const std::string& targetName, const Sizes& s, const Arrays& expected) {
  auto fail = [&](const std::string& why) { return ::fail(name, targetName, why); };
  Run run, split, threads;
  Arrays unused;
  prepare(test, s, unused, run);
  prepare(test, s, unused, split);
  prepare(test, s, unused, threads);
  int64_t items = s.batch * s.heads;
  if (!runPart(kernel, run.args, 0, items))
    return fail("bad run");
  // The same items in another cut give the same bits.
  for (int64_t first = 0; first < items; first += first + 1)
    if (!runPart(kernel, split.args, first, std::min(items, first + first + 1)))
      return fail("bad split run");
  std::string error;
  if (!cpu::launch(kernel, threads.args, 3, error))
    return fail(error);
  for (auto [i, o] : llvm::enumerate(test.operands)) {
    if (run.images[i].bytes != split.images[i].bytes ||
        run.images[i].bytes != threads.images[i].bytes)
      return fail("operand " + o.name + " depends on the cut into items");
    if (!run.images[i].guardsIntact())
      return fail("written outside of operand " + o.name);
  }

  bool good = true;
  double worst = 0;
  for (auto [i, o] : llvm::enumerate(test.operands)) {
    if ((o.role != 'o' && o.role != 'S') || o.null)
      continue;
    const std::vector<double>& want = expected.at(o.name + "/" + o.role);
    std::string unit = isComplex(o) ? "f32" : o.storage;
    double square = 0, total = 0, largest = 0;
    for (size_t k = 0; k < want.size(); ++k) {
      double got = get(run.images[i].data() + k * bytesOf(unit), unit);
      square += (got - want[k]) * (got - want[k]);
      total += want[k] * want[k];
      largest = std::max(largest, std::fabs(got - want[k]) / std::max(std::fabs(want[k]), 1e-37));
    }
    double ratio = total > 0 ? std::sqrt(square / total) : std::sqrt(square);
    if (test.relative)
      ratio = largest;
    worst = std::max(worst, ratio);
    if (!(ratio <= test.bound)) {
      char text[128];
      std::snprintf(text, sizeof text, "operand %s: error %.3g", o.name.c_str(), ratio);
      good = fail(text);
    }
  }
  if (good)
    std::printf("ok   %-28s %-8s %.2g\n", name.c_str(), targetName.c_str(), worst);
  return good;
}

unsigned ssmc::test::runCase(const Case& test, llvm::ArrayRef<NamedTarget> targets) {
  // The reference takes longer than a kernel does, and knows of no target.
  std::vector<std::tuple<std::string, Sizes, Arrays>> runs;
  runs.emplace_back(test.name, test.sizes, expect(test, test.sizes));
  if (test.text.find("axis 1") == std::string::npos) {
    Sizes packed = test.sizes;
    packed.batch = 5;
    packed.offsets = {0};
    for (int64_t length : {int64_t(0), packed.time, int64_t(1), int64_t(0), packed.time / 2 + 3})
      packed.offsets.push_back(packed.offsets.back() + length);
    runs.emplace_back(test.name + " packed", packed, expect(test, packed));
  }
  unsigned failures = 0;
  for (auto& [targetName, target] : targets) {
    std::string error, object = compileText(test.text, target, cpu::Output::Object);
    auto jit = object.empty() ? nullptr : cpu::Jit::load(object, error);
    cpu::Kernel kernel = jit ? jit->lookup(test.kernel, error) : cpu::Kernel();
    if (!kernel.run) {
      fail(test.name, targetName, object.empty() ? "does not compile" : error);
      ++failures;
      continue;
    }
    bool good = true;
    for (auto& [name, sizes, expected] : runs)
      good &= runSizes(test, name, kernel, targetName, sizes, expected);
    failures += !good;
  }
  return failures;
}

double ssmc::test::timeCase(const Case& test, const cpu::TargetSpec& target, int threads,
                            double* median) {
  std::string error, object = compileText(test.text, target, cpu::Output::Object);
  auto jit = object.empty() ? nullptr : cpu::Jit::load(object, error);
  cpu::Kernel kernel = jit ? jit->lookup(test.kernel, error) : cpu::Kernel();
  if (!kernel.run)
    return -1;
  Arrays arrays;
  Run run;
  prepare(test, test.sizes, arrays, run);
  std::vector<double> times;
  const Sizes& s = test.sizes;
  for (int round = 0; round < 25; ++round) {
    // On a machine with other work the thread's own time is what one thread would need alone.
    auto now = [&] {
      timespec time;
      clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
      return double(time.tv_sec) * 1e9 + double(time.tv_nsec);
    };
    double start = now();
    cpu::launch(kernel, run.args, threads, error);
    times.push_back((now() - start) / double(s.batch * s.heads * s.time * s.time1));
  }
  std::sort(times.begin(), times.end());
  *median = times[times.size() / 2];
  return times.front();
}
