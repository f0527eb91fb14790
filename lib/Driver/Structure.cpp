#include "Structure.h"
#include "ExprText.h"
#include "Operands.h"
#include "Segments.h"

#include "ssmc/Analysis/Passes.h"
#include "ssmc/Derive/Passes.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

namespace {

class Explainer {
public:
  Explainer(ssm::RecurrenceOp declared, ssm::RecurrenceOp normal, Explanation& result)
      : declared(declared), normal(normal), text(declared, normal), result(result) {}
  void run();

private:
  void describeOperands();
  void describeStates();
  void describeSystem(ssm::SystemOp system);
  void describeDecay(ssm::DecayOp decay, SystemFacts& facts, bool single);
  void describeFeedback(ssm::FeedbackOp feedback, SystemFacts& facts, unsigned number);
  void describeInput(ssm::InputOp input, SystemFacts& facts, bool single);
  void describeOutputs();
  /// `prev(S[i,j])` as a term of a system reads it.
  std::string sourceText(StringRef source, ArrayRef<int64_t> by, mlir::ArrayAttr from,
                         mlir::ArrayAttr to);
  /// `i (K)`: the labels that a value varies over.
  std::string varies(ssm::ArrayType type);

  ssm::RecurrenceOp declared, normal;
  ExprText text;
  Explanation& result;
};

} // namespace

static std::string extentText(ssm::AxisAttr axis) {
  if (auto dim = dyn_cast<mlir::StringAttr>(axis.getExtent()))
    return dim.getValue().str();
  return std::to_string(axis.getSize());
}

std::string Explainer::varies(ssm::ArrayType type) {
  return join(map_range(type.getAxes(),
                        [&](ssm::AxisAttr axis) {
                          return text.label(axis.getName()) + " (" + extentText(axis) + ")";
                        }),
              " and ");
}

//===-- Declarations -------------------------------------------------------------------------===//

void Explainer::describeOperands() {
  struct Kind {
    const char *what, *remark;
    bool param;
    ssm::Scope scope;
  };
  for (const Kind& kind :
       {Kind{"in", "each step and head", false, ssm::Scope::Head},
        Kind{"in(group)", "each step and group of heads", false, ssm::Scope::Group},
        Kind{"in(shared)", "each step, shared by all heads", false, ssm::Scope::Shared},
        Kind{"param", "each head, constant in time", true, ssm::Scope::Head},
        Kind{"param(group)", "each group of heads, constant in time", true, ssm::Scope::Group},
        Kind{"param(shared)", "shared by all heads, constant in time", true, ssm::Scope::Shared}}) {
    std::string names;
    for (ssm::InOp in : declared.getBlock()->getOps<ssm::InOp>()) {
      if (bool(in.getParam()) != kind.param || in.getScope() != kind.scope)
        continue;
      SmallVector<std::string> extents;
      for (StringRef label : ssm::strings(in.getOrder()))
        extents.push_back(extentText(in.getType().find(label)));
      names += (names.empty() ? "" : ", ") + in.getName().str() +
               (extents.empty() ? "" : "[" + join(extents, ",") + "]") +
               (in.getType().isComplex() ? " : complex"
                : in.getType().isBool()  ? " : bool"
                                         : "");
    }
    if (!names.empty())
      result.operands.push_back({kind.what, names, kind.remark});
  }
}

void Explainer::describeStates() {
  for (ssm::StateOp state : normal.getBlock()->getOps<ssm::StateOp>()) {
    auto type = cast<ssm::ArrayType>(state.getType());
    SmallVector<std::string> axes;
    for (StringRef label : ssm::strings(state.getOrder()))
      axes.push_back(text.label(label) + ": " + extentText(type.find(label)));
    Polynomial bytes = Polynomial::elementsOf(type) * (type.isComplex() ? 8 : 4);
    std::string remark = bytes.text() + " bytes a head";
    if (auto size = bytes.evaluate(result.dims); size && !type.isScalar())
      remark += " = " + runtime::formatBytes(*size);
    if (state.getHidden())
      remark += "; a delay register: an earlier input";
    if (state.getInit())
      remark += "; starts at " + text.print(state.getInit());
    result.states.push_back({"state",
                             state.getName().str() +
                                 (axes.empty() ? "" : "[" + join(axes, ", ") + "]") +
                                 (type.isComplex() ? " : complex" : ""),
                             remark});
  }
}

//===-- Systems ------------------------------------------------------------------------------===//

std::string Explainer::sourceText(StringRef source, ArrayRef<int64_t> by, mlir::ArrayAttr from,
                                  mlir::ArrayAttr to) {
  auto rename = [&](StringRef label) {
    StringRef name = label;
    for (auto [old, fresh] : zip(ssm::strings(from), ssm::strings(to)))
      if (old == label)
        name = fresh;
    return text.label(name);
  };
  return text.state(source, by, rename);
}

