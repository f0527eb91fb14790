// What the arrays of a bundle are to its caller.
#include "ssmc/Artifact/Bundle.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::artifact;
using tile::Role;

StringRef artifact::nameOf(Meaning meaning) {
  static constexpr StringLiteral names[] = {"input",
                                            "param",
                                            "initial_state",
                                            "final_state",
                                            "output",
                                            "cotangent",
                                            "final_state_cotangent",
                                            "gradient",
                                            "param_gradient",
                                            "initial_state_gradient"};
  return names[size_t(meaning)];
}

std::string artifact::axisName(const Operand& operand, size_t axis) {
  SmallVector<Extent> axes = operand.axes();
  size_t inner = axes.size() - operand.shape.size();
  return axis < inner ? axes[axis].text() : operand.labels[axis - inner];
}

/// `A` of `d:A` and of `d:A+1`.
static StringRef baseOf(StringRef name) {
  name.consume_front("d:");
  return name.split('+').first;
}

static Meaning meaningOf(const Operand& operand, bool isOfParam) {
  bool isCotangent = StringRef(operand.name).starts_with("d:");
  switch (operand.role) {
  case Role::In:
    return isCotangent ? Meaning::Cotangent : Meaning::Input;
  case Role::Param:
    return Meaning::Param;
  case Role::StateIn:
    return isCotangent ? Meaning::FinalStateCotangent : Meaning::InitialState;
  case Role::StateOut:
    return !isCotangent ? Meaning::FinalState
           : isOfParam  ? Meaning::ParamGradient
                        : Meaning::InitialStateGradient;
  case Role::Out:
    return isCotangent ? Meaning::Gradient : Meaning::Output;
  case Role::Temp:
  case Role::ChunkTemp:
  case Role::Row:
    break;
  }
  llvm_unreachable("no array of the caller's");
}

/// Words that no field may be called: those of C and C++, and the other fields.
static const StringSet<>& reservedWords() {
  static const StringSet<> words = [] {
    StringSet<> words;
    SmallVector<StringRef> all;
    StringRef("alignas alignof and and_eq asm auto bitand bitor bool break case catch char class "
              "compl concept const constexpr continue decltype default delete do double else enum "
              "explicit export extern false float for friend goto if inline int long mutable "
              "namespace new noexcept not not_eq nullptr operator or or_eq private protected "
              "public register requires restrict return short signed sizeof static struct switch "
              "template this thread_local throw true try typedef typeid typename union unsigned "
              "using virtual void volatile wchar_t while xor xor_eq linux unix "
              "sizes cu_seqlens cu_seqlens_on_host workspace workspace_bytes kept kept_bytes")
        .split(all, ' ');
    words.insert_range(all);
    return words;
  }();
  return words;
}

/// The name of an array in C. What is of a state tells which of the two it is of.
static std::string fieldOf(const Operand& operand, Meaning meaning) {
  std::string field;
  for (char c : operand.name)
    if (c == ':')
      field += '_';
    else
      field += isAlnum(c) ? c : '_';
  if (meaning == Meaning::InitialState || meaning == Meaning::InitialStateGradient)
    return field + "_in";
  if (meaning == Meaning::FinalState || meaning == Meaning::FinalStateCotangent)
    return field + "_out";
  return field;
}

void Bundle::connect() {
  StringSet<> params, taken;
  std::map<std::string, ssm::Scope, std::less<>> scopes;
  for (const Kernel& kernel : kernels)
    for (const Operand& operand : kernel.operands) {
      if (operand.role == Role::Param)
        params.insert(operand.name);
      if (operand.role == Role::Param || operand.role == Role::In)
        scopes.emplace(operand.name, operand.scope);
    }
  hasBackward = forward < kernels.size();
  for (auto [number, kernel] : enumerate(kernels))
    for (auto [index, operand] : enumerate(kernel.operands)) {
      unsigned pass = 1u << passOf(number);
      if (operand.isTemporary()) {
        size_t at = arrayOf(operand) - operands.size();
        if (at == temporaries.size())
          temporaries.push_back({operand});
        temporaries[at].passes |= pass;
        continue;
      }
      StringRef base = baseOf(operand.name);
      // The sum of a param's gradient starts at zero.
      if (operand.role == Role::StateIn && operand.name != base && params.contains(base))
        continue;
      auto found = find_if(operands, [&operand = operand](const BundleOperand& other) {
        return other.operand.name == operand.name && other.operand.role == operand.role;
      });
      if (found == operands.end()) {
        BundleOperand made{operand, meaningOf(operand, params.contains(base)), base.str(), ""};
        made.field = fieldOf(operand, made.meaning);
        while (reservedWords().contains(made.field) || !taken.insert(made.field).second)
          made.field += '_';
        if (made.meaning == Meaning::ParamGradient)
          made.sums.push_back("sequences");
        bool isGradient =
            made.meaning == Meaning::Gradient || made.meaning == Meaning::ParamGradient;
        if (auto scope = scopes.find(base);
            isGradient && scope != scopes.end() && scope->second != ssm::Scope::Head)
          made.sums.push_back(scope->second == ssm::Scope::Group ? "heads of a group" : "heads");
        found = operands.insert(operands.end(), std::move(made));
      }
      found->passes |= pass;
      for (const BundleImage& image : images)
        found->aligned |= any_of(image.kernels[number].aligned, [index = index](auto& entry) {
          return entry.first == int64_t(index);
        });
    }
}

size_t Bundle::arrayOf(const Operand& operand) const {
  if (operand.isTemporary()) {
    auto found = find_if(temporaries, [&](const BundleTemporary& other) {
      return other.operand.name == operand.name;
    });
    return operands.size() + (found - temporaries.begin());
  }
  auto found = find_if(operands, [&](const BundleOperand& other) {
    return other.operand.name == operand.name && other.operand.role == operand.role;
  });
  return found == operands.end() ? operands.size() + temporaries.size() : found - operands.begin();
}
