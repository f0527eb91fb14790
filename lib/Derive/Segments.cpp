// The summary of a span of steps, derived from the chunk that computes the steps: see
// ssmc/Derive/Segments.h.
//
// Worked on the delta rule in chunks: S' = S + kT p, with p the solution of p = b v - b (k S + L
// p). Its linear part drops what S is not in, v: dS' = dS + kT dp, dp = -b (k dS + L dp). Both are
// copied into one chunk, which carries Q through the first, from 0, and P[K, K0] through the
// second, from the identity; the matrix L is the same for both.
#include "ssmc/Derive/Segments.h"
#include "LinearPart.h"
#include "SpanMaps.h"
#include "ssmc/Derive/Passes.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::derive;

namespace {

/// The states of a chunk whose maps are found together: none of them is in a coefficient of
/// another.
struct Level {
  StateSet states, below;
};

class ChunkSegments {
public:
  ChunkSegments(RecurrenceOp form, ChunkOp chunk, StringRef name)
      : form(form), chunk(chunk), name(name), dependence(chunk) {}
  LogicalResult run(OpBuilder& builder, SpanMap& map);
  std::string reason;

private:
  bool onlyAddsUp(size_t state);
  std::vector<Level> findLevels(const StateSet& without);
  LogicalResult summarize(OpBuilder& builder, const Level& level, StringRef name,
                          SpanLevel& result);
  LogicalResult summarize(OpBuilder& builder, const Level& level, StringRef name, Semiring semiring,
                          SpanLevel& result);
  /// Carries the identity through the linear part of the chunk; false where the types are not wide
  /// enough yet.
  FailureOr<bool> addTransitions(OpBuilder& b, size_t from, const Level& level, const Slice& slice,
                                 const IRMapping& plain, const SpanLevel& result, SpanTypes& types);
  StateOp stateOf(size_t number) { return form.getState(dependence.nameOf(number)); }

  RecurrenceOp form;
  ChunkOp chunk;
  StringRef name;
  Dependence dependence;
};

} // namespace

/// S' = S + g, and nobody else reads S.
bool ChunkSegments::onlyAddsUp(size_t state) {
  for (size_t other = 0; other < dependence.size(); ++other)
    if (other != state && dependence.reach(other)[state])
      return false;
  UpdateOp update = dependence.updateOf(state);
  auto add = update.getValue().getDefiningOp<AddOp>();
  unsigned reads = 0;
  for (PrevOp prev : chunk.getBlock()->getOps<PrevOp>())
    if (prev.getState() == update.getState())
      for (Operation* user : prev->getUsers()) {
        ++reads;
        if (user != add)
          return false;
      }
  return add && add->hasOneUse() && reads == 1;
}

std::vector<Level> ChunkSegments::findLevels(const StateSet& without) {
  std::vector<Level> levels;
  StateSet done = dependence.none();
  while (true) {
    Level level{dependence.none(), done};
    for (size_t state = 0; state < dependence.size(); ++state) {
      if (done[state] || without[state])
        continue;
      bool ready = true;
      for (unsigned other : dependence.reach(state).set_bits())
        ready &= done[other] || dependence.isCoupled(state, other);
      if (ready)
        level.states.set(state);
    }
    if (level.states.none())
      return levels;
    // Of the states before it a level needs those that it reads.
    StateSet read = dependence.none();
    for (unsigned state : level.states.set_bits())
      read |= dependence.reach(state);
    level.below &= read;
    done |= level.states;
    levels.push_back(level);
  }
}

/// Ops of the form that a slice reads, and states that are taken over as they are.
static void cloneTop(RecurrenceOp form, const Slice& slice, OpBuilder& b, IRMapping& mapping) {
  for (Operation& op : *form.getBlock())
    if (op.getNumResults() && !isa<ChunkOp>(op))
      slice.clone(&op, b, mapping);
}

FailureOr<bool> ChunkSegments::addTransitions(OpBuilder& b, size_t from, const Level& level,
                                              const Slice& slice, const IRMapping& plain,
                                              const SpanLevel& result, SpanTypes& types) {
  StateSet active = dependence.none();
  for (unsigned to : level.states.set_bits())
    if (to == from || dependence.reach(to)[from])
      active.set(to);
  LinearPart linear(b, result.semiring, dependence, level.states, active, slice, result.mixed,
                    plain);
  llvm::StringMap<Value> before;
  for (PrevOp prev : chunk.getBlock()->getOps<PrevOp>())
    for (unsigned to : active.set_bits())
      if (prev.getState() == dependence.nameOf(to) && slice.contains(prev)) {
        Value& start = before[prev.getState()];
        std::string name = transitionName(dependence.nameOf(to), dependence.nameOf(from));
        if (!start)
          start = PrevOp::create(b, prev.getLoc(), types[name], name, prev.getBy());
        linear.set(prev, start);
      }
  if (failed(linear.run(*chunk.getBlock()))) {
    reason = linear.reason;
    return failure();
  }
  bool fits = true;
  for (unsigned to : active.set_bits()) {
    UpdateOp update = dependence.updateOf(to);
    std::string name = transitionName(dependence.nameOf(to), dependence.nameOf(from));
    Value part = linear.get(update.getValue());
    if (!part)
      part = LinearPart::zero(b, update.getLoc(), result.semiring, types[name]);
    fits &= types.widen(name, cast<ArrayType>(part.getType()));
    if (fits)
      UpdateOp::create(b, update.getLoc(), name, LinearPart::fit(b, part, types[name]));
  }
  return fits;
}

