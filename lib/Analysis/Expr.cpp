// Construction of canonical labelled expressions.
#include "ssmc/Analysis/Expr.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

#include <cmath>

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;

/// Sums and products longer than this are not flattened into others, so that a declaration which
/// squares itself over and over stays as large as it was written.
static constexpr size_t longest = 64;

Renaming ssmc::analysis::renamingOf(ArrayAttr from, ArrayAttr to) {
  Renaming renaming;
  for (auto [old, renamed] : llvm::zip(strings(from), strings(to)))
    renaming.push_back({old, renamed});
  return renaming;
}

StringRef ssmc::analysis::nameBy(const Renaming& renaming, StringRef label) {
  for (auto [from, to] : renaming)
    if (from == label)
      return to;
  return label;
}

ExprContext::ExprContext(MLIRContext* context) : context(context) {}
ExprContext::~ExprContext() = default;

StringRef ExprContext::intern(const Twine& text) {
  return StringAttr::get(context, text).getValue();
}

/// Keys stay short: a long one is replaced by a digest, which is as good for telling nodes apart.
static std::string shorten(std::string key) {
  constexpr size_t longest = 240;
  if (key.size() <= longest)
    return key;
  return "#" + llvm::utohexstr(llvm::xxh3_64bits(key), true, 16) + ":" + std::to_string(key.size());
}

Expr ExprContext::unique(Node&& node) {
  node.key = shorten(std::move(node.key));
  auto [it, isNew] = nodes.try_emplace(node.key);
  if (isNew) {
    llvm::SmallSetVector<Value, 8> leaves;
    if (node.leaf)
      leaves.insert(node.leaf);
    for (Expr operand : node.operands)
      leaves.insert(operand->leaves.begin(), operand->leaves.end());
    node.leaves.assign(leaves.begin(), leaves.end());
    it->second = std::make_unique<Node>(std::move(node));
  }
  return it->second.get();
}

ArrayType ExprContext::unite(ArrayRef<Expr> operands, Type element) {
  ArrayType type = ArrayType::get(context, {}, element);
  for (Expr operand : operands)
    type = type.unionWith(operand->type);
  return type;
}

Type ExprContext::elementOf(ArrayRef<Expr> operands) {
  Type real = Float32Type::get(context);
  for (Expr operand : operands)
    if (operand->type.isComplex())
      return ComplexType::get(real);
  return real;
}

static std::string joinKeys(ArrayRef<Expr> operands) {
  std::string text;
  for (Expr operand : operands)
    text += (text.empty() ? "" : ",") + operand->key;
  return text;
}

static void sortByKey(SmallVectorImpl<Expr>& operands) {
  llvm::sort(operands, [](Expr a, Expr b) { return a->key < b->key; });
}

SmallVector<Expr> ssmc::analysis::factorsOf(Expr expr) {
  if (expr->is(Node::Kind::Mul))
    return llvm::to_vector(expr->operands);
  return {expr};
}

SmallVector<Expr> ssmc::analysis::termsOf(Expr expr) {
  if (expr->isConstant(0))
    return {};
  if (expr->is(Node::Kind::Add))
    return llvm::to_vector(expr->operands);
  return {expr};
}

Expr ExprContext::constant(double value) {
  Node node{Node::Kind::Constant, ArrayType::get(context, {}, Float32Type::get(context)), "",
            UnknownLoc::get(context)};
  node.value = value;
  uint64_t bits;
  static_assert(sizeof bits == sizeof value);
  memcpy(&bits, &value, sizeof bits);
  node.key = "(" + std::to_string(value) + "/" + llvm::utohexstr(bits) + ")";
  return unique(std::move(node));
}

Expr ExprContext::leaf(Value value, StringRef name, const Renaming& renaming) {
  auto type = cast<ArrayType>(value.getType());
  Node node{Node::Kind::Leaf, type, name.str(), value.getLoc()};
  node.leaf = value;
  SmallVector<AxisAttr> axes;
  node.key += "[";
  for (AxisAttr axis : type.getAxes()) {
    auto it = llvm::find_if(renaming, [&](auto& pair) { return pair.first == axis.getName(); });
    StringRef label = it == renaming.end() ? axis.getName() : it->second;
    if (label != axis.getName())
      node.renaming.push_back({axis.getName(), label});
    auto renamed = AxisAttr::get(context, StringAttr::get(context, label), axis.getExtent());
    if (!llvm::is_contained(axes, renamed))
      axes.push_back(renamed);
    node.key +=
        (axis.getName() == label ? label : (axis.getName() + "=" + label).str()).str() + " ";
  }
  node.key += "]";
  node.type = ArrayType::get(context, axes, type.getElementType());
  return unique(std::move(node));
}

