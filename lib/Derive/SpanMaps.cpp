// Composition and application of summaries, as recurrences whose steps are summaries:
//
//   compose    (P, Q) <- (P' P, P' Q + Q')        from (1, 0)
//   apply       S     <-  P' S + Q'
//
// for the summary (P', Q') of each step, whose arrays are called `s:S<S` and `s:S`. In the semiring
// max_plus products are sums and sums maxima. Of several states P' is a matrix of matrices: (P'
// P)[a<c] is the sum over b of P'[a<b] P[b<c], over the columns of the first.
#include "SpanMaps.h"
#include "LinearPart.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::derive;

std::string derive::transitionName(StringRef to, StringRef from) {
  return (to + "<" + from).str();
}

std::vector<std::string> derive::freshLabels(RecurrenceOp form,
                                             const std::vector<std::string>& labels) {
  llvm::StringSet<> taken;
  auto take = [&](Type type) {
    if (auto array = dyn_cast<ArrayType>(type))
      for (AxisAttr axis : array.getAxes())
        taken.insert(axis.getName());
  };
  form.walk([&](Operation* op) {
    llvm::for_each(op->getResultTypes(), take);
    if (auto state = dyn_cast<StateOp>(op))
      take(state.getType());
    if (auto axis = op->getAttrOfType<AxisAttr>("axis"))
      taken.insert(axis.getName());
    for (StringRef name : {"rows", "columns"}) // of a matrix over steps, or of several labels
      if (auto label = op->getAttrOfType<StringAttr>(name))
        taken.insert(label.getValue());
      else if (auto list = op->getAttrOfType<ArrayAttr>(name))
        for (StringRef label : strings(list))
          taken.insert(label);
  });
  for (StringRef time : strings(form.getTime()))
    taken.insert(time);
  std::vector<std::string> fresh;
  for (const std::string& label : labels) {
    std::string name = label;
    do
      name += "0";
    while (!taken.insert(name).second);
    fresh.push_back(name);
  }
  return fresh;
}

//===-- Types --------------------------------------------------------------------------------===//

static AxisAttr named(AxisAttr axis, StringRef name) {
  return AxisAttr::get(axis.getContext(), StringAttr::get(axis.getContext(), name),
                       axis.getExtent());
}

void SpanTypes::add(SpanLevel& level, StateOp to, StateOp from) {
  std::string name = transitionName(to.getName(), from.getName());
  level.transitions.push_back({name, to.getName().str(), from.getName().str()});
  auto toType = cast<ArrayType>(to.getType()), fromType = cast<ArrayType>(from.getType());
  auto type = ArrayType::get(to.getContext(), {},
                             (fromType.isComplex() ? fromType : toType).getElementType());
  for (auto [label, column] : llvm::zip(level.mixed, level.columns)) {
    if (AxisAttr axis = toType.find(label))
      type = type.withAxis(axis);
    if (AxisAttr axis = fromType.find(label))
      type = type.withAxis(named(axis, column));
  }
  types[name] = type;
}

bool SpanTypes::widen(StringRef name, ArrayType type) {
  ArrayType& known = types[name];
  ArrayType both = known;
  for (AxisAttr axis : type.getAxes())
    if (!both.has(axis.getName()))
      both = both.withAxis(axis);
  if (type.isComplex())
    both = both.withElementType(type.getElementType());
  return std::exchange(known, both) == both;
}

void SpanTypes::close(const SpanLevel& level) {
  SmallVector<StringRef> rows(level.mixed.begin(), level.mixed.end()),
      columns(level.columns.begin(), level.columns.end());
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& second : level.transitions)
      for (auto& first : level.transitions)
        if (second.from == first.to) {
          std::string name = transitionName(second.to, first.from);
          changed |= !widen(name, types[second.name].without(columns));
          changed |= !widen(name, types[first.name].without(rows));
        }
  }
}

