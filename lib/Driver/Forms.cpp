#include "Forms.h"

#include "ssmc/Derive/Passes.h"
#include "ssmc/Driver/Driver.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

StringRef driver::nameOf(Form form) {
  switch (form) {
  case Form::Auto:
    return "auto";
  case Form::Recurrent:
    return "recurrent";
  case Form::Scan:
    return "scan";
  case Form::Chunked:
    return "chunked";
  }
  llvm_unreachable("all forms are covered");
}

int64_t driver::defaultChunk(Form form) {
  return form == Form::Chunked ? 64 : 16;
}

std::string FormChoice::text() const {
  return nameOf(form).str() + (chunk ? " " + std::to_string(*chunk) : "");
}

Error driver::noSuchForm(StringRef recurrence, Form form, StringRef reason) {
  return createStringError("'" + recurrence + "' has no " + nameOf(form) + " form: " + reason);
}

Error driver::simplify(ssm::RecurrenceOp form) {
  mlir::PassManager manager(form->getContext(), ssm::RecurrenceOp::getOperationName());
  manager.addPass(mlir::createCanonicalizerPass());
  manager.addPass(mlir::createCSEPass());
  if (mlir::failed(manager.run(form)))
    return make_error<InternalError>("simplifying a form of '" + form.getSymName().str() +
                                     "' failed");
  return Error::success();
}

Expected<ssm::RecurrenceOp> driver::deriveBlocks(ssm::RecurrenceOp normal,
                                                 const LoweringOptions& options,
                                                 std::string& reason) {
  derive::ChunkOptions chunk;
  chunk.eliminate = options.form == Form::Chunked;
  chunk.steps = options.chunk.value_or(defaultChunk(options.form));
  for (auto& [name, size] : options.dims)
    chunk.sizes[name] = size;
  mlir::FailureOr<ssm::RecurrenceOp> derived = derive::deriveChunked(normal, chunk, reason);
  if (mlir::failed(derived))
    return ssm::RecurrenceOp();
  if (Error error = simplify(*derived))
    return std::move(error);
  return *derived;
}

Expected<FormList> driver::formsOf(ssm::RecurrenceOp normal, const Options& options) {
  auto dims = dimSizes(normal, options, /*needAll=*/false);
  if (!dims)
    return dims.takeError();
  return formsOf(normal, *dims, options.form, options.chunk);
}

Expected<FormList> driver::formsOf(ssm::RecurrenceOp normal,
                                   const std::map<std::string, int64_t, std::less<>>& dims,
                                   Form wanted, std::optional<int64_t> chunk) {
  FormList list;
  if (wanted == Form::Auto || wanted == Form::Recurrent)
    list.present.push_back({Form::Recurrent, std::nullopt});
  for (Form form : {Form::Scan, Form::Chunked}) {
    if (wanted != Form::Auto && wanted != form)
      continue;
    ssm::RecurrenceOp copy;
    mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(normal, copy);
    std::string reason;
    Expected<ssm::RecurrenceOp> derived =
        deriveBlocks(copy, {dims, runtime::DType::F32, form, chunk}, reason);
    if (!derived)
      return derived.takeError();
    if (*derived)
      list.present.push_back({form, chunk.value_or(defaultChunk(form))});
    else if (wanted == form)
      return noSuchForm(normal.getSymName(), form, reason);
    else
      list.absent.push_back({form, reason});
  }
  return list;
}
