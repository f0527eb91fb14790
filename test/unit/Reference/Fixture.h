// A recurrence from text, arrays from lists, and a run of one on the other.
#pragma once

#include "Check.h"
#include "ssmc/Reference/Interpreter.h"
#include "ssmc/Runtime/Convert.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <limits>

namespace ssmc::test {

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan_ = std::numeric_limits<double>::quiet_NaN();

/// Parses `body` as the body of a recurrence over dims K and V (J = 2).
struct Program {
  explicit Program(const std::string& body, const std::string& time = "t") {
    context.loadDialect<ssm::SSMDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(
        "ssm.recurrence @r time [" + time + "] dims(K, V, J = 2) {" + body + "}", &context);
    if (!module) {
      fail(__FILE__, __LINE__, "the text does not parse: " + body);
      std::exit(1);
    }
    recurrence = *module->getOps<ssm::RecurrenceOp>().begin();
  }

  llvm::Expected<reference::Results> run(reference::Sizes sizes, const runtime::ArrayMap& operands,
                                         const runtime::ArrayMap& states = {}) {
    return reference::interpret(recurrence, sizes, operands, states);
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  ssm::RecurrenceOp recurrence;
};

/// One batch, one head and group, K and V of the given sizes.
inline reference::Sizes sizesOf(llvm::SmallVector<int64_t, 2> time, int64_t K = 1, int64_t V = 1) {
  return {1, time, 1, 1, {{"K", K}, {"V", V}}};
}

inline runtime::Array arrayOf(llvm::ArrayRef<int64_t> shape, std::initializer_list<double> values,
                              runtime::DType dtype = runtime::DType::F64) {
  runtime::Array array = UNWRAP(runtime::Array::create(dtype, shape));
  int64_t parts = runtime::isComplex(dtype) ? 2 : 1;
  if (array.getNumElements() * parts != int64_t(values.size()))
    fail(__FILE__, __LINE__, "a list has another length than its shape");
  else
    runtime::fromDoubles(dtype, values.begin(), array.getNumElements(), array.getData());
  return array;
}

/// A map of named arrays; braces alone cannot hold what only moves.
struct Named {
  Named(const char* name, runtime::Array array) : name(name), array(std::move(array)) {}
  const char* name;
  mutable runtime::Array array;
};
inline runtime::ArrayMap mapOf(std::initializer_list<Named> list) {
  runtime::ArrayMap map;
  for (const Named& named : list)
    map.emplace(named.name, std::move(named.array));
  return map;
}

inline void checkArray(const runtime::ArrayMap& map, const char* name,
                       std::initializer_list<double> expected, const char* file, int line) {
  auto it = map.find(name);
  if (it == map.end())
    return fail(file, line, std::string("no array '") + name + "'");
  const runtime::Array& array = it->second;
  std::vector<double> found(array.getNumElements() *
                            (runtime::isComplex(array.getDType()) ? 2 : 1));
  runtime::toDoubles(array.getDType(), array.getData(), array.getNumElements(), found.data());
  if (found.size() != expected.size())
    return fail(file, line,
                "'" + std::string(name) + "' has shape " + runtime::formatShape(array.getShape()));
  for (size_t i = 0; i < found.size(); ++i)
    if (double want = expected.begin()[i];
        !near(found[i], want) && !(std::isnan(found[i]) && std::isnan(want)))
      fail(file, line,
           "'" + std::string(name) + "' has " + std::to_string(found[i]) + " at " +
               std::to_string(i) + ", expected " + std::to_string(want));
}

} // namespace ssmc::test

#define CHECK_ARRAY(map, name, ...)                                                                \
  ssmc::test::checkArray(map, name, __VA_ARGS__, __FILE__, __LINE__)
