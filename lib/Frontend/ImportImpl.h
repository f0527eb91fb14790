//===- ImportImpl.h - One recurrence into ops -------------------*- C++ -*-===//
//
// The body of an ssm.recurrence is one block in order of evaluation. A name of the source has one
// SSA value with canonical labels: of a state, let or out the indices of its definition, of an
// operand those of its first use. A use with other indices relabels that value.
//
//===----------------------------------------------------------------------===//

#ifndef SSMC_LIB_FRONTEND_IMPORTIMPL_H
#define SSMC_LIB_FRONTEND_IMPORTIMPL_H

#include "dialects/SSM/SSM.h"
#include "mlir/IR/Builders.h"
#include "ssmc/Frontend/AST.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include <deque>
#include <map>
#include <memory>

namespace llvm {
class SourceMgr;
} // namespace llvm

namespace ssmc::frontend {

using Labels = llvm::SmallVector<llvm::StringRef, 4>;

class RecurrenceImporter {
public:
  RecurrenceImporter(const ast::Recurrence& rec, const llvm::SourceMgr& sources,
                     mlir::OpBuilder& builder)
      : rec(rec), sources(sources), builder(builder) {}

  void run();

private:
  // Import.cpp: declarations and statements.
  void chooseLabels();
  void chooseLabels(const ast::Expr* e);
  void importOperands();
  void importStates();
  void importStatement(const ast::Statement& stmt);

  // ImportExpr.cpp: expressions. A value is real, complex or a truth value, never an integer.
  mlir::Value importExpr(const ast::Expr* e);
  mlir::Value importRef(const ast::RefExpr* ref);
  mlir::Value importCall(const ast::CallExpr* call);
  mlir::Value importBinary(const ast::BinaryExpr* binary);
  mlir::Value importReduce(const ast::ReduceExpr* reduce);
  mlir::Value importFold(const ast::FoldExpr* fold);
  mlir::Value importFoldStart(const ast::FoldExpr* fold);
  /// The part of `value` at the current step of each fold around.
  mlir::Value atSteps(mlir::Location loc, mlir::Value value);

  // ImportDelay.cpp: prev and next of states, and the registers of everything else.

  /// Something that is read at other times and is no state.
  struct Delayed {
    std::string name; ///< of the registers, before their "~"
    const ast::Symbol* symbol = nullptr;
    const ast::Expr* expr = nullptr; ///< where there is no symbol
    Labels labels;
    ssm::ArrayType type; ///< as stored: real or complex
    bool isCondition = false;
  };
  using Offsets = llvm::SmallVector<int64_t, 2>;
  /// A register whose new value is to be defined: `what` delayed by `offsets`.
  struct PendingUpdate {
    std::string state;
    const Delayed* what;
    Offsets offsets;
    mlir::Location loc;
  };

  mlir::Value importDelay(const ast::DelayExpr* delay);
  /// The operand of `delay` at the other time, with its canonical `labels`; `used` are those that
  /// it has in the source, none for a whole array.
  mlir::Value importDelayed(const ast::DelayExpr* delay, Labels& labels, Labels& used);
  const Delayed* findDelayed(const ast::Expr* e);
  mlir::Value readDelayed(mlir::Location loc, const Delayed* what, const Offsets& offsets);
  mlir::Value readState(mlir::Location loc, llvm::StringRef state, mlir::Type type,
                        const Offsets& by);
  llvm::StringRef declareRegister(mlir::Location loc, const Delayed* what, const Offsets& offsets);
  void defineRegisters();
  std::string keyOf(const ast::Expr* e, bool isWhole = true);

  // Small things.
  mlir::Location location(llvm::SMLoc loc) const;
  mlir::Location location(const ast::Expr* e) const;
  mlir::ArrayAttr names(llvm::ArrayRef<llvm::StringRef> texts) const;
  ssm::AxisAttr axis(const ast::IndexVar* var, llvm::StringRef label) const;
  ssm::ArrayType arrayType(llvm::ArrayRef<ast::IndexVar*> axes,
                           llvm::ArrayRef<llvm::StringRef> labels, ast::ElemKind elem) const;
  mlir::Type elementType(ast::ElemKind elem) const;
  mlir::Value cast(mlir::Location loc, mlir::Value value, mlir::Type element);
  /// `value` with all labels and the element type of `type`.
  mlir::Value fit(mlir::Location loc, mlir::Value value, ssm::ArrayType type);
  mlir::Value relabel(mlir::Location loc, mlir::Value value, llvm::ArrayRef<llvm::StringRef> from,
                      llvm::ArrayRef<llvm::StringRef> to);
  /// Makes what follows be inserted outside of all folds, where it serves all later uses.
  /// The caller keeps the old insertion point.
  void hoist();

  const ast::Recurrence& rec;
  const llvm::SourceMgr& sources;
  mlir::OpBuilder& builder;
  ssm::RecurrenceOp op;
  mlir::Operation* lastState = nullptr;          ///< registers are declared after it
  mlir::Operation* outermostFold = nullptr;      ///< around the insertion point
  llvm::SmallVector<const ast::IndexVar*> steps; ///< of the folds around
  llvm::DenseMap<const ast::Symbol*, mlir::Value> values;
  llvm::DenseMap<const ast::Symbol*, Labels> labelsOf;
  std::map<std::pair<void*, std::string>, mlir::Value> relabelled;
  std::map<std::string, mlir::Value> stateReads;
  std::map<std::string, std::unique_ptr<Delayed>> delayed;
  llvm::StringMap<unsigned> unnamedDelays; ///< for each statement
  llvm::StringMap<bool> registers;         ///< names declared
  std::deque<PendingUpdate> pending;
  llvm::StringRef currentName;        ///< of the statement
  const Labels* initLabels = nullptr; ///< of the state, while its initial value is imported
};

} // namespace ssmc::frontend

#endif // SSMC_LIB_FRONTEND_IMPORTIMPL_H
