//===- ImportDelay.cpp - prev and next into states ------------------------===//
//
// `prev` of a state is ssm.prev. `prev` of anything else makes a hidden state, a register: x one
// step earlier is the register "x~1", whose new value is x; x two steps earlier is "x~2", whose new
// value is "x~1" one step earlier. So what must travel with the state of a decoder is a state.
//
//===----------------------------------------------------------------------===//

#include "ImportImpl.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/bit.h"

using namespace llvm;
using mlir::Location;
using mlir::Value;

namespace ssmc::frontend {

using namespace ast;

Value RecurrenceImporter::importDelay(const DelayExpr* delay) {
  Location loc = location(delay);
  Labels from, to;
  Value value = importDelayed(delay, from, to);
  return atSteps(loc, relabel(loc, value, from, to));
}

/// Whether steps along one axis go one way, so that they add up.
static bool addUp(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  return all_of(zip_equal(a, b), [](auto pair) {
    auto [x, y] = pair;
    return (x >= 0 && y >= 0) || (x <= 0 && y <= 0);
  });
}

Value RecurrenceImporter::importDelayed(const DelayExpr* delay, Labels& labels, Labels& used) {
  Location loc = location(delay);
  Offsets offsets(delay->offsets);
  const Expr* operand = delay->operands[0];
  while (auto* inner = dyn_cast<DelayExpr>(operand)) {
    if (!addUp(offsets, inner->offsets))
      break;
    for (auto [total, more] : zip_equal(offsets, inner->offsets))
      total += more;
    operand = inner->operands[0];
  }

  auto* ref = dyn_cast<RefExpr>(operand);
  if (ref)
    for (const IndexVar* var : ref->indexVars)
      used.push_back(var->name.text);
  if (ref && ref->symbol->kind == Symbol::State) {
    labels = labelsOf[ref->symbol];
    return readState(loc, ref->symbol->name.text,
                     arrayType(ref->symbol->axes, labels, ref->symbol->elem), offsets);
  }
  const Delayed* what = findDelayed(operand);
  labels = what->labels;
  if (!ref)
    used = labels;
  mlir::OpBuilder::InsertionGuard guard(builder);
  hoist();
  Value value = readDelayed(loc, what, offsets);
  return what->isCondition ? cast(loc, value, builder.getI1Type()) : value;
}

const RecurrenceImporter::Delayed* RecurrenceImporter::findDelayed(const Expr* e) {
  std::unique_ptr<Delayed>& known = delayed[keyOf(e)];
  if (known)
    return known.get();
  known = std::make_unique<Delayed>();
  known->isCondition = e->elem == ElemKind::Bool;
  ElemKind stored = e->elem == ElemKind::Complex ? ElemKind::Complex : ElemKind::Real;
  if (auto* ref = dyn_cast<RefExpr>(e)) {
    known->name = ref->name.text.str();
    known->symbol = ref->symbol;
    known->labels = labelsOf[ref->symbol];
    known->type = arrayType(ref->symbol->axes, known->labels, stored);
  } else {
    known->name = (currentName + "." + Twine(++unnamedDelays[currentName])).str();
    known->expr = e;
    for (const IndexVar* var : e->labels)
      known->labels.push_back(var->name.text);
    known->type = arrayType(e->labels, known->labels, stored);
  }
  return known.get();
}

/// Equal for expressions of equal value: the text with names resolved.
std::string RecurrenceImporter::keyOf(const Expr* e, bool isWhole) {
  std::string key = std::to_string(e->kind);
  raw_string_ostream os(key);
  auto indices = [&](ArrayRef<IndexVar*> vars) {
    os << '[';
    for (const IndexVar* var : vars)
      os << var->name.text << ',';
    os << ']';
  };
  switch (e->kind) {
  case Expr::Number:
    os << ' ' << bit_cast<uint64_t>(llvm::cast<NumberExpr>(e)->value);
    break;
  case Expr::Ref: {
    auto* ref = llvm::cast<RefExpr>(e);
    os << ' ' << ref->symbol;
    // One register serves all ways to index an array: it holds the whole.
    if (!isWhole)
      indices(ref->indexVars);
    break;
  }
  case Expr::Call:
    os << llvm::cast<CallExpr>(e)->callee.text;
    break;
  case Expr::Binary:
    os << toString(llvm::cast<BinaryExpr>(e)->op);
    break;
  case Expr::Reduce:
    os << llvm::cast<ReduceExpr>(e)->isMax;
    indices(llvm::cast<ReduceExpr>(e)->indexVars);
    break;
  case Expr::Delay:
    for (int64_t offset : llvm::cast<DelayExpr>(e)->offsets)
      os << offset << ',';
    break;
  case Expr::Fold:
    os << llvm::cast<FoldExpr>(e)->symbol << llvm::cast<FoldExpr>(e)->step.text;
    indices(llvm::cast<FoldExpr>(e)->bodyIndices);
    break;
  case Expr::Negate:
    break;
  }
  os << '(';
  for (const Expr* operand : e->operands)
    os << keyOf(operand, false) << ' ';
  os << ')';
  return key;
}

/// The axis of the last step on the way to `offsets`, and its direction.
static std::pair<size_t, int64_t> lastStep(ArrayRef<int64_t> offsets) {
  size_t axis = offsets.size() - 1;
  while (offsets[axis] == 0)
    --axis;
  return {axis, offsets[axis] > 0 ? 1 : -1};
}

Value RecurrenceImporter::readDelayed(Location loc, const Delayed* what, const Offsets& offsets) {
  auto [axis, direction] = lastStep(offsets);
  Offsets by(offsets.size(), 0);
  by[axis] = direction;
  return readState(loc, declareRegister(loc, what, offsets), what->type, by);
}

Value RecurrenceImporter::readState(Location loc, StringRef state, mlir::Type type,
                                    const Offsets& by) {
  std::string key = state.str();
  for (int64_t offset : by)
    key += " " + std::to_string(offset);
  Value& known = stateReads[key];
  if (known)
    return known;
  mlir::OpBuilder::InsertionGuard guard(builder);
  hoist();
  return known = ssm::PrevOp::create(builder, loc, type, state, by);
}

/// The register that holds `what` so that its last step makes it `offsets`.
StringRef RecurrenceImporter::declareRegister(Location loc, const Delayed* what,
                                              const Offsets& offsets) {
  std::string name = what->name + "~";
  for (auto [axis, offset] : enumerate(offsets)) {
    if (offset == 0)
      continue;
    if (offsets.size() > 1)
      name += rec.timeAxes[axis].text;
    name += std::to_string(offset);
  }
  auto [entry, isNew] = registers.try_emplace(name, true);
  if (!isNew)
    return entry->first();

  mlir::OpBuilder::InsertionGuard guard(builder);
  if (lastState)
    builder.setInsertionPointAfter(lastState);
  else
    builder.setInsertionPointToStart(op.getBlock());
  lastState = ssm::StateOp::create(builder, loc, name, names(what->labels), what->type,
                                   /*hidden=*/true, /*init=*/Value());
  Offsets before = offsets;
  auto [axis, direction] = lastStep(offsets);
  before[axis] -= direction;
  pending.push_back({name, what, before, loc});
  return entry->first();
}

/// Defines what the statements made necessary, when all names have values.
void RecurrenceImporter::defineRegisters() {
  // A definition may itself read at other times, and so make more registers.
  while (!pending.empty()) {
    PendingUpdate update = pending.front();
    pending.pop_front();
    const Delayed* what = update.what;
    Value value;
    if (any_of(update.offsets, [](int64_t offset) { return offset != 0; }))
      value = readDelayed(update.loc, what, update.offsets);
    else
      value = what->symbol ? values.lookup(what->symbol) : importExpr(what->expr);
    ssm::UpdateOp::create(builder, update.loc, update.state, fit(update.loc, value, what->type));
  }
}

} // namespace ssmc::frontend
