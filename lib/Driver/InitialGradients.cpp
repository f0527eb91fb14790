// An initial value is an expression of params, so it is a recurrence of one step and no state whose
// outputs are the initial states. Its adjoint, derived as any other, takes the cotangents of the
// states before the first step to params.
#include "InitialGradients.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/IR/IRMapping.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;

/// The state that holds a value of the signature's: `S` for the register `S~2`, which starts as S
/// does.
static ssm::StateOp stateOf(ssm::RecurrenceOp declared, StringRef name) {
  return declared.getState(name.split('~').first);
}

/// The ops that a value is made of, in order.
static SetVector<mlir::Operation*> sliceOf(mlir::Value value) {
  SetVector<mlir::Operation*> slice;
  mlir::BackwardSliceOptions options;
  options.inclusive = true;
  (void)mlir::getBackwardSlice(value, &slice, options);
  return slice;
}

static bool dependsOnParams(mlir::Value init) {
  return any_of(sliceOf(init), [](mlir::Operation* op) { return isa<ssm::InOp>(op); });
}

/// The recurrence whose outputs are the initial values of `names`.
static ssm::RecurrenceOp declareInitial(mlir::OpBuilder& b, ssm::RecurrenceOp declared,
                                        ArrayRef<std::string> names) {
  mlir::Location loc = declared.getLoc();
  auto made = ssm::RecurrenceOp::create(b, loc, (declared.getSymName() + "_initial").str(),
                                        declared.getTime(), declared.getDims(), mlir::StringAttr());
  b.setInsertionPointToEnd(&made.getBody().emplaceBlock());
  mlir::IRMapping mapping;
  for (const std::string& name : names) {
    ssm::StateOp state = stateOf(declared, name);
    for (mlir::Operation* op : sliceOf(state.getInit()))
      if (!mapping.contains(op->getResult(0)))
        b.clone(*op, mapping);
    mlir::Value value = mapping.lookup(state.getInit());
    if (value.getType() != state.getType())
      value = ssm::BroadcastOp::create(b, loc, cast<ssm::ArrayType>(state.getType()), value);
    ssm::OutOp::create(b, loc, name, state.getOrder(), /*temp=*/false, value);
  }
  return made;
}

/// Adds an array to the gradient of that name, in f32 or complex64.
static Error addTo(ArrayMap& gradients, const std::string& name, const Array& term) {
  DType type = runtime::isComplex(term.getDType()) ? DType::Complex64 : DType::F32;
  Expected<Array> sum = gradients.at(name).convertTo(type), addend = term.convertTo(type);
  if (!sum || !addend)
    return joinErrors(sum.takeError(), addend.takeError());
  auto* to = static_cast<float*>(sum->getData());
  auto* from = static_cast<const float*>(addend->getData());
  for (size_t i = 0; i < sum->getNumBytes() / sizeof(float); ++i)
    to[i] += from[i];
  gradients[name] = std::move(*sum);
  return Error::success();
}

Error driver::addInitialGradients(ssm::RecurrenceOp declared, const Signature& signature,
                                  const Inputs& inputs, const ArrayMap& atStart,
                                  const CodeTarget& target, unsigned threads, ArrayMap& gradients) {
  std::vector<std::string> names;
  for (const Operand& state : signature.states) {
    ssm::StateOp op = stateOf(declared, state.name);
    if (op && op.getInit() && !inputs.states.contains(state.name) &&
        atStart.count("d:" + state.name) && dependsOnParams(op.getInit()))
      names.push_back(state.name);
  }
  if (names.empty())
    return Error::success();
  mlir::OpBuilder builder(declared.getContext());
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(declared.getLoc());
  builder.setInsertionPointToEnd(module->getBody());
  ssm::RecurrenceOp initial = declareInitial(builder, declared, names);

  // Cotangents of states are f32 whatever the type of operands is.
  Expected<Signature> ofInitial = signatureOf(initial, DType::F32);
  if (!ofInitial)
    return ofInitial.takeError();
  LoweringOptions lowering{inputs.sizes.dims, DType::F32, Form::Recurrent, std::nullopt};
  lowering.adjoint = 1;
  Expected<CompiledRecurrence> adjoint = CompiledRecurrence::compile(initial, lowering, target);
  if (!adjoint)
    return adjoint.takeError();
  Inputs one;
  one.sizes = inputs.stateSizes();
  one.sizes.time = {1};
  for (const Operand& param : ofInitial->inputs) {
    Expected<Array> array = inputs.operands.at(param.name).convertTo(param.dtype);
    if (!array)
      return array.takeError();
    one.operands[param.name] = std::move(*array);
  }
  for (const Operand& state : ofInitial->outputs) {
    Expected<Array> cotangent = atStart.at("d:" + state.name).clone();
    auto shape = reference::shapeOf(state.layout, initial, one.sizes);
    if (!cotangent || !shape)
      return cotangent ? shape.takeError() : cotangent.takeError();
    if (Error error = cotangent->reshape(*shape))
      return error;
    one.cotangents.outputs[state.name] = std::move(*cotangent);
  }
  Expected<reference::Gradients> found = runGradients(*adjoint, initial, *ofInitial, one, threads);
  if (!found)
    return found.takeError();
  for (auto& [name, gradient] : found->operands)
    if (Error error = addTo(gradients, name, gradient))
      return error;
  return Error::success();
}
