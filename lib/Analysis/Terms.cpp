// Collects expanded terms into the decays, feedback pairs and inputs of the normal form.
#include "ssmc/Analysis/Terms.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"

#include <cmath>

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;

//===-- Collecting ---------------------------------------------------------------------------===//

namespace {

class Collector {
public:
  Collector(ExprContext& context, Semiring semiring, ArrayRef<StringRef> order, Row& row)
      : context(context), semiring(semiring), order(order), row(row) {}

  void addDecay(Source source, ArrayRef<Expr> factors);
  void addFeedback(Source source, const Term& term);
  void addInput(const Term& term);
  void mergeFeedbacks();
  void mergeInputs();

private:
  Expr times(ArrayRef<Expr> factors) {
    return semiring == Semiring::PlusTimes ? context.mul(factors) : context.add(factors);
  }
  Expr plus(ArrayRef<Expr> terms) {
    if (semiring == Semiring::PlusTimes)
      return addFactored(context, terms);
    return terms.size() == 1 ? terms.front()
                             : context.func("ssm.max", terms.front()->type.getElementType(), terms);
  }
  bool mergeOnce();
  void mergeDirections();

  ExprContext& context;
  Semiring semiring;
  ArrayRef<StringRef> order;
  Row& row;
};

void Collector::addDecay(Source source, ArrayRef<Expr> factors) {
  Expr coefficient = times(factors);
  for (Decay& decay : row.decays)
    if (decay.source == source) {
      decay.coefficients.push_back(coefficient);
      return;
    }
  row.decays.push_back({std::move(source), {coefficient}});
}

void Collector::addFeedback(Source source, const Term& term) {
  // A contracted label is named after the source's label that it runs over;
  // the source keeps that label.
  Feedback feedback;
  Renaming toSource;
  llvm::erase_if(source.renaming, [&](auto& pair) {
    if (!llvm::is_contained(term.sums, pair.second))
      return false;
    feedback.over.push_back(pair.first);
    toSource.push_back({pair.second, context.intern("~" + pair.first)});
    return true;
  });
  feedback.source = std::move(source);
  SmallVector<Expr> u, w;
  for (Expr factor : term.factors)
    for (Expr part : semiring == Semiring::PlusTimes ? factorsOf(factor) : termsOf(factor)) {
      bool contracted =
          llvm::any_of(term.sums, [&](StringRef label) { return part->type.has(label); });
      (contracted ? w : u).push_back(part);
    }
  // A label that the source lacks is summed within w: (A B) h is a transition by the product A B.
  SmallVector<StringRef> within;
  for (StringRef label : term.sums)
    if (llvm::none_of(toSource, [&](auto& pair) { return pair.first == label; }))
      within.push_back(label);
  Expr product = times(w);
  product = semiring == Semiring::PlusTimes ? context.sum(product, within)
                                            : context.maximum(product, within);
  feedback.u = times(u);
  feedback.w = context.substitute(product, toSource);
  row.feedbacks.push_back(std::move(feedback));
}

/// Pairs with one w become one with the sum of their u, and the other way about.
void Collector::mergeFeedbacks() {
  for (bool byW : {true, false})
    for (size_t i = 0; i < row.feedbacks.size(); ++i)
      for (size_t j = i + 1; j < row.feedbacks.size();) {
        Feedback &a = row.feedbacks[i], &b = row.feedbacks[j];
        bool alike = a.source == b.source && a.over == b.over && (byW ? a.w == b.w : a.u == b.u);
        if (!alike) {
          ++j;
          continue;
        }
        (byW ? a.u : a.w) = byW ? plus({a.u, b.u}) : plus({a.w, b.w});
        row.feedbacks.erase(row.feedbacks.begin() + j);
      }
  if (semiring == Semiring::PlusTimes)
    mergeDirections();
  llvm::sort(row.feedbacks, [](const Feedback& a, const Feedback& b) {
    return std::tie(a.w->key, a.u->key) < std::tie(b.w->key, b.u->key);
  });
}

/// Pairs whose u differ by factors that w can carry become one: c k (w . S) + d k (v . S) is k ((c
/// w + d v) . S), of rank 1 instead of 2. w carries a factor over whose labels it varies already;
/// others would make it an array of more labels, and dearer than a pair.
void Collector::mergeDirections() {
  struct Split {
    Expr direction, carried;
  };
  auto split = [&](const Feedback& feedback) {
    SmallVector<Expr> direction, carried;
    for (Expr factor : factorsOf(feedback.u)) {
      bool within = llvm::all_of(factor->type.getAxes(), [&](AxisAttr axis) {
        return feedback.w->type.has(axis.getName());
      });
      (within ? carried : direction).push_back(factor);
    }
    return Split{context.mul(direction), context.mul(carried)};
  };
  for (size_t i = 0; i < row.feedbacks.size(); ++i)
    for (size_t j = i + 1; j < row.feedbacks.size();) {
      Feedback &a = row.feedbacks[i], &b = row.feedbacks[j];
      Split ofA = split(a), ofB = split(b);
      if (!(a.source == b.source) || a.over != b.over || ofA.direction != ofB.direction ||
          a.w->type.getAxes() != b.w->type.getAxes()) {
        ++j;
        continue;
      }
      a.u = ofA.direction;
      a.w =
          addFactored(context, {context.mul({ofA.carried, a.w}), context.mul({ofB.carried, b.w})});
      row.feedbacks.erase(row.feedbacks.begin() + j);
    }
}

/// The products that a factor is a sum or a choice of, if each of them is of parts with fewer
/// labels: added up or chosen from as arrays they would be no outer products any more. Nothing if
/// there are none.
static SmallVector<Expr> productsOf(ExprContext& context, Expr factor) {
  SmallVector<Expr> products;
  if (factor->is(Node::Kind::Add)) {
    products = termsOf(factor);
  } else if (factor->isFunc("ssm.select")) {
    Expr condition = factor->operands[0];
    Expr masks[2] = {context.unless(context.negate(condition)), context.unless(condition)};
    for (int arm : {0, 1})
      for (Expr term : termsOf(factor->operands[1 + arm]))
        products.push_back(context.mul({masks[arm], term}));
  }
  constexpr size_t most = 8;
  bool apart = factor->type.getRank() > 1 && products.size() <= most &&
               llvm::all_of(products, [&](Expr product) {
                 return llvm::all_of(factorsOf(product), [&](Expr part) {
                   return part->type.getRank() < factor->type.getRank();
                 });
               });
  return apart ? products : SmallVector<Expr>();
}

/// Splits a product by the labels of its factors. Factors without labels go to the part whose label
/// comes last in the state's order, the free axis by custom.
void Collector::addInput(const Term& term) {
  if (semiring == Semiring::MaxPlus) {
    row.inputs.push_back({{context.add(term.factors)}});
    return;
  }
  SmallVector<Expr> flat;
  for (Expr factor : term.factors)
    llvm::append_range(flat, factorsOf(factor));
  for (Expr& factor : flat)
    if (SmallVector<Expr> products = productsOf(context, factor); !products.empty()) {
      for (Expr product : products) {
        factor = product;
        addInput({flat, nullptr, {}});
      }
      return;
    }
  auto labelsOf = [&](Expr expr) {
    SmallVector<unsigned> places;
    for (auto [place, label] : llvm::enumerate(order))
      if (expr->type.has(label))
        places.push_back(place);
    return places;
  };
  std::map<SmallVector<unsigned>, SmallVector<Expr>> parts;
  for (Expr factor : flat)
    parts[labelsOf(factor)].push_back(factor);
  if (auto it = parts.find({}); it != parts.end() && parts.size() > 1) {
    SmallVector<Expr> scalars = std::move(it->second);
    parts.erase(it);
    llvm::append_range(parts.rbegin()->second, scalars);
  }
  Input input;
  for (auto& [labels, factors] : parts)
    input.parts.push_back(context.mul(factors));
  row.inputs.push_back(std::move(input));
}

/// Two products that differ in one part become one.
bool Collector::mergeOnce() {
  for (size_t i = 0; i < row.inputs.size(); ++i)
    for (size_t j = i + 1; j < row.inputs.size(); ++j) {
      Input &a = row.inputs[i], &b = row.inputs[j];
      if (a.parts.size() != b.parts.size())
        continue;
      int differing = -1;
      unsigned count = 0;
      for (auto [place, pair] : llvm::enumerate(llvm::zip(a.parts, b.parts)))
        if (std::get<0>(pair) != std::get<1>(pair)) {
          differing = place;
          ++count;
        }
      if (count > 1)
        continue;
      if (count == 0)
        differing = 0;
      Expr merged = plus({a.parts[differing], b.parts[differing]});
      // Only where the sum has the labels of both: k (v + w), but not k v + m v as
      // (k + m) v over more labels.
      if (merged->type.getAxes() != a.parts[differing]->type.getAxes() ||
          merged->type.getAxes() != b.parts[differing]->type.getAxes())
        continue;
      a.parts[differing] = merged;
      row.inputs.erase(row.inputs.begin() + j);
      return true;
    }
  return false;
}

void Collector::mergeInputs() {
  while (mergeOnce()) {
  }
  // A mask without labels stands before all parts: what a selection does not choose may be
  // infinite.
  for (Input& input : row.inputs)
    for (size_t from = 0; from < input.parts.size(); ++from)
      for (Expr factor : factorsOf(input.parts[from]))
        if (factor->isFunc("unless") && factor->type.isScalar())
          for (Expr& part : input.parts)
            part = context.mul({part, factor});
  auto key = [](const Input& input) {
    std::string text;
    for (Expr part : input.parts)
      text += part->key + ";";
    return text;
  };
  llvm::sort(row.inputs, [&](const Input& a, const Input& b) { return key(a) < key(b); });
}

} // namespace

