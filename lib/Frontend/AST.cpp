//===- AST.cpp - The tree of a .ssm file ----------------------------------===//

#include "ssmc/Frontend/AST.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"

namespace ssmc::frontend::ast {

StringRef toString(ElemKind kind) {
  switch (kind) {
  case ElemKind::Unknown:
    return "unknown";
  case ElemKind::Bool:
    return "bool";
  case ElemKind::Int:
    return "int";
  case ElemKind::Real:
    return "real";
  case ElemKind::Complex:
    return "complex";
  }
  llvm_unreachable("no such kind");
}

StringRef toString(Symbol::Kind kind) {
  switch (kind) {
  case Symbol::In:
    return "input";
  case Symbol::Param:
    return "parameter";
  case Symbol::State:
    return "state";
  case Symbol::Let:
    return "let";
  case Symbol::Out:
    return "out";
  case Symbol::FoldVar:
    return "fold variable";
  }
  llvm_unreachable("no such kind");
}

StringRef toString(BinaryOp op) {
  static constexpr StringRef names[] = {"+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!="};
  return names[static_cast<unsigned>(op)];
}

StringRef toString(Scope scope) {
  static constexpr StringRef names[] = {"head", "group", "shared"};
  return names[static_cast<unsigned>(scope)];
}

// In the order of Func.
static constexpr FuncInfo funcs[] = {
    {"exp", Func::Exp, 1, 1},           {"log", Func::Log, 1, 1},
    {"sqrt", Func::Sqrt, 1, 1},         {"rsqrt", Func::Rsqrt, 1, 1},
    {"abs", Func::Abs, 1, 1},           {"sign", Func::Sign, 1, 1},
    {"sin", Func::Sin, 1, 1},           {"cos", Func::Cos, 1, 1},
    {"tanh", Func::Tanh, 1, 1},         {"sigmoid", Func::Sigmoid, 1, 1},
    {"softplus", Func::Softplus, 1, 1}, {"silu", Func::Silu, 1, 1},
    {"relu", Func::Relu, 1, 1},         {"min", Func::Min, 2, 0},
    {"max", Func::Max, 2, 0},           {"pow", Func::Pow, 2, 2},
    {"select", Func::Select, 3, 3},     {"cis", Func::Cis, 1, 1},
    {"real", Func::Real, 1, 1},         {"imag", Func::Imag, 1, 1},
    {"conj", Func::Conj, 1, 1},
};

ArrayRef<FuncInfo> allFuncs() {
  return funcs;
}

const FuncInfo* lookupFunc(StringRef name) {
  const FuncInfo* found = llvm::find_if(funcs, [&](const FuncInfo& f) { return f.name == name; });
  return found == std::end(funcs) ? nullptr : found;
}

const FuncInfo& getInfo(Func func) {
  return funcs[static_cast<unsigned>(func)];
}

} // namespace ssmc::frontend::ast
