#include "CheckGradients.h"
#include "CheckCases.h"
#include "Gradients.h"
#include "RunGradient.h"

#include "ssmc/Analysis/Passes.h"
#include "ssmc/Runtime/Compare.h"
#include "ssmc/Runtime/Random.h"

#include <cmath>
#include <cstring>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;

ArrayRef<GradientChecker::Case> GradientChecker::cases() {
  static const Case list[] = {{"odd sizes", 37, false, Gates::Usual},
                              {"one step", 1, true, Gates::Usual},
                              {"no step", 0, true, Gates::Usual},
                              {"whole chunks", 64, true, Gates::Usual},
                              {"ten chunks", 173, true, Gates::Usual},
                              {"strong gates", 61, true, Gates::Strong},
                              {"weak gates", 61, true, Gates::Weak},
                              {"packed", 143, true, Gates::Usual, {0, 21, 1, 0, 83, 38, 0}},
                              {"chunks of even dims", 133, true, Gates::Usual, {}, true}};
  return list;
}

Bounds driver::boundsOf(DType dtype) {
  bool isExact = dtype == DType::F32;
  return {isExact ? 1e-5 : 4e-3, isExact ? 1e-4 : 8e-3, isExact ? 1e-4 : 1.5e-2};
}

std::set<std::string> driver::gatesOf(ssm::RecurrenceOp declared) {
  ssm::RecurrenceOp normal;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(declared, normal);
  normal = analysis::normalize(normal);
  SmallVector<mlir::Value> work;
  normal->walk([&](ssm::DecayOp decay) { llvm::append_range(work, decay->getOperands()); });
  DenseSet<mlir::Value> seen;
  std::set<std::string> gates;
  while (!work.empty()) {
    mlir::Value value = work.pop_back_val();
    mlir::Operation* op = value.getDefiningOp();
    if (!op || !seen.insert(value).second)
      continue;
    if (auto in = dyn_cast<ssm::InOp>(op))
      gates.insert(in.getName().str());
    llvm::append_range(work, ssm::inputsOf(op));
  }
  return gates;
}

Expected<ArrayMap> driver::randomCotangents(ArrayRef<Operand> operands, ssm::RecurrenceOp declared,
                                            const reference::Sizes& sizes, uint64_t seed) {
  ArrayMap arrays;
  for (const Operand& operand : operands) {
    auto shape = reference::shapeOf(operand.layout, declared, sizes);
    if (!shape)
      return shape.takeError();
    Expected<Array> array = Array::create(operand.dtype, *shape);
    if (!array)
      return array.takeError();
    runtime::fill(*array, {runtime::Fill::Normal, 1.0},
                  runtime::seedFor(seed, "d:" + operand.name));
    arrays[operand.name] = std::move(*array);
  }
  return std::move(arrays);
}

Expected<const GradientChecker::Data*>
GradientChecker::dataFor(const Case& test, const Signature& signature, DType dtype) {
  auto [entry, isNew] = data.try_emplace({&test, dtype});
  Data& made = entry->second;
  if (!isNew)
    return &made;
  reference::Sizes& sizes = made.inputs.sizes;
  auto dims = checkDims(declared, options, test.evenSizes);
  if (!dims)
    return dims.takeError();
  sizes.dims = std::move(*dims);
  sizes.batch = test.lengths.empty() ? 2 : 1;
  sizes.heads = 2;
  sizes.groups = options.groups.value_or(1);
  sizes.time = {test.time};
  if (!test.lengths.empty()) {
    made.inputs.offsets = {0};
    for (int64_t length : test.lengths)
      made.inputs.offsets.push_back(made.inputs.offsets.back() + length);
  }
  if (Error error = checkMemoryFor(declared, signature, made.inputs))
    return error;
  Expected<ArrayMap> operands =
      randomInputs(declared, signature.inputs, sizes, options.seed, test.gates);
  if (!operands)
    return operands.takeError();
  made.inputs.operands = std::move(*operands);
  if (test.initialState) {
    Expected<ArrayMap> states =
        randomStates(declared, signature.states, made.inputs.stateSizes(), options.seed);
    if (!states)
      return states.takeError();
    made.inputs.states = std::move(*states);
  }
  Expected<ArrayMap> outputs = randomCotangents(signature.outputs, declared, sizes, options.seed);
  Expected<ArrayMap> states =
      randomCotangents(signature.states, declared, made.inputs.stateSizes(), options.seed);
  if (!outputs || !states)
    return outputs ? states.takeError() : outputs.takeError();
  made.inputs.cotangents.outputs = std::move(*outputs);
  made.inputs.cotangents.states = std::move(*states);
  auto expected = referenceGradient(declared, signature, made.inputs, options.threads);
  if (!expected)
    return expected.takeError();
  made.expected = std::move(*expected);
  return &made;
}

/// How large a gradient is, beside cotangents of size one: where it all but vanishes, it is what is
/// left of terms that cancel, and its relative error says nothing of who computed it.
static double rmsOf(const Array& array) {
  double squares = 0;
  for (int64_t i = 0; i < array.getNumElements(); ++i)
    squares += std::norm(array.get(i));
  return std::sqrt(squares / std::max<int64_t>(array.getNumElements(), 1));
}

