//===- Import.cpp - Declarations and statements into ops ------------------===//

#include "ssmc/Frontend/Import.h"
#include "ImportImpl.h"
#include "mlir/IR/Verifier.h"
#include "ssmc/Frontend/Parser.h"
#include "ssmc/Frontend/Sema.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;
using mlir::Location;
using mlir::Type;
using mlir::Value;

namespace ssmc::frontend {

using namespace ast;

mlir::OwningOpRef<mlir::ModuleOp> importFile(const File& file, const SourceMgr& sources,
                                             mlir::MLIRContext& context) {
  context.loadDialect<ssm::SSMDialect>();
  mlir::OpBuilder builder(&context);
  StringRef name = sources.getMemoryBuffer(sources.getMainFileID())->getBufferIdentifier();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(mlir::FileLineColLoc::get(&context, name, 1, 1));
  for (const Recurrence& rec : file.recurrences) {
    builder.setInsertionPointToEnd(module->getBody());
    RecurrenceImporter(rec, sources, builder).run();
  }
  if (failed(mlir::verify(*module)))
    return nullptr;
  return module;
}

mlir::OwningOpRef<mlir::ModuleOp> importSource(const SourceMgr& sources, mlir::MLIRContext& context,
                                               Diagnostics& diags) {
  std::unique_ptr<File> file = parseFile(sources, diags);
  if (!check(*file, diags))
    return nullptr;
  return importFile(*file, sources, context);
}

void RecurrenceImporter::run() {
  SmallVector<mlir::Attribute> dims;
  for (const DimDecl& dim : rec.dims)
    dims.push_back(ssm::DimAttr::get(builder.getContext(), builder.getStringAttr(dim.name.text),
                                     dim.value.value_or(-1)));
  Labels time;
  for (const Name& axis : rec.timeAxes)
    time.push_back(axis.text);
  op = ssm::RecurrenceOp::create(builder, location(rec.name.loc), rec.name.text, names(time),
                                 builder.getArrayAttr(dims), nullptr);
  builder.setInsertionPointToStart(&op.getBody().emplaceBlock());

  chooseLabels();
  importOperands();
  importStates();
  for (const Statement* stmt : rec.order)
    importStatement(*stmt);
  defineRegisters();
}

//===----------------------------------------------------------------------===//
// Labels
//===----------------------------------------------------------------------===//

void RecurrenceImporter::chooseLabels() {
  for (const Statement& stmt : rec.statements) {
    Labels& labels = labelsOf[stmt.symbol];
    for (const Name& index : stmt.indices)
      labels.push_back(index.text);
  }
  for (const Statement& stmt : rec.statements)
    chooseLabels(stmt.value);
  // Operands that are only used as a whole, or never.
  for (const OperandDecl& operand : rec.operands) {
    if (labelsOf.contains(operand.symbol))
      continue;
    static constexpr StringRef letters[] = {"i", "j", "k", "l", "m", "n"};
    Labels& labels = labelsOf[operand.symbol];
    for (size_t i = 0; i < operand.dims.size(); ++i)
      labels.push_back(i < std::size(letters) ? letters[i]
                                              : builder.getStringAttr("i" + Twine(i)).getValue());
  }
}

/// Takes the labels of operands from their first use in `e` that names each axis differently.
void RecurrenceImporter::chooseLabels(const Expr* e) {
  for (const Expr* operand : e->operands)
    chooseLabels(operand);
  auto* ref = dyn_cast<RefExpr>(e);
  if (!ref || ref->indexVars.size() != ref->symbol->axes.size() || labelsOf.contains(ref->symbol) ||
      ref->symbol->kind == Symbol::FoldVar)
    return;
  Labels labels;
  for (const IndexVar* var : ref->indexVars) {
    if (is_contained(labels, var->name.text))
      return;
    labels.push_back(var->name.text);
  }
  labelsOf[ref->symbol] = labels;
}

//===----------------------------------------------------------------------===//
// Declarations and statements
//===----------------------------------------------------------------------===//

void RecurrenceImporter::importOperands() {
  for (const OperandDecl& operand : rec.operands) {
    if (operand.kind == Symbol::State)
      continue;
    const Labels& labels = labelsOf[operand.symbol];
    Location loc = location(operand.name.loc);
    Value value = ssm::InOp::create(
        builder, loc, arrayType(operand.symbol->axes, labels, operand.elem), operand.name.text,
        names(labels), operand.kind == Symbol::Param, static_cast<ssm::Scope>(operand.scope));
    if (operand.elem == ElemKind::Int)
      value = cast(loc, value, builder.getF32Type());
    values[operand.symbol] = value;
  }
}

void RecurrenceImporter::importStates() {
  if (!builder.getBlock()->empty())
    lastState = &builder.getBlock()->back();
  for (const OperandDecl& operand : rec.operands) {
    if (operand.kind != Symbol::State)
      continue;
    const Labels& labels = labelsOf[operand.symbol];
    ssm::ArrayType type = arrayType(operand.symbol->axes, labels, operand.elem);
    Value init;
    if (operand.init) {
      // A parameter that has the dims of the state is read with the labels of the state.
      currentName = operand.name.text;
      initLabels = &labels;
      init = cast(location(operand.init), importExpr(operand.init), type.getElementType());
      initLabels = nullptr;
    }
    lastState = ssm::StateOp::create(builder, location(operand.name.loc), operand.name.text,
                                     names(labels), type, /*hidden=*/false, init);
  }
}

void RecurrenceImporter::importStatement(const Statement& stmt) {
  currentName = stmt.name.text;
  const Labels& labels = labelsOf[stmt.symbol];
  ssm::ArrayType type = arrayType(stmt.indexVars, labels, stmt.symbol->elem);
  Location loc = location(stmt.name.loc);
  Value value = fit(loc, importExpr(stmt.value), type);
  values[stmt.symbol] = value;
  if (stmt.kind == Symbol::State)
    ssm::UpdateOp::create(builder, loc, stmt.name.text, value);
  else if (stmt.kind == Symbol::Out)
    ssm::OutOp::create(builder, loc, stmt.name.text, names(labels), /*temp=*/false, value);
}

//===----------------------------------------------------------------------===//
// Small things
//===----------------------------------------------------------------------===//

Location RecurrenceImporter::location(SMLoc loc) const {
  unsigned id = sources.FindBufferContainingLoc(loc);
  auto [line, column] = sources.getLineAndColumn(loc, id);
  return mlir::FileLineColLoc::get(
      builder.getContext(), sources.getMemoryBuffer(id)->getBufferIdentifier(), line, column);
}

/// What a macro brought is placed where the macro is used.
Location RecurrenceImporter::location(const Expr* e) const {
  const MacroUse* use = e->use;
  while (use && use->outer)
    use = use->outer;
  return location(use ? use->macro.loc : e->loc);
}

mlir::ArrayAttr RecurrenceImporter::names(ArrayRef<StringRef> texts) const {
  return builder.getStrArrayAttr(texts);
}

ssm::AxisAttr RecurrenceImporter::axis(const IndexVar* var, StringRef label) const {
  mlir::Attribute extent = builder.getStringAttr(var->dim.symbol);
  if (var->dim.symbol.empty())
    extent = builder.getI64IntegerAttr(var->dim.size);
  return ssm::AxisAttr::get(builder.getContext(), builder.getStringAttr(label), extent);
}

ssm::ArrayType RecurrenceImporter::arrayType(ArrayRef<IndexVar*> vars, ArrayRef<StringRef> labels,
                                             ElemKind elem) const {
  SmallVector<ssm::AxisAttr> axes;
  for (auto [var, label] : zip_equal(vars, labels))
    axes.push_back(axis(var, label));
  return ssm::ArrayType::get(builder.getContext(), axes, elementType(elem));
}

mlir::Type RecurrenceImporter::elementType(ElemKind elem) const {
  switch (elem) {
  case ElemKind::Bool:
    return builder.getI1Type();
  case ElemKind::Int:
    return builder.getI32Type();
  case ElemKind::Complex:
    return mlir::ComplexType::get(builder.getF32Type());
  default:
    return builder.getF32Type();
  }
}

Value RecurrenceImporter::cast(Location loc, Value value, mlir::Type element) {
  auto type = mlir::cast<ssm::ArrayType>(value.getType());
  if (type.getElementType() == element)
    return value;
  return ssm::CastOp::create(builder, loc, type.withElementType(element), value);
}

Value RecurrenceImporter::fit(Location loc, Value value, ssm::ArrayType type) {
  value = cast(loc, value, type.getElementType());
  return value.getType() == type ? value : ssm::BroadcastOp::create(builder, loc, type, value);
}

Value RecurrenceImporter::relabel(Location loc, Value value, ArrayRef<StringRef> from,
                                  ArrayRef<StringRef> to) {
  if (from == to)
    return value;
  // A value from inside a fold stays there; all others are relabelled once for all uses.
  bool isOutside = value.getParentBlock() == op.getBlock();
  Value none;
  Value& known = isOutside ? relabelled[{value.getAsOpaquePointer(), join(to, ",")}] : none;
  if (known)
    return known;
  Labels changedFrom, changedTo;
  for (auto [a, b] : zip_equal(from, to))
    if (a != b) {
      changedFrom.push_back(a);
      changedTo.push_back(b);
    }
  mlir::OpBuilder::InsertionGuard guard(builder);
  if (isOutside)
    hoist();
  return known = ssm::RelabelOp::create(builder, loc, value, names(changedFrom), names(changedTo));
}

void RecurrenceImporter::hoist() {
  if (outermostFold)
    builder.setInsertionPoint(outermostFold);
}

} // namespace ssmc::frontend