Row ssmc::analysis::collect(ExprContext& context, Semiring semiring, StringRef state,
                            ArrayRef<StringRef> order, ArrayRef<Term> terms,
                            function_ref<Source(Value)> describe) {
  Row row{state};
  Collector collector(context, semiring, order, row);
  for (const Term& term : terms) {
    if (!term.state) {
      collector.addInput(term);
      continue;
    }
    Source source = describe(term.state->leaf);
    source.renaming = term.state->renaming;
    if (term.sums.empty()) {
      collector.addDecay(std::move(source), term.factors);
      continue;
    }
    // Every label of the source is listed, so that contracted ones are found.
    source.renaming.clear();
    for (AxisAttr axis : cast<ArrayType>(term.state->leaf.getType()).getAxes())
      source.renaming.push_back({axis.getName(), nameBy(term.state->renaming, axis.getName())});
    collector.addFeedback(std::move(source), term);
    llvm::erase_if(row.feedbacks.back().source.renaming,
                   [](auto& pair) { return pair.first == pair.second; });
  }
  collector.mergeFeedbacks();
  collector.mergeInputs();
  llvm::sort(row.decays, [](const Decay& a, const Decay& b) {
    return std::tie(a.source.state, a.source.by) < std::tie(b.source.state, b.source.by);
  });
  return row;
}

