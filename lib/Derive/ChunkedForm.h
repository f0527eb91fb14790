// The chunked form while it is derived.
#pragma once

#include "ssmc/Analysis/Terms.h"
#include "ssmc/Derive/Passes.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace ssmc::derive {

using analysis::Expr;

inline bool bearsAny(ssm::ArrayType type, llvm::ArrayRef<llvm::StringRef> labels) {
  return llvm::any_of(labels, [&](llvm::StringRef label) { return type.has(label); });
}

inline bool bearsOnly(ssm::ArrayType type, llvm::ArrayRef<llvm::StringRef> labels) {
  return llvm::all_of(type.getAxes(), [&](ssm::AxisAttr axis) {
    return llvm::is_contained(labels, axis.getName());
  });
}

inline llvm::SmallVector<llvm::StringRef> labelsOf(ssm::ArrayType type) {
  return llvm::map_to_vector(type.getAxes(), [](ssm::AxisAttr axis) { return axis.getName(); });
}

/// The rows over which the products of a state are laid: the steps, or all micro-steps
/// of all steps (MicroSteps.cpp).
struct Rows {
  ssm::AxisAttr axis;       ///< the label of the rows
  mlir::StringAttr columns; ///< their name as columns of a matrix
  ssm::AxisAttr micro;      ///< the micro-steps inside a step, null where each step is one row
  llvm::StringRef declared; ///< the label of the micro-steps in the declaration's terms
};

/// The linear maps of a step: those of `stage`, once or over micro-steps, after all of `decays`.
struct Transition {
  Rows rows;
  ssm::StageOp stage;
  llvm::SmallVector<Expr> decays; ///< of a stage before the micro-steps
};

/// An outer product of the inputs of an eliminated state: key[K] value[V], or the sum of such over
/// `ranks`. The value is `given + sum over r of feedback[r] * P_r`.
struct Product {
  Expr key;
  Expr given = nullptr;             ///< null: 0
  llvm::SmallVector<Expr> feedback; ///< one for each feedback, null: 0
  llvm::SmallVector<llvm::StringRef> ranks;
  llvm::SmallVector<unsigned> into; ///< the states that it is added to
  mlir::Value keys, values;         ///< over the rows, once written
};

/// What goes from one of several states to another, row b, column c of a matrix each;
/// null: nothing (Coupled.cpp).
struct Coupling {
  /// From row s to each later row t, its own step included or not.
  llvm::SmallVector<mlir::Value> between, strict;
  /// From the start of the chunk.
  llvm::SmallVector<mlir::Value> upTo, before;
  /// From each row to the end.
  llvm::SmallVector<mlir::Value> toEnd;
};

/// Reads w of a feedback, of one of the states.
struct FeedbackRead {
  unsigned of;
  Expr key;
  /// The label of a read for each of several ranks at once, and its name in `key`; null: one read.
  ssm::AxisAttr rank;
  llvm::StringRef rankInKey;
};

/// A state that is never computed at every step: it is read through contractions over `key` alone,
/// and each of them is rewritten into products over the steps of the chunk (DESIGN 4.2). Or several
/// states of one type that depend on each other.
struct Eliminated {
  llvm::SmallVector<ssm::StateOp> states;
  llvm::SmallVector<llvm::StringRef> key;
  Rows rows;
  Expr decay = nullptr; ///< of each row; null: 1
  Expr first = nullptr; ///< what the first micro-step of each step decays by in addition; null: 1
  /// Of several states: how each goes into each, row by row; null: 0.
  llvm::SmallVector<Expr> matrix;
  llvm::SmallVector<FeedbackRead> reads;
  llvm::SmallVector<Product> products;
  // Over the rows, once written:
  mlir::Value decays, firsts, upTo, before, toEnd;
  Coupling coupling;
  llvm::SmallVector<mlir::Value> starts;

  bool isCoupled() const { return states.size() > 1; }
  ssm::ArrayType getType() { return llvm::cast<ssm::ArrayType>(states.front().getType()); }
};

/// A state whose value at every step of the chunk is computed.
struct Computed {
  mlir::Value all;
};

/// A state whose steps are taken one by one: its new value, in terms of earlier values of all that
/// are taken with it.
struct Stepwise {
  ssm::StateOp state;
  mlir::Value result; ///< what stands for the new value
  Expr next;
};
/// Values that stand for a state so many steps earlier.
using StepwiseReads = llvm::DenseMap<mlir::Value, std::pair<llvm::StringRef, int64_t>>;

