// The products of eliminated states, written over the rows: reads, the feedback of all rows at
// once, and the states after the chunk. What they mean stands in Eliminate.cpp.
#include "ChunkedForm.h"
#include "dialects/SSM/SSMRenaming.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::analysis;
using namespace ssmc::derive;

Value ChunkedForm::mul(Value x, Value y) {
  return MulOp::create(b, x.getLoc(), x, y);
}
Value ChunkedForm::add(Value x, Value y) {
  return x ? Value(AddOp::create(b, x.getLoc(), x, y)) : y;
}

Value ChunkedForm::sumOver(Value value, ArrayRef<StringRef> labels) {
  SmallVector<Attribute> over;
  for (StringRef label : labels)
    if (cast<ArrayType>(value.getType()).has(label))
      over.push_back(b.getStringAttr(label));
  return over.empty() ? value
                      : Value(SumOp::create(b, value.getLoc(), value, b.getArrayAttr(over)));
}

/// The value at the rows s of the columns.
Value ChunkedForm::asColumns(const Rows& rows, Value value) {
  return RelabelOp::create(b, value.getLoc(), value, b.getArrayAttr(rows.axis.getLabel()),
                           b.getArrayAttr(rows.columns));
}

/// With all labels over which it is to be summed.
static Value withLabels(OpBuilder& b, Value value, ArrayType of, ArrayRef<StringRef> labels) {
  auto type = cast<ArrayType>(value.getType());
  for (StringRef label : labels)
    if (!type.has(label))
      type = type.withAxis(of.find(label));
  return type == value.getType() ? value
                                 : Value(BroadcastOp::create(b, value.getLoc(), type, value));
}

Value ChunkedForm::gram(Eliminated& state, unsigned of, Value query, const Product& product,
                        bool strict) {
  if (state.isCoupled())
    return coupledGram(state, of, query, product, strict);
  auto key = std::make_tuple((void*)&state, query.getAsOpaquePointer(),
                             product.keys.getAsOpaquePointer(), strict);
  Value& known = knownGrams[key];
  if (!known) {
    SmallVector<Attribute> over;
    for (StringRef label : state.key)
      over.push_back(b.getStringAttr(label));
    const Rows& rows = state.rows;
    Value decay =
        state.decays ? state.decays : asRows(rows, ConstantOp::create(b, query.getLoc(), 1.0));
    known =
        GramOp::create(b, query.getLoc(), query, product.keys, decay, b.getArrayAttr(over),
                       rows.axis.getLabel(), rows.columns, strict ? b.getUnitAttr() : UnitAttr());
  }
  return known;
}

/// Of a product that is read where a label of its value agrees with one of its key, both are keys:
/// sum over i of q[i] key[i] value[i].
Product ChunkedForm::alongDiagonal(const Product& product, ArrayRef<StringRef> labels,
                                   ArrayRef<StringRef> keys) {
  Product result = product;
  result.keys = sumOver(mul(product.keys, renamed(b, product.values, labels, keys)), product.ranks);
  result.values = Value();
  return result;
}