//===-- Writing ------------------------------------------------------------------------------===//

namespace {

/// The parts of a decay's coefficient.
struct Coefficient {
  SmallVector<Expr> log, phase, factor, zero;
};

} // namespace

static Coefficient split(ExprContext& context, Expr coefficient) {
  Coefficient parts;
  Type real = Float32Type::get(context.getContext());
  for (Expr factor : factorsOf(coefficient)) {
    if (factor->isFunc("ssm.exp") && !factor->type.isReal()) {
      Expr exponent = factor->operands.front();
      parts.log.push_back(context.func("ssm.real", real, {exponent}));
      parts.phase.push_back(context.func("ssm.imag", real, {exponent}));
    } else if (factor->isFunc("ssm.cis")) {
      parts.phase.push_back(factor->operands.front());
    } else if (factor->isFunc("unless")) {
      parts.zero.push_back(factor->operands.front());
    } else if (Expr log = factor->is(Node::Kind::Constant) ? nullptr : context.logOf(factor)) {
      parts.log.push_back(log);
    } else {
      parts.factor.push_back(factor);
    }
  }
  return parts;
}

/// Any of several conditions.
static Expr anyOf(ExprContext& context, ArrayRef<Expr> conditions) {
  Expr any = conditions.front();
  for (Expr condition : conditions.drop_front())
    any = context.func("ssm.select", any->type.getElementType(), {any, any, condition});
  return any;
}

