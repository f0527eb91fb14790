//===- SemaImpl.h - The parts of the checker --------------------*- C++ -*-===//
//
// A recurrence is checked in phases, each a file: declarations (SemaDecls), names and indices
// (SemaNames, SemaFold), the dims of indices (SemaDims), cycles and the order of evaluation
// (SemaCycles), the kinds of elements (SemaKinds). A phase runs even where an earlier one found
// errors, so a wrong part is marked unknown (null symbol, unknown rank) and later phases are
// silent about it.
//
//===----------------------------------------------------------------------===//

#ifndef SSMC_LIB_FRONTEND_SEMAIMPL_H
#define SSMC_LIB_FRONTEND_SEMAIMPL_H

#include "ssmc/Frontend/AST.h"
#include "ssmc/Frontend/Diagnostics.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace ssmc::frontend {

/// Reports an error at an expression. Where a macro brought the expression here, the error is at
/// the outermost use, and notes lead to the definition.
Diagnostic& errorAt(Diagnostics& diags, const ast::Expr* e, const llvm::Twine& message);

/// Checks macros and replaces their calls.
class MacroExpander {
public:
  MacroExpander(ast::File& file, Diagnostics& diags) : file(file), diags(diags) {}

  /// Checks all definitions and expands the calls in them.
  void checkDefinitions();

  /// Replaces the calls of macros in `e`. A call that cannot be replaced stays, its error reported.
  void expand(ast::Expr*& e);

private:
  void checkBody(const ast::MacroDef& macro, ast::Expr* e);
  ast::Expr* expandCall(ast::CallExpr* call);
  void reportUnknown(const ast::CallExpr* call);

  struct Substitution;
  ast::Expr* clone(const ast::Expr* e, Substitution& substitution);
  const ast::MacroUse* cloneUse(const ast::MacroUse* use, Substitution& substitution);

  ast::File& file;
  Diagnostics& diags;
  llvm::StringMap<ast::MacroDef*> macros;
  llvm::DenseSet<const ast::MacroDef*> broken; ///< reported already: uses are not errors again
  unsigned nodesMade = 0;
  bool tooLarge = false;
};

class RecurrenceChecker {
public:
  RecurrenceChecker(ast::File& file, ast::Recurrence& rec, Diagnostics& diags)
      : file(file), rec(rec), diags(diags) {}

  void run();

private:
  // SemaDecls.cpp
  void declareTime();
  void declareDims();
  void declareOperands();
  void declareStatements();
  void declareState(ast::Statement& stmt);
  ast::Symbol* declare(ast::Symbol::Kind kind, ast::Name name, llvm::StringRef what);
  void bindLeft(ast::Statement& stmt);
  void checkInit(ast::OperandDecl& state, ast::Expr* e);

  // SemaNames.cpp
  void resolve(ast::Statement& stmt);
  void resolve(ast::Expr* e);
  void resolveRef(ast::RefExpr* ref, bool wholeArray = false);
  void resolveReduce(ast::ReduceExpr* reduce);
  void resolveDelay(ast::DelayExpr* delay, bool wholeArray = false);
  ast::Symbol* lookup(const ast::RefExpr* ref);
  void reportUndefined(const ast::RefExpr* ref);
  ast::IndexVar* bind(ast::Name name, const ast::Expr* binder);
  ast::IndexVar* lookupIndex(ast::Name name);
  void recordRead(const ast::RefExpr* ref);

  // SemaFold.cpp
  void resolveFold(ast::FoldExpr* fold);
  void bindFoldAxes(ast::FoldExpr* fold);

  // SemaDims.cpp
  void inferDims();
  void reportUnknownDims();
  void annotateLabels(ast::Expr* e);

  // SemaCycles.cpp
  void checkCycles();
  void reportCycle(llvm::ArrayRef<unsigned> component);
  void checkDirections();

  // SemaKinds.cpp
  void inferKinds();
  void inferKind(ast::Statement& stmt);
  void learn(ast::Symbol& symbol, ast::ElemKind kind);
  void checkKind(ast::Statement& stmt);
  ast::ElemKind kindOf(ast::Expr* e, bool report);
  ast::ElemKind kindOfCall(ast::CallExpr* call, bool report);
  ast::ElemKind kindOfFold(ast::FoldExpr* fold, bool report);
  ast::ElemKind number(ast::Expr* e, bool report);
  ast::ElemKind real(ast::Expr* e, llvm::StringRef user, bool report);

  Diagnostic& errorAt(const ast::Expr* e, const llvm::Twine& message);
  /// In a recurrence that was not understood entirely, a missing name proves nothing.
  bool mayMissNames() const { return rec.incomplete; }

  /// How a statement reads another one's value.
  struct Read {
    unsigned reader, target;
    const ast::RefExpr* ref;
    /// Per time axis: whether it looks back, and whether it looks ahead.
    llvm::SmallVector<std::pair<bool, bool>, 2> looks;
    bool delayed() const;
  };

  /// Index `var` stands at `axis` of the array `what`.
  struct DimUse {
    ast::IndexVar* var;
    ast::IndexVar* axis;
    unsigned position;
    llvm::StringRef what;
    llvm::SMLoc loc;
    const ast::Expr* user;
  };

  ast::File& file;
  ast::Recurrence& rec;
  Diagnostics& diags;
  llvm::StringMap<ast::Symbol*> symbols;
  llvm::StringMap<ast::DimDecl*> dims;
  llvm::DenseMap<const ast::Statement*, unsigned> statementNumber;
  std::vector<Read> reads;
  std::vector<DimUse> dimUses;
  /// Every index that a statement binds, and whether that statement was understood.
  struct Bound {
    ast::IndexVar* var;
    const ast::Statement* stmt;
    const ast::Expr* binder; ///< null for the left side
  };
  std::vector<Bound> bound;
  llvm::DenseSet<const ast::Statement*> broken;
  bool dimsClash = false;
  llvm::StringSet<> undefinedDims;
  bool kindsChanged = false;

  // Where resolve() stands.
  ast::Statement* current = nullptr;
  llvm::SmallVector<ast::IndexVar*> scope;
  llvm::SmallVector<ast::Symbol*> foldVars;
  llvm::SmallVector<const ast::IndexVar*> steps; ///< of the folds around
  llvm::SmallVector<const ast::DelayExpr*> delays;
  llvm::SmallVector<const ast::IndexVar*> openSteps; ///< of annotateLabels()
};

} // namespace ssmc::frontend

#endif // SSMC_LIB_FRONTEND_SEMAIMPL_H