std::pair<double, SmallVector<Expr>> ssmc::analysis::splitNumber(Expr expr) {
  SmallVector<Expr> factors = factorsOf(expr);
  double number = 1;
  llvm::erase_if(factors, [&](Expr factor) {
    if (!factor->is(Node::Kind::Constant))
      return false;
    number *= factor->value;
    return true;
  });
  return {number, factors};
}

Expr ExprContext::add(ArrayRef<Expr> terms) {
  // Like terms: the number in front is added up.
  double number = 0;
  LikeTerms like;
  SmallVector<Expr> work(terms.rbegin(), terms.rend());
  while (!work.empty()) {
    Expr term = work.pop_back_val();
    if (term->is(Node::Kind::Add) && term->operands.size() <= longest) {
      work.append(term->operands.rbegin(), term->operands.rend());
      continue;
    }
    if (term->is(Node::Kind::Constant)) {
      number += term->value;
      continue;
    }
    auto [coefficient, factors] = splitNumber(term);
    like[factors.size() == 1 ? factors.front() : mul(factors)] += coefficient;
  }
  like.remove_if([](auto& term) { return term.second == 0; });
  if (auto fewer = mergeTerms(like, number))
    return add(*fewer);
  if (auto fewer = mergeMasks(like, number))
    return add(*fewer);
  SmallVector<Expr> merged;
  for (auto [rest, coefficient] : like)
    merged.push_back(coefficient == 1 ? rest : mul({constant(coefficient), rest}));
  sortByKey(merged);
  if (number != 0 || merged.empty())
    merged.push_back(constant(number));
  if (merged.size() == 1)
    return merged.front();
  Node node{Node::Kind::Add, unite(merged, elementOf(merged)), "+(" + joinKeys(merged) + ")",
            merged.front()->location};
  node.operands = std::move(merged);
  return unique(std::move(node));
}

/// Whether exp(x) * exp(y) may become exp(x + y) without taking more exponentials.
static bool nested(Expr a, Expr b) {
  return a->type.isSubsetOf(b->type.withElementType(a->type.getElementType())) ||
         b->type.isSubsetOf(a->type.withElementType(b->type.getElementType()));
}

Expr ExprContext::mul(ArrayRef<Expr> factors) {
  double number = 1;
  SmallVector<Expr> flat, exponents;
  SmallVector<Expr> work(factors.rbegin(), factors.rend());
  while (!work.empty()) {
    Expr factor = work.pop_back_val();
    if (factor->is(Node::Kind::Mul) && factor->operands.size() <= longest)
      work.append(factor->operands.rbegin(), factor->operands.rend());
    else if (factor->is(Node::Kind::Constant))
      number *= factor->value;
    else if (factor->isFunc("ssm.exp") && factor->type.isReal())
      exponents.push_back(factor->operands.front());
    else
      flat.push_back(factor);
  }
  if (number == 0)
    return constant(0);
  if (applyMasks(flat, exponents)) {
    for (Expr exponent : exponents)
      flat.push_back(func("ssm.exp", exponent->type.getElementType(), {exponent}));
    flat.push_back(constant(number));
    return mul(flat);
  }
  if (Expr merged = mergeLogarithms(number, flat, exponents))
    return merged;
  sortByKey(exponents);
  SmallVector<Expr> merged;
  for (Expr exponent : exponents) {
    auto it = llvm::find_if(merged, [&](Expr other) { return nested(exponent, other); });
    if (it == merged.end())
      merged.push_back(exponent);
    else
      *it = add({*it, exponent});
  }
  for (Expr exponent : merged) {
    Expr exp = func("ssm.exp", exponent->type.getElementType(), {exponent});
    if (exp->is(Node::Kind::Constant))
      number *= exp->value;
    else
      flat.push_back(exp);
  }
  sortByKey(flat);
  // A number times a sum goes into the sum: -(a - b) is b - a.
  if (number != 1 && flat.size() == 1 && flat.front()->is(Node::Kind::Add)) {
    SmallVector<Expr> terms;
    for (Expr term : flat.front()->operands)
      terms.push_back(mul({constant(number), term}));
    return add(terms);
  }
  if (number != 1 || flat.empty())
    flat.insert(flat.begin(), constant(number));
  if (flat.size() == 1)
    return flat.front();
  Node node{Node::Kind::Mul, unite(flat, elementOf(flat)), "*(" + joinKeys(flat) + ")",
            flat.back()->location};
  node.operands = std::move(flat);
  return unique(std::move(node));
}