/// A system as matrices (Dense.cpp).
struct DenseSystem;

class ChunkedForm {
public:
  ChunkedForm(ssm::RecurrenceOp old, ssm::RecurrenceOp fresh, const ChunkOptions& options);
  ~ChunkedForm();
  mlir::LogicalResult run();
  std::string reason;

private:
  mlir::LogicalResult fail(const llvm::Twine& why) {
    if (reason.empty())
      reason = why.str();
    return mlir::failure();
  }

  // The whole (Chunked.cpp).
  /// Whether a value of the recurrence bears the label.
  static bool usesLabel(ssm::RecurrenceOp recurrence, llvm::StringRef label);
  /// The extent of an axis, -1 where it is not known.
  int64_t sizeOf(ssm::AxisAttr axis);
  mlir::LogicalResult addSystem(ssm::SystemOp system);
  mlir::LogicalResult scan(ssm::SystemOp system, const Transition& transition,
                           llvm::StringRef state);
  void computed(llvm::StringRef state, mlir::Value result, mlir::Value all);
  mlir::Value materialize(mlir::Value leaf);
  mlir::Value previous(llvm::StringRef state, int64_t distance);
  /// The state itself, or what keeps it `distance` steps before the chunk.
  ssm::StateOp registerOf(llvm::StringRef state, int64_t distance);
  mlir::Value startOf(ssm::StateOp state);
  mlir::Value write(Expr expr);
  /// Written with the label of the steps, and all labels of `type` if given.
  mlir::Value writeSteps(Expr expr, ssm::ArrayType type = {});
  mlir::Value withSteps(mlir::Value value);

  // Systems that mix the elements of their states (Dense.cpp).
  mlir::LogicalResult takeDense(ssm::SystemOp system, const Transition& transition);
  mlir::LogicalResult findMixed(ssm::SystemOp system, const Transition& transition,
                                DenseSystem& dense);
  mlir::LogicalResult collectDense(const Transition& transition, DenseSystem& dense);
  Expr matrixOf(mlir::Operation& term, const DenseSystem& dense);
  void writeDense(const Rows& rows, DenseSystem& dense);
  llvm::SmallVector<mlir::Value> matrixScan(const Rows& rows, const DenseSystem& dense,
                                            llvm::ArrayRef<mlir::Value> inputs,
                                            llvm::ArrayRef<mlir::Value> initial);
  llvm::SmallVector<mlir::Value> matrixProducts(const Rows& rows, const DenseSystem& dense,
                                                size_t from);
  /// 1 where the label agrees with another one of its extent, else 0.
  Expr same(ssm::AxisAttr axis, llvm::StringRef other);
  /// A label that nothing of the recurrence has, like `label`.
  llvm::StringRef freshLabel(llvm::StringRef label);

  // Micro-steps (MicroSteps.cpp).
  /// The stages of a system as maps over rows; fails where they are not.
  mlir::LogicalResult arrange(ssm::SystemOp system, Transition& transition);
  /// Written with the label of the rows: coefficients of the terms of a stage.
  mlir::Value writeRows(const Rows& rows, Expr expr, ssm::ArrayType type = {});
  /// A value at each step, at all rows of it.
  mlir::Value asRows(const Rows& rows, mlir::Value value);
  /// Two labels as one; a value without the inner one has it at all of its positions.
  mlir::Value flattened(mlir::Value value, mlir::StringAttr outer, ssm::AxisAttr inner,
                        ssm::AxisAttr axis);
  /// A value at each row, at the last row of each step, or at the first one.
  mlir::Value atSteps(const Rows& rows, mlir::Value value, bool first);
  /// [x, 1, 1, …] over the rows of each step; null for null.
  mlir::Value writeFirsts(const Rows& rows, Expr x);

  // States whose steps are taken one by one (Sequential.cpp); `why` says why they are
  // not taken together.
  mlir::LogicalResult takeStepwise(ssm::SystemOp system, const llvm::Twine& why);
  mlir::LogicalResult takeStepwise(llvm::ArrayRef<ssm::UpdateOp> updates);
  mlir::LogicalResult takeStepwise(llvm::ArrayRef<Stepwise> members, const StepwiseReads& reads,
                                   const llvm::Twine& why);

