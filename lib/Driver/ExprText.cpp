#include "ExprText.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using mlir::Value;

ExprText::ExprText(ssm::RecurrenceOp declared, ssm::RecurrenceOp normal) : normal(normal) {
  llvm::StringSet<> taken;
  auto match = [&](mlir::ArrayAttr theirs, mlir::ArrayAttr ours) {
    for (auto [author, label] : zip(ssm::strings(theirs), ssm::strings(ours)))
      if (!indices.contains(label) && !taken.contains(author)) {
        indices[label] = author.str();
        taken.insert(author);
      }
  };
  // States come first: their names of indices are those that a reader has in mind.
  for (ssm::StateOp state : declared.getBlock()->getOps<ssm::StateOp>())
    if (ssm::StateOp ours = normal.getState(state.getName()))
      match(state.getOrder(), ours.getOrder());
  for (ssm::InOp in : declared.getBlock()->getOps<ssm::InOp>())
    for (ssm::InOp ours : normal.getBlock()->getOps<ssm::InOp>())
      if (ours.getName() == in.getName())
        match(in.getOrder(), ours.getOrder());
  for (ssm::UpdateOp update : normal.getBlock()->getOps<ssm::UpdateOp>())
    steps[update.getValue()] = update.getState();
}

std::string ExprText::label(StringRef label) const {
  auto it = indices.find(label);
  return it != indices.end() ? it->second : label.lower();
}

std::string ExprText::labels(ArrayRef<StringRef> list) const {
  return join(map_range(list, [&](StringRef one) { return label(one); }), ",");
}

std::string ExprText::name(StringRef name, ArrayRef<StringRef> list) const {
  return list.empty() ? name.str() : name.str() + "[" + labels(list) + "]";
}

std::string ExprText::delayed(StringRef text, ArrayRef<int64_t> by) const {
  if (all_of(by, [](int64_t steps) { return steps == 0; }))
    return text.str();
  bool later = all_of(by, [](int64_t steps) { return steps <= 0; });
  std::string steps;
  for (auto [axis, count] : enumerate(by)) {
    if (count == 0)
      continue;
    int64_t size = later ? -count : count;
    if (by.size() > 1)
      steps += ", " + ssm::strings(normal.getTime())[axis].str() +
               (size == 1 ? "" : fmt::format(":{}", size));
    else if (size != 1)
      steps += fmt::format(", {}", size);
  }
  return (later ? "next(" : "prev(") + text.str() + steps + ")";
}

std::string ExprText::state(StringRef name, ArrayRef<int64_t> by,
                            function_ref<std::string(StringRef)> rename) const {
  ssm::StateOp declaration = normal.getState(name);
  SmallVector<std::string> text;
  for (StringRef one : ssm::strings(declaration.getOrder()))
    text.push_back(rename(one));
  std::string indexed = text.empty() ? "" : "[" + join(text, ",") + "]";
  SmallVector<int64_t> steps(by);
  int64_t number;
  auto [base, tail] = name.rsplit('~');
  if (declaration.getHidden() && steps.size() == 1 && !tail.getAsInteger(10, number)) {
    // Register n of a delay holds its value n - 1 steps ago, once it is updated.
    steps[0] += steps[0] < 0 ? 1 - number : number - 1;
    return delayed(base.str() + indexed, steps);
  }
  return delayed(name.str() + indexed, steps);
}

/// Numbers as one would write them.
static std::string number(double value) {
  if (std::isinf(value))
    return value > 0 ? "inf" : "-inf";
  return fmt::format("{:.6g}", value);
}

std::string ExprText::reduction(mlir::Operation* op, StringRef word,
                                const Renaming& renaming) const {
  llvm::StringSet<> used;
  for (auto& entry : renaming)
    used.insert(entry.second);
  Renaming inner = renaming;
  SmallVector<std::string> bound;
  for (StringRef one : ssm::strings(op->getAttrOfType<mlir::ArrayAttr>("over"))) {
    std::string text = label(one);
    for (char letter = 'l'; used.contains(text); ++letter)
      text = std::string(1, letter);
    used.insert(text);
    inner[one] = text;
    bound.push_back(text);
  }
  return word.str() + "[" + join(bound, ",") + "](" + print(op->getOperand(0), inner, Compare) +
         ")";
}