static std::pair<ArrayAttr, ArrayAttr> attributes(OpBuilder& builder, const Renaming& renaming) {
  SmallVector<Attribute> from, to;
  for (auto [old, renamed] : renaming) {
    from.push_back(builder.getStringAttr(old));
    to.push_back(builder.getStringAttr(renamed));
  }
  return {builder.getArrayAttr(from), builder.getArrayAttr(to)};
}

static void emitDecay(ExprContext& context, Semiring semiring, const Decay& decay, StringRef state,
                      OpBuilder& builder, ExprWriter& writer, Location location) {
  Value log, phase, factor, zero;
  if (semiring == Semiring::MaxPlus) {
    Expr offset =
        decay.coefficients.size() == 1
            ? decay.coefficients.front()
            : context.func("ssm.max", Float32Type::get(context.getContext()), decay.coefficients);
    // What is -inf by a condition and else added to nothing is a reset.
    SmallVector<Expr> plain, resets;
    for (Expr term : termsOf(offset)) {
      auto isChoice = [&](double onTrue, double onFalse) {
        return term->isFunc("ssm.select") && term->operands[1]->isConstant(onTrue) &&
               term->operands[2]->isConstant(onFalse);
      };
      if (isChoice(-INFINITY, 0))
        resets.push_back(term->operands[0]);
      else if (isChoice(0, -INFINITY))
        resets.push_back(context.negate(term->operands[0]));
      else
        plain.push_back(term);
    }
    if (!plain.empty())
      log = writer.write(context.add(plain));
    if (!resets.empty())
      zero = writer.write(anyOf(context, resets));
  } else {
    Coefficient parts = split(context, addFactored(context, decay.coefficients));
    if (!parts.log.empty())
      log = writer.write(context.add(parts.log));
    if (!parts.phase.empty())
      phase = writer.write(context.add(parts.phase));
    if (!parts.factor.empty())
      if (Expr rest = context.mul(parts.factor); !rest->isConstant(1))
        factor = writer.write(rest);
    if (!parts.zero.empty())
      zero = writer.write(anyOf(context, parts.zero));
  }
  auto [from, to] = attributes(builder, decay.source.renaming);
  DecayOp::create(builder, location, state, decay.source.state, decay.source.by, from, to, log,
                  phase, factor, zero);
}

static void emitFeedback(ExprContext& context, const Feedback& feedback, StringRef state,
                         OpBuilder& builder, ExprWriter& writer, Location location) {
  // A contracted label keeps the source's name unless w also bears the state's label of that name.
  Renaming renaming = feedback.source.renaming, ofW;
  SmallVector<Attribute> over;
  for (StringRef label : feedback.over) {
    StringRef name = label;
    for (char letter = 'l'; feedback.w->type.has(name) ||
                            llvm::any_of(renaming, [&](auto& pair) { return pair.second == name; });
         ++letter)
      name = context.intern(Twine(letter));
    if (name != label)
      renaming.push_back({label, name});
    ofW.push_back({context.intern("~" + label), name});
    over.push_back(builder.getStringAttr(name));
  }
  Value u = writer.write(feedback.u), w = writer.write(context.substitute(feedback.w, ofW));
  auto [from, to] = attributes(builder, renaming);
  FeedbackOp::create(builder, location, state, feedback.source.state, feedback.source.by, from, to,
                     builder.getArrayAttr(over), u, w);
}

void ssmc::analysis::emit(ExprContext& context, Semiring semiring, const Row& row,
                          OpBuilder& builder, ExprWriter& writer, Location location) {
  for (const Decay& decay : row.decays)
    emitDecay(context, semiring, decay, row.state, builder, writer, location);
  for (const Feedback& feedback : row.feedbacks)
    emitFeedback(context, feedback, row.state, builder, writer, location);
  for (const Input& input : row.inputs) {
    SmallVector<Value> factors;
    for (Expr part : input.parts)
      factors.push_back(writer.write(part));
    InputOp::create(builder, location, row.state, factors);
  }
}