void Explainer::describeDecay(ssm::DecayOp decay, SystemFacts& facts, bool single) {
  std::string source = sourceText(decay.getSource(), decay.getBy(), decay.getFrom(), decay.getTo());
  ssm::ArrayType type = ssm::ArrayType::get(decay.getContext(), ArrayRef<ssm::AxisAttr>(),
                                            mlir::Float32Type::get(decay.getContext()));
  for (mlir::Value part : decay->getOperands())
    type = type.unionWith(cast<ssm::ArrayType>(part.getType()));
  SmallVector<std::string> factors, remarks;
  if (facts.maxPlus) {
    if (decay.getLog())
      factors.push_back(text.print(decay.getLog()));
  } else {
    if (decay.getFactor())
      factors.push_back(text.printFactor(decay.getFactor()));
    if (decay.getLog())
      factors.push_back("exp(" + text.print(decay.getLog()) + ")");
    if (decay.getPhase())
      factors.push_back("cis(" + text.print(decay.getPhase()) + ")");
  }
  std::string formula = factors.empty() ? (facts.maxPlus ? "0" : "1") : join(factors, " * ");
  if (decay.getZero())
    formula = "select(" + text.print(decay.getZero()) + ", " + (facts.maxPlus ? "-inf" : "0") +
              ", " + formula + ")";
  if (!single || decay.getSource() != decay.getState())
    formula += (facts.maxPlus ? " + " : " * ") + source;
  if (decay->getNumOperands() == 0)
    remarks.push_back("nothing is forgotten");
  else
    remarks.push_back(type.isScalar() ? "one number for the whole state"
                                      : "varies over " + varies(type));
  if (!facts.maxPlus && decay->getNumOperands()) {
    mlir::Value factor = decay.getFactor();
    bool isConstant = factor && factor.getDefiningOp<ssm::ConstantOp>();
    remarks.push_back(decay.getLog() ? "logarithm known"
                      : isConstant   ? "a constant"
                                     : "no logarithm: may be zero or negative");
  }
  if (decay.getPhase())
    remarks.push_back("turns by a phase");
  if (decay.getZero())
    remarks.push_back("reset");
  facts.terms.push_back({"decay", formula, join(remarks, "; ")});
}

void Explainer::describeFeedback(ssm::FeedbackOp feedback, SystemFacts& facts, unsigned number) {
  std::string source =
      sourceText(feedback.getSource(), feedback.getBy(), feedback.getFrom(), feedback.getTo());
  std::string over = text.labels(ssm::strings(feedback.getOver()));
  std::string suffix = number ? std::to_string(number + 1) : "";
  bool dense = !feedback.getFrom().empty();
  facts.terms.push_back(
      {"feedback",
       fmt::format("u{0} * {1}[{2}](w{0} {3} {4})", suffix, facts.maxPlus ? "maximum" : "sum", over,
                   facts.maxPlus ? "+" : "*", source),
       dense ? "a dense matrix, contracts " + over : "rank 1, contracts " + over});
  facts.terms.push_back({"", "u" + suffix + " = " + text.print(feedback.getU()), ""});
  facts.terms.push_back({"", "w" + suffix + " = " + text.print(feedback.getW()), ""});
}

void Explainer::describeInput(ssm::InputOp input, SystemFacts& facts, bool single) {
  SmallVector<std::string> factors;
  for (mlir::Value factor : input.getFactors())
    factors.push_back(input.getFactors().size() > 1 ? text.printFactor(factor, /*tight=*/true)
                                                    : text.print(factor));
  std::string formula = join(factors, facts.maxPlus ? " + " : " ⊗ ");
  std::string remark;
  if (facts.isRegister)
    remark = "kept for the next step";
  else if (factors.size() > 1)
    remark = "outer product";
  auto state = normal.getState(input.getState());
  if (!single)
    remark += (remark.empty() ? "into " : ", into ") + state.getName().str();
  facts.terms.push_back({"input", formula, remark});
}

