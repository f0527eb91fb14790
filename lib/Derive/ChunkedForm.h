// The chunked form while it is derived.
#pragma once

#include "ssmc/Analysis/Terms.h"
#include "ssmc/Derive/Passes.h"

#include "llvm/ADT/StringMap.h"

namespace ssmc::derive {

using analysis::Expr;

/// An outer product of the inputs of an eliminated state: key[K] value[V], or the sum of such over `ranks`.
/// The value is `given + sum over r of feedback[r] * P_r`.
struct Product {
  Expr key;
  Expr given = nullptr;                 ///< null: 0
  llvm::SmallVector<Expr> feedback;     ///< one for each feedback, null: 0
  llvm::SmallVector<llvm::StringRef> ranks;
  mlir::Value keys, values;             ///< over the steps, once written
};

/// A state that is never computed at every step: it is read through contractions over `key` alone, and each of
/// them is rewritten into products over the steps of the chunk (DESIGN 4.2).
struct Eliminated {
  ssm::StateOp state;
  llvm::SmallVector<llvm::StringRef> key;
  Expr decay = nullptr; ///< null: 1
  llvm::SmallVector<Expr> reads; ///< w of each feedback
  llvm::SmallVector<Product> products;
  // Over the steps, once written:
  mlir::Value decays, upTo, before, start;
};

/// A state whose value at every step of the chunk is computed.
struct Computed {
  mlir::Value all;
};

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
  mlir::LogicalResult addSystem(ssm::SystemOp system);
  mlir::LogicalResult scan(ssm::SystemOp system, ssm::StageOp stage, llvm::StringRef state);
  void computed(llvm::StringRef state, mlir::Value result, mlir::Value all);
  mlir::Value materialize(mlir::Value leaf);
  mlir::Value previous(llvm::StringRef state, int64_t distance);
  mlir::Value startOf(ssm::StateOp state);
  mlir::Value write(Expr expr);
  /// Written with the label of the steps, and all labels of `type` if given.
  mlir::Value writeSteps(Expr expr, ssm::ArrayType type = {});
  mlir::Value withSteps(mlir::Value value);

  // States that are eliminated (Eliminate.cpp).
  mlir::LogicalResult eliminate(ssm::SystemOp system, ssm::StageOp stage, ssm::StateOp state,
                                llvm::ArrayRef<llvm::StringRef> key, Eliminated& result);
  mlir::LogicalResult splitInput(ssm::InputOp input, llvm::ArrayRef<llvm::StringRef> key,
                                 llvm::SmallVectorImpl<analysis::Term>& terms, Eliminated& result);
  mlir::LogicalResult addProduct(Expr key, Expr value, llvm::ArrayRef<llvm::StringRef> ranks, Eliminated& result);
  void solve(Eliminated& state);
  mlir::Value read(Eliminated& state, Expr query, bool before);
  mlir::Value gram(Eliminated& state, mlir::Value query, const Product& product, bool strict);
  mlir::Value sumOver(mlir::Value value, llvm::ArrayRef<llvm::StringRef> labels);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value asColumns(mlir::Value value);
  /// `expr` with every read of an eliminated state replaced by what it is over the steps.
  mlir::FailureOr<Expr> replaceReads(Expr expr);
  mlir::FailureOr<Expr> replaceSum(Expr expr);
  bool readsEliminated(Expr expr);
  Eliminated* eliminatedBy(mlir::Value leaf, bool& before);
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
  llvm::StringMap<std::unique_ptr<Eliminated>> eliminatedStates;
  llvm::StringMap<mlir::Value> starts, previouses;
  std::map<std::tuple<void*, void*, bool>, Expr> knownReads;
  std::map<std::tuple<void*, void*, void*, bool>, mlir::Value> knownGrams;
  llvm::SmallVector<mlir::Operation*> placeholders; ///< stand for the feedback P_r while terms are sorted
  llvm::SmallVector<mlir::Value> unknowns;
};

} // namespace ssmc::derive