Value ChunkedForm::read(Eliminated& state, unsigned of, Expr query, bool before, bool atRows,
                        const Renaming& diagonal) {
  ArrayType type = state.getType();
  const Rows& rows = state.rows;
  SmallVector<Expr> vectors, scalars;
  for (Expr factor : factorsOf(query))
    (bearsAny(factor->type, state.key) ? vectors : scalars).push_back(factor);
  SmallVector<StringRef> labels, keys;
  for (auto [label, keyLabel] : diagonal) {
    labels.push_back(label);
    keys.push_back(keyLabel);
  }
  Expr whole = context.mul(vectors);
  Value vector =
      atRows ? writeFeedbackKey(state, whole) : withLabels(b, writeSteps(whole), type, state.key);
  Value result;
  for (auto [from, start] : llvm::enumerate(state.starts)) {
    Value decay = before ? state.before : state.upTo;
    if (state.isCoupled()) {
      decay =
          (before ? state.coupling.before : state.coupling.upTo)[of * state.states.size() + from];
      if (!decay)
        continue;
    }
    if (decay && !atRows)
      decay = atSteps(rows, decay, before);
    result = add(result,
                 sumOver(mul(decay ? mul(vector, decay) : vector, renamed(b, start, labels, keys)),
                         state.key));
  }
  Value atAll = atRows ? vector : asRows(rows, vector);
  for (Product& product : state.products) {
    if (!product.values)
      continue;
    const Product& met = labels.empty() ? product : alongDiagonal(product, labels, keys);
    SmallVector<StringRef> over(product.ranks);
    over.push_back(rows.columns.getValue());
    Value matrix = gram(state, of, atAll, met, before);
    if (!matrix)
      continue;
    if (!atRows)
      matrix = atSteps(rows, matrix, before);
    if (met.values)
      matrix = mul(matrix, asColumns(rows, met.values));
    result = add(result, sumOver(matrix, over));
  }
  if (scalars.empty())
    return result;
  Expr scalar = context.mul(scalars);
  return mul(atRows ? writeRows(rows, scalar) : write(scalar), result);
}

Value ChunkedForm::writeFeedbackKey(Eliminated& state, Expr key) {
  Value vector = writeRows(state.rows, key);
  if (state.firsts)
    vector = mul(vector, state.firsts);
  return withLabels(b, vector, state.getType(), state.key);
}

/// Of a feedback with ranks what its system has: rows of steps and ranks in place of steps, and
/// columns, if asked for.
Value ChunkedForm::withRanks(const Rows& rows, Value value, const FeedbackRead& read,
                             bool asMatrix) {
  if (!read.rank)
    return value;
  int64_t extent = options.steps * sizeOf(read.rank);
  auto flatten = [&](StringAttr outer, StringRef inner, StringRef name) {
    auto axis = AxisAttr::get(b.getContext(), b.getStringAttr(name), b.getI64IntegerAttr(extent));
    auto ofRank = AxisAttr::get(b.getContext(), b.getStringAttr(inner), read.rank.getExtent());
    value = flattened(value, outer, ofRank, axis);
  };
  std::string flat = (rows.axis.getName() + "2").str();
  flatten(rows.axis.getLabel(), read.rankInKey, flat);
  if (asMatrix)
    flatten(rows.columns, read.rank.getName(), flat + "0");
  return value;
}