void Explainer::describeSystem(ssm::SystemOp system) {
  SystemFacts facts{.location = system.getLoc()};
  facts.maxPlus = system.getSemiring() == ssm::Semiring::MaxPlus;
  SmallVector<StringRef> states = ssm::strings(system.getStates());
  facts.isRegister =
      all_of(states, [&](StringRef name) { return bool(normal.getState(name).getHidden()); });
  for (StringRef name : states) {
    ssm::StateOp state = normal.getState(name);
    facts.complex |= cast<ssm::ArrayType>(state.getType()).isComplex();
    facts.states.push_back(text.name(name, ssm::strings(state.getOrder())));
  }
  bool single = states.size() == 1;
  unsigned stages = 0;
  for (ssm::StageOp stage : system.getBlock()->getOps<ssm::StageOp>()) {
    if (auto axis = stage.getAxis())
      facts.terms.push_back(
          {"then", "for each " + text.label(axis->getName()) + " below " + extentText(*axis),
           "steps inside one token"});
    else if (stages)
      facts.terms.push_back({"then", "", ""});
    ++stages;
    unsigned pairs = 0;
    for (mlir::Operation& op : *stage.getBlock()) {
      if (auto decay = dyn_cast<ssm::DecayOp>(op)) {
        unsigned decays = range_size(stage.getBlock()->getOps<ssm::DecayOp>());
        describeDecay(decay, facts, single && decays == 1);
      } else if (auto feedback = dyn_cast<ssm::FeedbackOp>(op)) {
        describeFeedback(feedback, facts, pairs++);
      } else if (auto input = dyn_cast<ssm::InputOp>(op)) {
        describeInput(input, facts, single);
      }
    }
  }
  facts.micro = stages - 1;
  classify(normal, system, facts);
  result.systems.push_back(std::move(facts));
}

//===-- Outputs ------------------------------------------------------------------------------===//

void Explainer::describeOutputs() {
  DenseMap<mlir::Value, StringRef> defined;
  for (ssm::UpdateOp update : normal.getBlock()->getOps<ssm::UpdateOp>())
    defined[update.getValue()] = update.getState();
  for (ssm::OutOp out : normal.getBlock()->getOps<ssm::OutOp>()) {
    llvm::SetVector<StringRef> before, after;
    SmallVector<mlir::Value> work = {out.getValue()};
    DenseSet<mlir::Value> seen;
    while (!work.empty()) {
      mlir::Value value = work.pop_back_val();
      if (!seen.insert(value).second)
        continue;
      mlir::Operation* op = value.getDefiningOp();
      if (auto system = dyn_cast_or_null<ssm::SystemOp>(op)) {
        StringRef name =
            ssm::strings(system.getStates())[cast<mlir::OpResult>(value).getResultNumber()];
        if (!normal.getState(name).getHidden())
          after.insert(name);
      } else if (StringRef state = defined.lookup(value); !state.empty()) {
        after.insert(state);
      } else if (auto prev = dyn_cast_or_null<ssm::PrevOp>(op)) {
        if (!normal.getState(prev.getState()).getHidden())
          before.insert(prev.getState());
      } else if (op) {
        work.append(op->operand_begin(), op->operand_end());
      }
    }
    std::string remark;
    if (!after.empty())
      remark = "reads " + join(after, ", ") + " after the update";
    if (!before.empty())
      remark += (remark.empty() ? "reads " : ", ") + join(before, ", ") + " before the update";
    result.outputs.push_back({"out",
                              text.name(out.getName(), ssm::strings(out.getOrder())) + " = " +
                                  text.print(out.getValue()),
                              remark});
  }
}

void Explainer::run() {
  describeOperands();
  describeStates();
  for (mlir::Operation& op : *normal.getBlock()) {
    if (auto system = dyn_cast<ssm::SystemOp>(op)) {
      describeSystem(system);
    } else if (auto update = dyn_cast<ssm::UpdateOp>(op)) {
      ssm::StateOp state = normal.getState(update.getState());
      SystemFacts facts{.location = update.getLoc()};
      facts.states.push_back(text.name(state.getName(), ssm::strings(state.getOrder())));
      if (auto reason = update->getAttrOfType<mlir::StringAttr>("nonlinear"))
        facts.nonlinear = reason.getValue().str();
      facts.terms.push_back({"step", text.printStep(update.getValue()), ""});
      facts.structure = "nonlinear";
      result.systems.push_back(std::move(facts));
    }
  }
  describeOutputs();
  // What no readout and no feedback contracts runs side by side.
  llvm::SetVector<StringRef> lanes;
  for (ssm::StateOp state : normal.getBlock()->getOps<ssm::StateOp>()) {
    llvm::SetVector<StringRef> contracted = contractedLabels(normal, state.getName());
    for (StringRef label : labelsOf(cast<ssm::ArrayType>(state.getType())))
      if (!contracted.contains(label))
        lanes.insert(label);
  }
  for (StringRef label : lanes)
    result.lanes.push_back(text.label(label));
}

