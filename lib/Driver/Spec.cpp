#include "Spec.h"

#include "ssmc/Analysis/Passes.h"
#include "ssmc/Frontend/Diagnostics.h"
#include "ssmc/Frontend/Import.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

/// A file beyond this is no declaration.
static constexpr size_t maxSource = size_t(64) << 20;

static Error choose(Spec& spec, const Options& options, bool single) {
  SmallVector<StringRef> names;
  for (auto recurrence : spec.module->getOps<ssm::RecurrenceOp>())
    names.push_back(recurrence.getSymName());
  if (names.empty())
    return createStringError("'" + spec.path + "' declares no recurrence");
  if (!options.recurrence.empty() && !is_contained(names, options.recurrence))
    return createStringError("'" + spec.path + "' has no recurrence '" + options.recurrence + "'" +
                             didYouMean(options.recurrence, names) + "; it declares " +
                             join(names, ", "));
  if (options.recurrence.empty() && single && names.size() > 1)
    return createStringError(
        "'" + spec.path +
        "' declares several recurrences; choose one by --name: " + join(names, ", "));
  for (auto recurrence : make_early_inc_range(spec.module->getOps<ssm::RecurrenceOp>())) {
    if (options.recurrence.empty() || recurrence.getSymName() == options.recurrence)
      spec.recurrences.push_back(recurrence);
    else
      recurrence.erase();
  }
  return Error::success();
}

Expected<Spec> driver::loadSpec(StringRef path, const Options& options, Console& console,
                                bool single) {
  console.times.begin("parse");
  auto buffer = MemoryBuffer::getFileOrSTDIN(path, /*IsText=*/false);
  if (!buffer)
    return createStringError("cannot read '" + path + "': " + buffer.getError().message());
  if ((*buffer)->getBufferSize() > maxSource)
    return createStringError("'" + path + "' is too large for a declaration");
  Spec spec;
  spec.path = path.str();
  spec.sources = std::make_unique<SourceMgr>();
  spec.sources->AddNewSourceBuffer(std::move(*buffer), SMLoc());
  spec.context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  console.listen(*spec.context, *spec.sources);
  Diagnostics diagnostics(*spec.sources);
  spec.module = frontend::importSource(*spec.sources, *spec.context, diagnostics);
  if (!spec.module && !diagnostics.hasErrors())
    return make_error<InternalError>("importing '" + spec.path + "' failed");
  if (!spec.module) {
    diagnostics.print(errs(), console.hasColor());
    return make_error<ReportedError>();
  }
  if (Error error = choose(spec, options, single))
    return error;
  return spec;
}

mlir::OwningOpRef<mlir::ModuleOp> driver::copyOf(ssm::RecurrenceOp recurrence,
                                                 ssm::RecurrenceOp& copy) {
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(recurrence.getLoc());
  copy = cast<ssm::RecurrenceOp>(recurrence->clone());
  module->push_back(copy);
  return module;
}

Expected<std::map<std::string, int64_t, std::less<>>>
driver::dimSizes(ssm::RecurrenceOp recurrence, const Options& options, bool needAll) {
  SmallVector<StringRef> names;
  std::map<std::string, int64_t, std::less<>> sizes;
  for (auto dim : recurrence.getDims().getAsRange<ssm::DimAttr>()) {
    names.push_back(dim.getName().getValue());
    if (dim.getSize() >= 0)
      sizes[dim.getName().str()] = dim.getSize();
  }
  for (auto& [name, size] : options.dims) {
    if (!is_contained(names, name))
      return createStringError("'" + recurrence.getSymName() + "' has no dim '" + name + "'" +
                               didYouMean(name, names) +
                               (names.empty() ? "; it has none" : "; it has " + join(names, ", ")));
    sizes[name] = size;
  }
  SmallVector<std::string> unbound;
  for (StringRef name : names)
    if (!sizes.contains(name))
      unbound.push_back((name + "=…").str());
  if (needAll && !unbound.empty())
    return createStringError("the size of a dim is missing: add --dims " + join(unbound, ","));
  return sizes;
}

void driver::warnOfNonlinear(ssm::RecurrenceOp normal, const Spec& spec, Console& console) {
  normal->walk([&](ssm::UpdateOp update) {
    auto reason = update->getAttrOfType<mlir::StringAttr>("nonlinear");
    if (reason)
      console.at(*spec.sources, update.getLoc(), SourceMgr::DK_Warning,
                 "'" + normal.getSymName() + "' is not linear in '" + update.getState() +
                     "': " + reason.getValue() + "; its steps are taken one by one");
  });
}

void driver::warnOfNonlinear(const Spec& spec, Console& console) {
  for (ssm::RecurrenceOp recurrence : spec.recurrences) {
    ssm::RecurrenceOp copy;
    mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(recurrence, copy);
    warnOfNonlinear(analysis::normalize(copy), spec, console);
  }
}