LogicalResult ChunkSegments::summarize(OpBuilder& builder, const Level& level, StringRef name,
                                       Semiring semiring, SpanLevel& result) {
  result.semiring = semiring;
  StateSet all = level.states;
  all |= level.below;
  Slice slice;
  for (unsigned state : all.set_bits()) {
    slice.add(dependence.updateOf(state).getValue());
    if (Value init = stateOf(state).getInit(); init && level.below[state])
      slice.add(init);
  }
  result.mixed = mixedLabels(chunk, dependence, level.states, slice);
  result.columns = freshLabels(form, result.mixed);
  result.states.clear();
  result.transitions.clear();
  SpanTypes types;
  for (unsigned from : level.states.set_bits()) {
    result.states.push_back(dependence.nameOf(from).str());
    for (unsigned to : level.states.set_bits())
      if (to == from || dependence.reach(to)[from])
        types.add(result, stateOf(to), stateOf(from));
  }
  while (true) {
    types.close(result);
    auto fresh = RecurrenceOp::create(builder, chunk.getLoc(), name, form.getTime(), form.getDims(),
                                      builder.getStringAttr((*form.getForm() + " summary").str()));
    OpBuilder outer = OpBuilder::atBlockEnd(&fresh.getBody().emplaceBlock());
    IRMapping mapping;
    cloneTop(form, slice, outer, mapping);
    for (unsigned state : all.set_bits()) {
      StateOp old = stateOf(state);
      Value init;
      if (level.below[state])
        init = old.getInit() ? mapping.lookup(old.getInit()) : Value();
      else if (semiring == Semiring::MaxPlus)
        init = ConstantOp::create(outer, old.getLoc(), -INFINITY);
      StateOp::create(outer, old.getLoc(), old.getName(), old.getOrder(), old.getType(),
                      old.getHidden(), init);
    }
    types.declare(outer, result, form);
    auto made = ChunkOp::create(outer, chunk.getLoc(), chunk.getAxis(), chunk.getReverseAttr());
    OpBuilder b = OpBuilder::atBlockEnd(&made.getBody().emplaceBlock());
    slice.clone(*chunk.getBlock(), b, mapping);
    for (unsigned state : all.set_bits()) {
      UpdateOp update = dependence.updateOf(state);
      UpdateOp::create(b, update.getLoc(), update.getState(),
                       mapping.lookupOrDefault(update.getValue()));
    }
    bool fits = true;
    for (unsigned from : level.states.set_bits()) {
      FailureOr<bool> wide = addTransitions(b, from, level, slice, mapping, result, types);
      if (failed(wide)) {
        fresh.erase();
        return failure();
      }
      fits &= *wide;
    }
    if (fits) {
      result.summary = fresh;
      return success();
    }
    fresh.erase();
  }
}

LogicalResult ChunkSegments::summarize(OpBuilder& builder, const Level& level, StringRef name,
                                       SpanLevel& result) {
  if (succeeded(summarize(builder, level, name, Semiring::PlusTimes, result)))
    return success();
  std::string saved = reason;
  if (succeeded(summarize(builder, level, name, Semiring::MaxPlus, result)))
    return success();
  reason = saved;
  return failure();
}

LogicalResult ChunkSegments::run(OpBuilder& builder, SpanMap& map) {
  StateSet sums = dependence.none();
  for (size_t state = 0; state < dependence.size(); ++state)
    if (onlyAddsUp(state)) {
      sums.set(state);
      map.sums.push_back(dependence.nameOf(state).str());
    }
  for (auto [number, level] : llvm::enumerate(findLevels(sums))) {
    std::string suffix = number ? "_level" + std::to_string(number) : "";
    SpanLevel& made = map.levels.emplace_back();
    if (failed(summarize(builder, level, (name + suffix + "_summary").str(), made)))
      return failure();
    made.compose = makeCompose(builder, form, made, (name + suffix + "_compose").str());
    made.apply = makeApply(builder, form, made, (name + suffix + "_apply").str());
  }
  return success();
}

FailureOr<std::vector<SpanMap>> derive::deriveSegments(RecurrenceOp form, std::string& reason) {
  if (form.getNumTimeAxes() != 1) {
    reason = "there are two time axes";
    return failure();
  }
  if (!form.getBlock()->getOps<PassOp>().empty()) {
    reason = "its passes are to be blocked first";
    return failure();
  }
  OpBuilder builder(form);
  builder.setInsertionPointAfter(form);
  std::vector<SpanMap> maps;
  for (ChunkOp chunk : form.getBlock()->getOps<ChunkOp>()) {
    std::string name = form.getSymName().str();
    if (!maps.empty())
      name += "_" + std::to_string(maps.size());
    ChunkSegments segments(form, chunk, name);
    SpanMap& map = maps.emplace_back();
    if (succeeded(segments.run(builder, map)))
      continue;
    reason = segments.reason;
    for (SpanMap& made : maps)
      for (SpanLevel& level : made.levels)
        for (RecurrenceOp op : {level.summary, level.compose, level.apply})
          if (op)
            op.erase();
    return failure();
  }
  return maps;
}