std::string ExprText::print(Value value, const Renaming& renaming, Level level, bool expand) const {
  mlir::Operation* op = value.getDefiningOp();
  auto renamed = [&](StringRef one) -> std::string {
    auto it = renaming.find(one);
    return it != renaming.end() ? it->second : label(one);
  };
  auto indexed = [&](StringRef text, mlir::ArrayAttr order) {
    std::string list = join(map_range(ssm::strings(order), renamed), ",");
    return list.empty() ? text.str() : text.str() + "[" + list + "]";
  };
  auto wrap = [&](std::string text, Level own) { return own < level ? "(" + text + ")" : text; };
  auto stateText = [&](StringRef state, ArrayRef<int64_t> by) {
    return this->state(state, by, renamed);
  };
  auto binary = [&](StringRef sign, Level own, Level right) {
    return wrap(print(op->getOperand(0), renaming, own) + sign.str() +
                    print(op->getOperand(1), renaming, right),
                own);
  };
  auto call = [&](StringRef word) {
    std::string text = word.str() + "(";
    for (auto [index, operand] : enumerate(op->getOperands()))
      text += (index ? ", " : "") + print(operand, renaming, Compare);
    return text + ")";
  };
  if (!op)
    return "M"; // what a fold carries
  if (auto step = steps.find(value); step != steps.end() && !expand)
    return stateText(step->second, SmallVector<int64_t>(normal.getNumTimeAxes(), 0));
  return TypeSwitch<mlir::Operation*, std::string>(op)
      .Case([&](ssm::InOp in) { return indexed(in.getName(), in.getOrder()); })
      .Case([&](ssm::ConstantOp constant) {
        double real = constant.getValue().convertToDouble();
        return wrap(number(real), real < 0 ? Sign : Atom);
      })
      .Case([&](ssm::PositionOp position) { return renamed(position.getAxis().getName()); })
      .Case([&](ssm::PrevOp prev) { return stateText(prev.getState(), prev.getBy()); })
      .Case([&](ssm::SystemOp system) {
        StringRef name =
            ssm::strings(system.getStates())[cast<mlir::OpResult>(value).getResultNumber()];
        return stateText(name, SmallVector<int64_t>(normal.getNumTimeAxes(), 0));
      })
      .Case([&](ssm::RelabelOp relabel) {
        Renaming inner = renaming;
        for (auto [from, to] : zip(ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo())))
          inner[from] = renamed(to);
        return print(relabel.getOperand(), inner, level);
      })
      .Case<ssm::BroadcastOp, ssm::CastOp, ssm::AtOp>(
          [&](auto other) { return print(other->getOperand(0), renaming, level); })
      .Case([&](ssm::AddOp) { return binary(" + ", Sum, Sum); })
      .Case([&](ssm::SubOp) { return binary(" - ", Sum, Product); })
      .Case([&](ssm::MulOp) { return binary(" * ", Product, Product); })
      .Case([&](ssm::DivOp) { return binary(" / ", Product, Sign); })
      .Case([&](ssm::NegOp neg) {
        return wrap("-" + print(neg.getOperand(), renaming, Product), Sum);
      })
      .Case([&](ssm::SumOp sum) { return reduction(sum, "sum", renaming); })
      .Case([&](ssm::MaximumOp maximum) { return reduction(maximum, "maximum", renaming); })
      .Case([&](ssm::CmpOp cmp) {
        static constexpr const char* signs[] = {" < ", " <= ", " > ", " >= ", " == ", " != "};
        return binary(signs[unsigned(cmp.getPredicate())], Compare, Sum);
      })
      .Case([&](ssm::FoldOp fold) {
        return "fold[" + renamed(fold.getAxis().getName()) + "](" +
               (fold.getInits().empty()
                    ? std::string()
                    : "M = " + print(fold.getInits().front(), renaming, Compare)) +
               ") …";
      })
      .Default([&](mlir::Operation* other) { return call(other->getName().stripDialect()); });
}

std::string ExprText::print(Value value) const {
  return print(value, {}, Compare);
}

std::string ExprText::printFactor(Value value, bool tight) const {
  return print(value, {}, tight ? Sign : Product);
}

std::string ExprText::printStep(Value value) const {
  return print(value, {}, Compare, /*expand=*/true);
}