/// What computes a state at the last step of a block, looked for among what is added up; null where
/// the steps before are not computed.
static mlir::Operation* computedBy(mlir::Value value) {
  mlir::Operation* op = value.getDefiningOp();
  if (auto sum = dyn_cast_or_null<ssm::AddOp>(op)) {
    mlir::Operation* found = computedBy(sum.getLhs());
    return found ? found : computedBy(sum.getRhs());
  }
  if (!isa_and_nonnull<ssm::LastOp>(op))
    return nullptr;
  while (isa_and_nonnull<ssm::LastOp, ssm::UnflattenOp>(op)) {
    value = op->getOperand(0);
    op = value.getDefiningOp();
  }
  return op;
}

/// How a form of blocks computes a state: by products over the steps of a block,
/// or at each of them.
static std::string treatmentOf(ssm::RecurrenceOp form, const SystemFacts& facts, StringRef state,
                               ssm::SystemOp system) {
  mlir::Operation* atEachStep = nullptr;
  form->walk([&](ssm::UpdateOp update) {
    if (update.getState() == state)
      atEachStep = computedBy(update.getValue());
  });
  auto has = [&](auto kind) {
    return system->walk([&](decltype(kind)) { return mlir::WalkResult::interrupt(); })
        .wasInterrupted();
  };
  if (!atEachStep)
    return has(ssm::FeedbackOp()) ? "Gram + solve" : "Gram";
  if (auto scan = dyn_cast<ssm::MatrixScanOp>(atEachStep))
    return scan.getInitial().front().getDefiningOp<ssm::PrevOp>() ? "scan of matrices"
                                                                  : "dense blocks";
  if (isa<ssm::FoldOp>(atEachStep))
    return "one step after another";
  return !has(ssm::DecayOp()) ? "shift in time" : facts.maxPlus ? "scan of (max, +)" : "scan";
}

/// Asks the derivations which forms of blocks there are.
static Error findBlockForms(ssm::RecurrenceOp normal, const Options& options, Explanation& result) {
  SmallVector<ssm::SystemOp> systems(normal.getBlock()->getOps<ssm::SystemOp>());
  auto linear = make_filter_range(result.systems,
                                  [](const SystemFacts& facts) { return facts.nonlinear.empty(); });
  for (Form form : {Form::Chunked, Form::Scan}) {
    BlockForm& found = result.blockForms.emplace_back(BlockForm{form});
    found.chunk = options.chunk.value_or(defaultChunk(form));
    for (const Candidate& candidate : result.choice.candidates)
      if (candidate.form.form == form)
        found.chunk = *candidate.form.chunk;
    ssm::RecurrenceOp copy;
    mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(normal, copy);
    Expected<ssm::RecurrenceOp> derived =
        deriveBlocks(copy, {result.dims, runtime::DType::F32, form, found.chunk}, found.reason);
    if (!derived)
      return derived.takeError();
    if (!*derived)
      continue;
    raw_string_ostream(found.program) << *derived;
    for (auto [facts, system] : zip(linear, systems))
      (form == Form::Scan ? facts.scan : facts.chunked) =
          treatmentOf(*derived, facts, ssm::strings(system.getStates()).front(), system);
  }
  return Error::success();
}

Expected<Explanation> driver::explain(ssm::RecurrenceOp declared, const Options& options,
                                      std::optional<Situation> situation) {
  Explanation result;
  result.situation = std::move(situation);
  result.name = declared.getSymName().str();
  auto dims = dimSizes(declared, options, /*needAll=*/false);
  if (!dims)
    return dims.takeError();
  result.dims = std::move(*dims);
  if (Error error = checkStepSizes(declared, result.dims))
    return std::move(error);
  ssm::RecurrenceOp normal;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(declared, normal);
  normal = analysis::normalize(normal);
  Explainer(declared, normal, result).run();
  if (result.situation) {
    LoweringOptions lowering{result.dims, options.dtype.value_or(runtime::DType::F32), Form::Auto,
                             options.chunk, options.precision};
    Expected<Choice> choice = chooseForm(normal, lowering, *result.situation);
    if (!choice)
      return choice.takeError();
    result.choice = std::move(*choice);
  }
  if (Error error = findBlockForms(normal, options, result))
    return std::move(error);
  LoweringOptions lowering{result.dims};
  for (const BlockForm& form : reverse(result.blockForms))
    if (form.reason.empty())
      std::tie(lowering.form, lowering.chunk) = std::pair(form.form, form.chunk);
  auto summaries = describeSummaries(declared, lowering, result.noSummaries);
  if (!summaries)
    return summaries.takeError();
  result.summaries = std::move(*summaries);
  mlir::FailureOr<ssm::RecurrenceOp> form = derive::deriveRecurrent(normal);
  if (mlir::failed(form))
    return make_error<ReportedError>();
  result.passes = range_size(form->getBlock()->getOps<ssm::PassOp>());
  result.costs = costsOf(declared, *form);
  return result;
}