/// The first gradient whose bits differ, or an empty name.
static std::string differentBits(const reference::Gradients& a, const reference::Gradients& b) {
  for (auto [left, right] : {std::pair(&a.operands, &b.operands), std::pair(&a.states, &b.states)})
    for (auto& [name, array] : *left) {
      const Array& other = right->find(name)->second;
      if (array.getNumBytes() && std::memcmp(array.getData(), other.getData(), array.getNumBytes()))
        return name;
    }
  return "";
}

GradientFinding GradientChecker::tryCase(const Case& test, CompiledRecurrence& adjoint,
                                         const Signature& signature, DType dtype,
                                         std::optional<SpanChoice> spans) {
  GradientFinding finding;
  finding.test = test.name;
  Expected<const Data*> data = dataFor(test, signature, dtype);
  if (!data) {
    finding.problem = toString(data.takeError());
    return finding;
  }
  auto run = [&] {
    return runGradients(adjoint, declared, signature, (*data)->inputs, options.threads,
                        /*poison=*/true);
  };
  Expected<reference::Gradients> found = run();
  if (!found) {
    finding.problem = toString(found.takeError());
    return finding;
  }
  // Another run, which must have the same bits; where one has not, what it says.
  auto runAgain = [&](StringRef otherwise) {
    Expected<reference::Gradients> again = run();
    if (!again)
      finding.problem = toString(again.takeError());
    else if (std::string name = differentBits(*found, *again); !name.empty())
      finding.problem = ("'" + name + "' differs " + otherwise).str();
    return finding.problem.empty();
  };
  if (spans) {
    adjoint.setSpans(*spans);
    bool isSame = runAgain("from what it is where all is kept");
    adjoint.setSpans({0, 0});
    if (!isSame)
      return finding;
  }
  // Cases of many chunks: of a batch, and of packed sequences.
  bool repeats = !test.lengths.empty() || StringRef(test.name) == "ten chunks";
  for (unsigned number = 1; repeats && number < options.repeat.value_or(1); ++number)
    if (!runAgain("between two runs"))
      return finding;
  for (auto [reference, computed] : {std::pair(&(*data)->expected.operands, &found->operands),
                                     std::pair(&(*data)->expected.states, &found->states)})
    for (auto& [name, expected] : *reference) {
      auto it = computed->find(name);
      Expected<runtime::Difference> difference =
          it == computed->end() ? createStringError("no gradient of '" + name + "'")
                                : runtime::compare(it->second, expected);
      finding.sizes[name] = rmsOf(expected);
      if (difference)
        finding.errors[name] = difference->relative;
      else
        finding.problem = toString(difference.takeError());
    }
  return finding;
}

Expected<CompiledRecurrence> GradientChecker::compile(const FormChoice& form,
                                                      const CodeTarget& target, DType dtype,
                                                      int64_t segments, const Dims& dims) {
  LoweringOptions lowering{dims, dtype, form.form, form.chunk, options.precision};
  lowering.adjoint = 1;
  lowering.segments = segments;
  lowering.sharesGroups = true; // Where there are no segments.
  return CompiledRecurrence::compile(declared, lowering, target);
}

Expected<GradientLine> GradientChecker::check(const FormChoice& form, StringRef targetName,
                                              const CodeTarget& target, DType dtype,
                                              int64_t segments) {
  Expected<Signature> signature = signatureOf(declared, dtype);
  if (!signature)
    return signature.takeError();
  Expected<Dims> dims = checkDims(declared, options, /*even=*/false);
  if (!dims)
    return dims.takeError();
  Expected<Dims> even = checkDims(declared, options, /*even=*/true);
  if (!even)
    return even.takeError();
  Bounds bounds = boundsOf(dtype);
  GradientLine line = {declared.getSymName().str(),
                       targetName.str(),
                       runtime::name(dtype).str(),
                       form,
                       bounds.gradients,
                       bounds.gates,
                       gatesOf(declared),
                       {},
                       {}};
  for (const Operand& state : signature->states)
    line.states.insert(state.name);
  Expected<CompiledRecurrence> adjoint = compile(form, target, dtype, segments, *dims);
  if (!adjoint) {
    line.findings.push_back({"compiling", {}, {}, toString(adjoint.takeError())});
    return line;
  }
  adjoint->setSegments(1);
  for (const Case& test : cases()) {
    if (!test.evenSizes) {
      line.findings.push_back(tryCase(test, *adjoint, *signature, dtype));
      continue;
    }
    if (form.form != Form::Chunked || *dims == *even)
      continue;
    Expected<CompiledRecurrence> other = compile(form, target, dtype, segments, *even);
    if (!other) {
      line.findings.push_back({test.name, {}, {}, toString(other.takeError())});
      continue;
    }
    other->setSegments(1);
    line.findings.push_back(tryCase(test, *other, *signature, dtype));
  }
  // Short spans, and few heads side by side: the bits are those of the whole. (Of devices there are
  // none.)
  bool isAsked = options.recompute.value_or(0) > 0;
  if ((dtype == DType::F32 || isAsked) && !target.isDevice() && options.recompute != 0) {
    SpanChoice spans{options.recompute.value_or(1), 1};
    for (const Case& test : cases())
      if (test.time > 100 && !test.evenSizes) {
        line.findings.push_back(tryCase(test, *adjoint, *signature, dtype, spans));
        line.findings.back().test += ", recomputed";
      }
  }
  adjoint->setSegments(segments);
  for (const Case& test : cases())
    if (segments > 1 && test.time > 100 && !test.evenSizes) {
      line.findings.push_back(tryCase(test, *adjoint, *signature, dtype));
      line.findings.back().test += ", segments";
    }
  return line;
}