/// The labels of a transition in memory: as in the state that it makes, others, then columns.
static ArrayAttr orderOf(OpBuilder& b, ArrayType type, StateOp to, const SpanLevel& level) {
  SmallVector<StringRef> labels;
  auto add = [&](StringRef label) {
    if (type.has(label) && !llvm::is_contained(labels, label))
      labels.push_back(label);
  };
  llvm::for_each(strings(to.getOrder()), add);
  for (AxisAttr axis : type.getAxes())
    if (!llvm::is_contained(level.columns, axis.getName()))
      add(axis.getName());
  llvm::for_each(level.columns, add);
  return b.getStrArrayAttr(labels);
}

/// 1 where rows are columns, else 0, with the labels of `type`; 0 and -inf in max_plus.
static Value identity(OpBuilder& b, Location loc, ArrayType type, const SpanLevel& level) {
  bool maxPlus = level.semiring == Semiring::MaxPlus;
  Value one = ConstantOp::create(b, loc, maxPlus ? 0.0 : 1.0), nothing;
  for (auto [label, column] : llvm::zip(level.mixed, level.columns)) {
    AxisAttr axis = type.find(column);
    if (!axis)
      continue;
    if (!nothing)
      nothing = ConstantOp::create(b, loc, maxPlus ? -INFINITY : 0.0);
    Value row = PositionOp::create(b, loc, named(axis, label)),
          other = PositionOp::create(b, loc, axis);
    one =
        SelectOp::create(b, loc, CmpOp::create(b, loc, CmpPredicate::eq, row, other), one, nothing);
  }
  return LinearPart::fit(b, one, type);
}

static void declareTransition(OpBuilder& b, Location loc, const SpanLevel& level,
                              const SpanLevel::Transition& transition, ArrayType type,
                              ArrayAttr order) {
  Value init;
  if (transition.to == transition.from)
    init = identity(b, loc, type, level);
  else if (level.semiring == Semiring::MaxPlus)
    init = ConstantOp::create(b, loc, -INFINITY);
  StateOp::create(b, loc, transition.name, order, type, /*hidden=*/false, init);
}

void SpanTypes::declare(OpBuilder& b, const SpanLevel& level, RecurrenceOp form) const {
  for (auto& transition : level.transitions) {
    ArrayType type = types.lookup(transition.name);
    StateOp to = form.getState(transition.to);
    declareTransition(b, to.getLoc(), level, transition, type, orderOf(b, type, to, level));
  }
}

//===-- Composition and application ----------------------------------------------------------===//

namespace {

/// A recurrence over summaries.
class SummarySteps {
public:
  SummarySteps(OpBuilder& builder, RecurrenceOp form, const SpanLevel& level, StringRef name,
               StringRef kind)
      : form(form), level(level),
        made(RecurrenceOp::create(builder, form.getLoc(), name, form.getTime(), form.getDims(),
                                  builder.getStringAttr(kind))),
        outer(OpBuilder::atBlockEnd(&made.getBody().emplaceBlock())), b(form.getContext()),
        inner(freshLabels(level.summary, level.mixed)) {
    for (const std::string& state : level.states)
      read(state);
    for (auto& transition : level.transitions)
      read(transition.name);
  }
  /// Declares what is carried; with `start` from the zero of the semiring, else from what is given.
  void declare(StringRef name, bool start);
  void begin() {
    auto pass = PassOp::create(outer, form.getLoc(), DenseI64ArrayAttr());
    b.setInsertionPointToEnd(&pass.getBody().emplaceBlock());
  }
  Value prev(StringRef name) {
    return PrevOp::create(b, form.getLoc(), typeOf(name), name, ArrayRef<int64_t>{1});
  }
  /// The given transition times a value from before.
  Value times(StringRef transition, Value before);
  Value plus(Value x, Value y) {
    if (!x)
      return y;
    return isMaxPlus() ? Value(MaxOp::create(b, form.getLoc(), x, y))
                       : Value(AddOp::create(b, form.getLoc(), x, y));
  }
  void update(StringRef name, Value value, bool out);
  /// What the given summary makes of the states from before.
  void updateStates(bool out);

  Value given(StringRef name) { return operands.lookup(name); }
  RecurrenceOp get() const { return made; }

private:
  bool isMaxPlus() const { return level.semiring == Semiring::MaxPlus; }
  StateOp stateOf(StringRef name) { return RecurrenceOp(level.summary).getState(name); }
  ArrayType typeOf(StringRef name) { return cast<ArrayType>(stateOf(name).getType()); }
  void read(StringRef name);