Expr ExprContext::recip(Expr operand) {
  if (operand->is(Node::Kind::Constant))
    return constant(1 / operand->value);
  if (operand->isFunc("recip"))
    return operand->operands.front();
  if (operand->isFunc("ssm.exp"))
    return func("ssm.exp", operand->type.getElementType(), {neg(operand->operands.front())});
  if (operand->is(Node::Kind::Mul)) {
    // What has a reciprocal of its own comes out of the product; one division is left.
    SmallVector<Expr> outside, inside;
    for (Expr factor : operand->operands) {
      Expr inverse = recip(factor);
      bool plain = inverse->isFunc("recip") && inverse->operands.front() == factor;
      (plain ? inside : outside).push_back(plain ? factor : inverse);
    }
    if (!outside.empty()) {
      if (!inside.empty())
        outside.push_back(recip(mul(inside)));
      return mul(outside);
    }
  }
  if (operand->isFunc("ssm.sqrt") || operand->isFunc("ssm.rsqrt"))
    return func(operand->isFunc("ssm.sqrt") ? "ssm.rsqrt" : "ssm.sqrt",
                operand->type.getElementType(), operand->operands);
  if (Expr inverse = recipOfSum(operand))
    return inverse;
  return func("recip", operand->type.getElementType(), {operand});
}

Expr ExprContext::func(StringRef name, Type element, ArrayRef<Expr> operands,
                       DictionaryAttr attributes, std::optional<Location> location) {
  // Rewriting may leave real what was complex: a zero, or one of a sum's parts.
  if (operands.front()->type.isReal()) {
    if (name == "ssm.real" || name == "ssm.conj")
      return operands.front();
    if (name == "ssm.imag")
      return constant(0);
  }
  if (name == "ssm.exp")
    element = operands.front()->type.getElementType();
  else if (name == "ssm.select" && isa<ComplexType>(element))
    element = elementOf(operands.drop_front());
  if (name == "ssm.select") {
    if (Expr simpler = simplifySelection(element, operands[0], operands[1], operands[2],
                                         location.value_or(operands[1]->location)))
      return simpler;
  } else if (Expr simpler = simplifyLogarithms(name, element, operands)) {
    return simpler;
  }
  SmallVector<Expr, 2> ordered(operands);
  if (name == "ssm.max" || name == "ssm.min") {
    SmallVector<Expr> flat;
    for (Expr operand : operands)
      if (operand->isFunc(name))
        llvm::append_range(flat, operand->operands);
      else
        flat.push_back(operand);
    sortByKey(flat);
    flat.erase(llvm::unique(flat), flat.end());
    if (flat.size() == 1)
      return flat.front();
    ordered.assign(flat.begin(), flat.end());
  }
  Node node{Node::Kind::Func, unite(ordered, element), "",
            location.value_or(ordered.front()->location)};
  node.function = name.str();
  node.attributes = attributes ? attributes : DictionaryAttr::get(context);
  node.key = name.str();
  if (!node.attributes.empty())
    llvm::raw_string_ostream(node.key) << node.attributes;
  if (name == "ssm.cast")
    llvm::raw_string_ostream(node.key) << element;
  node.key += "(" + joinKeys(ordered) + ")";
  node.operands = std::move(ordered);
  return unique(std::move(node));
}

//===-- Reductions ---------------------------------------------------------------------------===//

static std::string extentName(AxisAttr axis) {
  if (auto dim = dyn_cast<StringAttr>(axis.getExtent()))
    return dim.getValue().str();
  return std::to_string(axis.getSize());
}

Expr ExprContext::reduce(Node::Kind kind, Expr operand, ArrayRef<StringRef> labels) {
  // Canonical names of the bound labels: by extent, then by their order in the operand's key.
  SmallVector<AxisAttr> axes;
  for (StringRef label : labels)
    axes.push_back(operand->type.find(label));
  llvm::stable_sort(axes, [&](AxisAttr a, AxisAttr b) {
    std::string nameA = extentName(a), nameB = extentName(b);
    if (nameA != nameB)
      return nameA < nameB;
    return operand->key.find(a.getName()) < operand->key.find(b.getName());
  });
  Renaming renaming;
  SmallVector<StringRef, 2> bound;
  ArrayType rest = operand->type.without(labels);
  for (AxisAttr axis : axes) {
    bound.push_back(canonicalName(axis, rest, bound));
    renaming.push_back({axis.getName(), bound.back()});
  }
  return close(kind, substitute(operand, renaming), std::move(bound), rest, operand->location);
}

/// The name that a bound label over this extent bears beside the free labels of `rest`
/// and those bound before.
StringRef ExprContext::canonicalName(AxisAttr axis, ArrayType rest, ArrayRef<StringRef> bound) {
  std::string name = "~" + extentName(axis);
  while (rest.has(name) || llvm::is_contained(bound, name))
    name += "'";
  return intern(name);
}

Expr ExprContext::close(Node::Kind kind, Expr body, SmallVector<StringRef, 2> bound, ArrayType rest,
                        Location location) {
  Node node{kind, rest, kind == Node::Kind::Sum ? "sum[" : "maximum[", location};
  node.key += llvm::join(bound, " ") + "](" + body->key + ")";
  node.bound = std::move(bound);
  node.operands = {body};
  return unique(std::move(node));
}