/// Writes the products of an eliminated state, the feedback that they hold,
/// and the state after the chunk.
void ChunkedForm::solve(Eliminated& state) {
  ArrayType type = state.getType();
  Location loc = state.states.front().getLoc();
  const Rows& rows = state.rows;
  for (StateOp one : state.states)
    state.starts.push_back(startOf(one));
  if (state.isCoupled()) {
    couple(state);
  } else if (state.decay || state.first) {
    state.firsts = writeFirsts(rows, state.first);
    state.decays = state.decay ? writeRows(rows, state.decay) : state.firsts;
    if (state.decay && state.firsts)
      state.decays = mul(state.decays, state.firsts);
    auto product = [&](bool exclusive, bool reverse) {
      return CumprodOp::create(b, loc, state.decays, rows.axis.getLabel(),
                               exclusive ? b.getUnitAttr() : UnitAttr(),
                               reverse ? b.getUnitAttr() : UnitAttr());
    };
    state.upTo = product(false, false);
    state.before = product(true, false);
    state.toEnd = product(true, true);
  }
  for (Product& product : state.products) {
    product.keys = withLabels(b, writeRows(rows, product.key), type, state.key);
    if (product.given)
      product.values = writeRows(rows, product.given);
  }

  size_t count = state.reads.size();
  if (count) {
    SmallVector<Value> right, lower;
    for (const FeedbackRead& feedback : state.reads) {
      unsigned of = feedback.of;
      Expr w = feedback.key;
      Value read = this->read(state, of, w, /*before=*/true, /*atRows=*/true);
      read = cast<ArrayType>(read.getType()).has(rows.axis.getName()) ? read : asRows(rows, read);
      right.push_back(withRanks(rows, read, feedback, /*asMatrix=*/false));
      SmallVector<Expr> vectors, scalars;
      for (Expr factor : factorsOf(w))
        (bearsAny(factor->type, state.key) ? vectors : scalars).push_back(factor);
      Value vector = writeFeedbackKey(state, context.mul(vectors));
      for (size_t q = 0; q < count; ++q) {
        Value sum;
        for (Product& product : state.products)
          if (Expr coefficient = product.feedback[q])
            if (Value matrix = gram(state, of, vector, product, true)) {
              matrix = mul(matrix, asColumns(rows, writeRows(rows, coefficient)));
              sum = add(sum, feedback.rank ? matrix : sumOver(matrix, product.ranks));
            }
        if (!sum) // This feedback is not written into the state.
          sum = BroadcastOp::create(
              b, loc,
              ArrayType::get(
                  b.getContext(),
                  {rows.axis, AxisAttr::get(b.getContext(), rows.columns, rows.axis.getExtent())},
                  b.getF32Type()),
              ConstantOp::create(b, loc, 0.0));
        if (!scalars.empty())
          sum = mul(writeRows(rows, context.mul(scalars)), sum);
        lower.push_back(withRanks(rows, sum, feedback, /*asMatrix=*/true));
      }
    }
    // (With ranks there is one feedback alone.)
    const FeedbackRead& first = state.reads.front();
    StringAttr row = rows.axis.getLabel(), column = rows.columns;
    if (first.rank) {
      row = b.getStringAttr(row.getValue() + "2");
      column = b.getStringAttr(row.getValue() + "0");
    }
    auto solved = SolveOp::create(b, loc, right, lower, row, column, UnitAttr());
    SmallVector<Value> feedback(solved.getResults());
    if (first.rank)
      feedback[0] = UnflattenOp::create(b, loc, feedback[0], row, rows.axis, first.rank);
    for (Product& product : state.products)
      for (size_t q = 0; q < count; ++q)
        if (Expr coefficient = product.feedback[q])
          product.values = add(product.values, mul(writeRows(rows, coefficient), feedback[q]));
  }

  for (auto [into, one] : llvm::enumerate(state.states)) {
    auto row = [&](const SmallVector<Value>& matrix) {
      return ArrayRef<Value>(matrix).slice(into * state.states.size(), state.states.size());
    };
    Value end;
    for (auto [from, start] : llvm::enumerate(state.starts)) {
      Value upTo = state.isCoupled() ? row(state.coupling.upTo)[from] : state.upTo;
      if (upTo)
        end = add(end, mul(LastOp::create(b, loc, upTo, rows.axis.getLabel()), start));
      else if (!state.isCoupled())
        end = start;
    }
    for (Product& product : state.products) {
      if (!product.values)
        continue;
      Value toEnd = state.toEnd;
      if (state.isCoupled())
        for (unsigned entry : product.into)
          if (Value left = row(state.coupling.toEnd)[entry])
            toEnd = add(toEnd, left);
      if (!toEnd && state.isCoupled())
        continue;
      SmallVector<StringRef> over(product.ranks);
      over.push_back(rows.axis.getName());
      end = add(
          end, sumOver(mul(toEnd ? mul(product.keys, toEnd) : product.keys, product.values), over));
    }
    auto have = cast<ArrayType>(end.getType());
    if (have.getElementType() != type.getElementType())
      end = CastOp::create(b, loc, have.withElementType(type.getElementType()), end);
    if (end.getType() != type)
      end = BroadcastOp::create(b, loc, type, end);
    UpdateOp::create(b, loc, one.getName(), end);
  }
}