  RecurrenceOp form;
  const SpanLevel& level;
  RecurrenceOp made;
  OpBuilder outer, b;
  std::vector<std::string>
      inner; ///< what columns of the later map and rows of the earlier one are called
  llvm::StringMap<Value> operands;
};

} // namespace

void SummarySteps::read(StringRef name) {
  auto in = InOp::create(outer, form.getLoc(), typeOf(name), ("s:" + name).str(),
                         stateOf(name).getOrder(),
                         /*param=*/false, Scope::Head);
  in->setAttr("temp", outer.getUnitAttr());
  operands[name] = in;
}

void SummarySteps::declare(StringRef name, bool start) {
  StateOp state = stateOf(name);
  Value init;
  if (start && isMaxPlus())
    init = ConstantOp::create(outer, form.getLoc(), -INFINITY);
  StateOp::create(outer, form.getLoc(), name, state.getOrder(), state.getType(), /*hidden=*/false,
                  init);
}

Value SummarySteps::times(StringRef transition, Value before) {
  Location loc = form.getLoc();
  Value map = given(transition);
  SmallVector<StringRef> rows, columns, names;
  for (auto [row, column, name] : llvm::zip(level.mixed, level.columns, inner))
    if (typeOf(transition).has(column)) {
      rows.push_back(row);
      columns.push_back(column);
      names.push_back(name);
    }
  ArrayAttr over = b.getStrArrayAttr(names);
  if (!names.empty()) {
    map = RelabelOp::create(b, loc, map, b.getStrArrayAttr(columns), over);
    before = RelabelOp::create(b, loc, before, b.getStrArrayAttr(rows), over);
  }
  Value product = isMaxPlus() ? Value(AddOp::create(b, loc, map, before))
                              : Value(MulOp::create(b, loc, map, before));
  if (names.empty())
    return product;
  return isMaxPlus() ? Value(MaximumOp::create(b, loc, product, over))
                     : Value(SumOp::create(b, loc, product, over));
}

void SummarySteps::update(StringRef name, Value value, bool out) {
  value = LinearPart::fit(b, value, typeOf(name));
  UpdateOp::create(b, form.getLoc(), name, value);
  if (out)
    OutOp::create(b, form.getLoc(), (name + "+").str(), stateOf(name).getOrder(), /*temp=*/true,
                  value);
}

void SummarySteps::updateStates(bool out) {
  for (const std::string& state : level.states) {
    Value sum = given(state);
    for (auto& later : level.transitions)
      if (later.to == state)
        sum = plus(sum, times(later.name, prev(later.from)));
    update(state, sum, out);
  }
}

RecurrenceOp derive::makeCompose(OpBuilder& builder, RecurrenceOp form, const SpanLevel& level,
                                 StringRef name) {
  SummarySteps steps(builder, form, level, name, "compose");
  OpBuilder outer = OpBuilder::atBlockEnd(steps.get().getBlock());
  for (const std::string& state : level.states)
    steps.declare(state, /*start=*/true);
  for (auto& transition : level.transitions) {
    StateOp state = RecurrenceOp(level.summary).getState(transition.name);
    declareTransition(outer, form.getLoc(), level, transition, cast<ArrayType>(state.getType()),
                      state.getOrder());
  }
  steps.begin();
  for (auto& whole : level.transitions) {
    Value sum;
    for (auto& later : level.transitions)
      for (auto& earlier : level.transitions)
        if (later.to == whole.to && later.from == earlier.to && earlier.from == whole.from)
          sum = steps.plus(sum, steps.times(later.name, steps.prev(earlier.name)));
    steps.update(whole.name, sum, /*out=*/false);
  }
  steps.updateStates(/*out=*/false);
  return steps.get();
}

RecurrenceOp derive::makeApply(OpBuilder& builder, RecurrenceOp form, const SpanLevel& level,
                               StringRef name) {
  SummarySteps steps(builder, form, level, name, "apply");
  for (const std::string& state : level.states)
    steps.declare(state, /*start=*/false);
  steps.begin();
  steps.updateStates(/*out=*/true);
  return steps.get();
}