Expr ExprContext::sum(Expr operand, ArrayRef<StringRef> labels) {
  if (labels.empty() || operand->isConstant(0))
    return operand;
  // What does not bear a label stays outside: sum_i x y_i = x sum_i y_i.
  SmallVector<Expr> outside, inside;
  for (Expr factor : factorsOf(operand)) {
    bool bears = llvm::any_of(labels, [&](StringRef label) { return factor->type.has(label); });
    (bears ? inside : outside).push_back(factor);
  }
  Expr body = mul(inside);
  // A label that is summed over, yet constant along it: the caller keeps it bound.
  for (StringRef label : labels)
    if (!body->type.has(label))
      return reduce(Node::Kind::Sum, operand, labels);
  // Sums inside sums are one sum.
  if (body->is(Node::Kind::Sum)) {
    SmallVector<StringRef> all(labels);
    Expr opened = open(body, all);
    body = reduce(Node::Kind::Sum, opened, all);
  } else {
    body = reduce(Node::Kind::Sum, body, labels);
  }
  outside.push_back(body);
  return mul(outside);
}

Expr ExprContext::maximum(Expr operand, ArrayRef<StringRef> labels) {
  return labels.empty() ? operand : reduce(Node::Kind::Maximum, operand, labels);
}

Expr ExprContext::open(Expr reduction, SmallVectorImpl<StringRef>& fresh) {
  Renaming renaming;
  for (StringRef label : reduction->bound) {
    fresh.push_back(intern("~#" + Twine(++freshLabels)));
    renaming.push_back({label, fresh.back()});
  }
  return substitute(reduction->operands.front(), renaming);
}

Expr ExprContext::substitute(Expr expr, const Renaming& renaming) {
  llvm::DenseMap<Expr, Expr> done;
  return substitute(expr, renaming, done);
}

Expr ExprContext::substitute(Expr expr, const Renaming& renaming,
                             llvm::DenseMap<Expr, Expr>& done) {
  if (Expr known = done.lookup(expr))
    return known;
  Expr result = substituteNew(expr, renaming, done);
  done[expr] = result;
  return result;
}

Expr ExprContext::substituteNew(Expr expr, const Renaming& renaming,
                                llvm::DenseMap<Expr, Expr>& done) {
  if (llvm::none_of(renaming, [&](auto& pair) { return expr->type.has(pair.first); }))
    return expr;
  SmallVector<Expr> operands;
  switch (expr->kind) {
  case Node::Kind::Constant:
    return expr;
  case Node::Kind::Leaf: {
    Renaming combined;
    for (AxisAttr axis : cast<ArrayType>(expr->leaf.getType()).getAxes()) {
      StringRef label = axis.getName();
      for (auto [from, to] : expr->renaming)
        if (from == axis.getName())
          label = to;
      for (auto [from, to] : renaming)
        if (from == label) {
          label = to;
          break;
        }
      combined.push_back({axis.getName(), label});
    }
    // The name is the key up to the labels.
    return leaf(expr->leaf, StringRef(expr->key).take_until([](char c) { return c == '['; }),
                combined);
  }
  case Node::Kind::Sum:
  case Node::Kind::Maximum: {
    // The bound labels take the names that are canonical beside the new free ones;
    // the body is walked once.
    Renaming combined;
    SmallVector<AxisAttr> axes;
    for (AxisAttr axis : expr->type.getAxes()) {
      StringRef label = axis.getName();
      for (auto [from, to] : renaming)
        if (from == axis.getName()) {
          label = to;
          combined.push_back({from, to});
          break;
        }
      auto renamed = AxisAttr::get(context, StringAttr::get(context, label), axis.getExtent());
      if (!llvm::is_contained(axes, renamed))
        axes.push_back(renamed);
    }
    ArrayType rest = ArrayType::get(context, axes, expr->type.getElementType());
    SmallVector<StringRef, 2> bound;
    for (StringRef label : expr->bound) {
      bound.push_back(canonicalName(expr->operands.front()->type.find(label), rest, bound));
      combined.push_back({label, bound.back()});
    }
    return close(expr->kind, substitute(expr->operands.front(), combined), std::move(bound), rest,
                 expr->location);
  }
  default:
    for (Expr operand : expr->operands)
      operands.push_back(substitute(operand, renaming, done));
    if (expr->is(Node::Kind::Add))
      return add(operands);
    if (expr->is(Node::Kind::Mul))
      return mul(operands);
    return func(expr->function, expr->type.getElementType(), operands, expr->attributes,
                expr->location);
  }
}

bool ExprContext::contains(Expr expr, function_ref<bool(Value)> predicate) {
  return llvm::any_of(expr->leaves, predicate);
}