  // States that are eliminated (Eliminate.cpp, StateProducts.cpp, ReadStates.cpp).
  mlir::LogicalResult eliminate(ssm::SystemOp system, const Transition& transition,
                                llvm::ArrayRef<llvm::StringRef> key, Eliminated& result);
  mlir::LogicalResult addFeedback(ssm::FeedbackOp feedback, unsigned source, Eliminated& result,
                                  llvm::SmallVectorImpl<analysis::Term>& terms);
  mlir::LogicalResult addDecays(const Transition& transition, Eliminated& result);
  /// A feedback whose w is a sum of products over a label of its own; what it writes is left to
  /// `writes`.
  struct RankedWrite {
    Expr key, value;
    llvm::StringRef rank;
    unsigned into;
  };
  mlir::LogicalResult splitFeedback(ssm::FeedbackOp feedback, unsigned source, unsigned into,
                                    Eliminated& result, llvm::SmallVectorImpl<RankedWrite>& writes);
  mlir::LogicalResult splitInput(ssm::InputOp input, unsigned into,
                                 llvm::SmallVectorImpl<analysis::Term>& terms, Eliminated& result);
  mlir::LogicalResult addProduct(Expr key, Expr value, llvm::ArrayRef<llvm::StringRef> ranks,
                                 unsigned into, Eliminated& result);
  void solve(Eliminated& state);
  /// The key of a feedback over the rows: the first micro-step of a step reads the state that is
  /// decayed already.
  mlir::Value writeFeedbackKey(Eliminated& state, Expr key);
  mlir::Value withRanks(const Rows& rows, mlir::Value value, const FeedbackRead& read,
                        bool asMatrix);
  /// query . S before or after its update, at every step; or at every row,
  /// of which the query may depend. Of S where the labels of `diagonal` agree.
  mlir::Value read(Eliminated& state, unsigned of, Expr query, bool before, bool atRows,
                   const analysis::Renaming& diagonal = {});
  Product alongDiagonal(const Product& product, llvm::ArrayRef<llvm::StringRef> labels,
                        llvm::ArrayRef<llvm::StringRef> keys);
  /// How much of a product a query of a state meets; null: none of it.
  mlir::Value gram(Eliminated& state, unsigned of, mlir::Value query, const Product& product,
                   bool strict);
  mlir::Value sumOver(mlir::Value value, llvm::ArrayRef<llvm::StringRef> labels);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value asColumns(const Rows& rows, mlir::Value value);
  /// `expr` with every read of an eliminated state replaced by what it is over the steps.
  mlir::FailureOr<Expr> replaceReads(Expr expr);
  mlir::FailureOr<Expr> replaceSum(Expr expr);
  bool readsEliminated(Expr expr);
  Eliminated* eliminatedBy(mlir::Value leaf, bool& before, unsigned& of);
  /// Several states (Coupled.cpp): writes what goes from each to each.
  void couple(Eliminated& states);
  mlir::Value coupledGram(Eliminated& states, unsigned of, mlir::Value query,
                          const Product& product, bool strict);
  /// Whether all reads of a state's values contract `key`, in the outputs and the systems after it.
  bool onlyContracted(ssm::StateOp state, llvm::ArrayRef<llvm::StringRef> key);

  ssm::RecurrenceOp old, fresh;
  const ChunkOptions& options;
  mlir::OpBuilder outer, b;
  analysis::ExprContext context;
  analysis::ExprReader reader;
  std::unique_ptr<analysis::ExprWriter> writer, outerWriter;
  ssm::ChunkOp chunk;
  ssm::AxisAttr steps;
  mlir::StringAttr columns;
  llvm::DenseMap<mlir::Value, mlir::Value> moved; ///< operands, at the top
  llvm::DenseMap<mlir::Value, mlir::Value> lifted;
  llvm::StringMap<Computed> computedStates;
  llvm::StringMap<std::shared_ptr<Eliminated>> eliminatedStates;
  llvm::StringMap<mlir::Value> starts, previouses;
  llvm::StringMap<ssm::StateOp> registers;
  llvm::StringSet<> freshLabels;
  unsigned givenCount = 0;
  std::string stepwise;  ///< why some states' steps are taken one by one, where they are
  bool together = false; ///< some states' steps are taken many at once
  std::map<std::tuple<void*, unsigned, void*, bool, analysis::Renaming>, Expr> knownReads;
  std::map<std::tuple<void*, void*, void*, bool>, mlir::Value> knownGrams;
  /// Stand for the feedback P_r while terms are sorted.
  llvm::SmallVector<mlir::Operation*> placeholders;
  llvm::SmallVector<mlir::Value> unknowns;
};

} // namespace ssmc::derive
