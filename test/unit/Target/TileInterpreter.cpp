#include "TileInterpreter.h"

#include "dialects/Tile/Tile.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::test;

namespace {
/// An array in row-major order of its type's axes.
struct Tensor {
  ssm::ArrayType type;
  std::vector<double> data;
};

/// Where along each label. Labels are few, and each is one string of the context wherever it is
/// written: most of them compare by where they lie.
class Position {
public:
  const int64_t* find(llvm::StringRef label) const {
    for (auto& [name, index] : entries)
      if (name.data() == label.data() || name == label)
        return &index;
    return nullptr;
  }
  int64_t at(llvm::StringRef label) const {
    if (const int64_t* index = find(label))
      return *index;
    llvm::report_fatal_error("no position along '" + label + "'");
  }
  int64_t& operator[](llvm::StringRef label) {
    if (const int64_t* index = find(label))
      return const_cast<int64_t&>(*index);
    return entries.emplace_back(label, 0).second;
  }

private:
  SmallVector<std::pair<llvm::StringRef, int64_t>, 6> entries;
};

struct Interpreter {
  Interpreter(tile::KernelOp kernel, ItemView item) : kernel(kernel), item(item) {}

  tile::KernelOp kernel;
  ItemView item;
  DenseMap<Value, Tensor> values;
  std::map<std::string, int64_t> folds; ///< positions of the folds around
  int64_t starts[2] = {0, 0}, counts[2] = {1, 1};
  std::map<std::string, int64_t> valid; ///< steps of the tile
  std::map<std::string, std::map<std::pair<int64_t, int64_t>, std::vector<double>>> rows;
  bool rowsReversed = false;

  void run(Block& block);
  void runOp(Operation& op);
  void runFold(ssm::FoldOp fold);
  void runSequence(tile::SequenceOp sequence);
  void load(tile::LoadOp load);
  void store(tile::StoreOp store);
  double pointwise(Operation& op, ArrayRef<double> x);
};
} // namespace

static Tensor empty(Type type) {
  auto array = cast<ssm::ArrayType>(type);
  return {array, std::vector<double>(array.getNumElements(), 0.0)};
}

static double& at(Tensor& tensor, const Position& position) {
  int64_t offset = 0;
  for (ssm::AxisAttr axis : tensor.type.getAxes())
    offset = offset * axis.getSize() + position.at(axis.getName());
  return tensor.data[offset];
}

/// Calls `body` for each position of a type.
static void forEach(ssm::ArrayType type, llvm::function_ref<void(const Position&)> body) {
  int64_t count = type.getNumElements();
  Position position;
  for (ssm::AxisAttr axis : type.getAxes())
    position[axis.getName()] = 0;
  for (int64_t i = 0; i < count; ++i) {
    body(position);
    for (ssm::AxisAttr axis : llvm::reverse(type.getAxes())) {
      int64_t& index = position[axis.getName()];
      if (++index < axis.getSize())
        break;
      index = 0;
    }
  }
}

double Interpreter::pointwise(Operation& op, ArrayRef<double> x) {
  return llvm::TypeSwitch<Operation*, double>(&op)
      .Case([&](ssm::AddOp) { return x[0] + x[1]; })
      .Case([&](ssm::SubOp) { return x[0] - x[1]; })
      .Case([&](ssm::MulOp) { return x[0] * x[1]; })
      .Case([&](ssm::DivOp) { return x[0] / x[1]; })
      .Case([&](ssm::NegOp) { return -x[0]; })
      .Case([&](ssm::MaxOp) { return std::max(x[0], x[1]); })
      .Case([&](ssm::MinOp) { return std::min(x[0], x[1]); })
      .Case([&](ssm::PowOp) { return std::pow(x[0], x[1]); })
      .Case([&](ssm::ExpOp) { return std::exp(x[0]); })
      .Case([&](ssm::LogOp) { return std::log(x[0]); })
      .Case([&](ssm::SqrtOp) { return std::sqrt(x[0]); })
      .Case([&](ssm::RsqrtOp) { return 1 / std::sqrt(x[0]); })
      .Case([&](ssm::AbsOp) { return std::fabs(x[0]); })
      .Case([&](ssm::SignOp) { return double((x[0] > 0) - (x[0] < 0)); })
      .Case([&](ssm::SinOp) { return std::sin(x[0]); })
      .Case([&](ssm::CosOp) { return std::cos(x[0]); })
      .Case([&](ssm::TanhOp) { return std::tanh(x[0]); })
      .Case([&](ssm::SigmoidOp) { return 1 / (1 + std::exp(-x[0])); })
      .Case([&](ssm::SoftplusOp) {
        return std::max(x[0], 0.0) + std::log1p(std::exp(-std::fabs(x[0])));
      })
      .Case([&](ssm::SiluOp) { return x[0] / (1 + std::exp(-x[0])); })
      .Case([&](ssm::ReluOp) { return std::max(x[0], 0.0); })
      .Case([&](ssm::SelectOp) { return x[0] != 0 ? x[1] : x[2]; })
      .Case([&](ssm::CastOp cast) { return cast.getType().isBool() ? double(x[0] != 0) : x[0]; })
      .Case([&](ssm::BroadcastOp) { return x[0]; })
      .Case([&](ssm::CmpOp cmp) {
        switch (cmp.getPredicate()) {
        case ssm::CmpPredicate::lt:
          return double(x[0] < x[1]);
        case ssm::CmpPredicate::le:
          return double(x[0] <= x[1]);
        case ssm::CmpPredicate::gt:
          return double(x[0] > x[1]);
        case ssm::CmpPredicate::ge:
          return double(x[0] >= x[1]);
        case ssm::CmpPredicate::eq:
          return double(x[0] == x[1]);
        case ssm::CmpPredicate::ne:
          return double(x[0] != x[1]);
        }
        return 0.0;
      })
      .Default([](Operation* other) {
        other->emitError("unknown to the test's interpreter");
        return std::numeric_limits<double>::quiet_NaN();
      });
}

void Interpreter::runOp(Operation& op) {
  if (auto fold = dyn_cast<ssm::FoldOp>(op))
    return runFold(fold);
  if (auto sequence = dyn_cast<tile::SequenceOp>(op))
    return runSequence(sequence);
  if (auto loadOp = dyn_cast<tile::LoadOp>(op))
    return load(loadOp);
  if (auto storeOp = dyn_cast<tile::StoreOp>(op))
    return store(storeOp);
  Tensor result = empty(op.getResult(0).getType());
  if (auto constant = dyn_cast<ssm::ConstantOp>(op)) {
    result.data[0] = constant.getValue().convertToDouble();
  } else if (auto positions = dyn_cast<ssm::PositionOp>(op)) {
    for (auto [i, value] : llvm::enumerate(result.data))
      value = double(i);
  } else if (auto last = dyn_cast<ssm::LastOp>(op)) {
    llvm::StringRef label = last.getLabel();
    int64_t count = valid.count(label.str()) ? valid[label.str()]
                                             : last.getOperand().getType().find(label).getSize();
    forEach(result.type, [&](const Position& position) {
      Position inner = position;
      inner[label] = count - 1;
      at(result, position) = at(values[last.getOperand()], inner);
    });
  } else if (isa<ssm::SumOp, ssm::MaximumOp>(op)) {
    Tensor& source = values[op.getOperand(0)];
    bool sum = isa<ssm::SumOp>(op);
    std::fill(result.data.begin(), result.data.end(), sum ? 0.0 : -INFINITY);
    forEach(source.type, [&](const Position& position) {
      double &to = at(result, position), value = at(source, position);
      to = sum ? to + value : std::max(to, value);
    });
  } else {
    SmallVector<Tensor*> operands;
    for (Value operand : op.getOperands())
      operands.push_back(&values[operand]);
    if (isa<ssm::AtOp, ssm::RelabelOp>(op)) {
      forEach(result.type, [&](const Position& position) {
        Position inner = position;
        if (auto atOp = dyn_cast<ssm::AtOp>(op))
          inner[atOp.getLabel()] = folds.at(atOp.getLabel().str());
        if (auto relabel = dyn_cast<ssm::RelabelOp>(op))
          for (auto [from, to] :
               llvm::zip(ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo())))
            inner[from] = position.at(to);
        at(result, position) = at(*operands[0], inner);
      });
    } else {
      SmallVector<double> x(operands.size());
      forEach(result.type, [&](const Position& position) {
        for (auto [value, operand] : llvm::zip(x, operands))
          value = at(*operand, position);
        at(result, position) = pointwise(op, x);
      });
    }
  }
  values[op.getResult(0)] = std::move(result);
}

void Interpreter::run(Block& block) {
  for (Operation& op : block)
    if (!isa<ssm::YieldOp, tile::YieldOp>(op))
      runOp(op);
}

void Interpreter::runFold(ssm::FoldOp fold) {
  std::string label = fold.getAxis().getName().str();
  int64_t count = valid.count(label) ? valid[label] : fold.getAxis().getSize();
  unsigned carried = fold.getNumCarried();
  std::vector<Tensor> state;
  for (Value init : fold.getInits())
    state.push_back(values[init]);
  std::vector<Tensor> stacked;
  for (Value result : fold.getResults().drop_front(carried))
    stacked.push_back(empty(result.getType()));
  for (int64_t step = 0; step < count; ++step) {
    folds[label] = fold.getReverse() ? count - 1 - step : step;
    for (unsigned i = 0; i < carried; ++i)
      values[fold.getBlock()->getArgument(i)] = state[i];
    run(*fold.getBlock());
    auto yielded = fold.getYield().getValues();
    for (unsigned i = 0; i < carried; ++i)
      state[i] = values[yielded[i]];
    for (auto [i, tensor] : llvm::enumerate(stacked)) {
      Tensor part = values[yielded[carried + i]];
      forEach(part.type, [&](const Position& position) {
        Position to = position;
        to[fold.getAxis().getName()] = folds[label];
        at(tensor, to) = at(part, position);
      });
    }
  }
  folds.erase(label);
  for (unsigned i = 0; i < carried; ++i)
    values[fold.getResult(i)] = state[i];
  for (auto [i, tensor] : llvm::enumerate(stacked))
    values[fold.getResult(carried + i)] = tensor;
}

void Interpreter::runSequence(tile::SequenceOp sequence) {
  int64_t axis = sequence.getTimeAxis(), tile = sequence.getTileSize();
  int64_t total = axis ? item.sizes.time1 : item.sizes.time, tiles = (total + tile - 1) / tile;
  std::vector<Tensor> state;
  for (Value init : sequence.getInits())
    state.push_back(values[init]);
  if (axis == 0)
    rowsReversed = sequence.getReverse();
  for (int64_t i = 0; i < tiles; ++i) {
    starts[axis] = (sequence.getReverse() ? tiles - 1 - i : i) * tile;
    counts[axis] = std::min(tile, total - starts[axis]);
    if (tile > 1)
      valid[sequence.getAxis().getName().str()] = counts[axis];
    for (auto [k, tensor] : llvm::enumerate(state))
      values[sequence.getBlock()->getArgument(k)] = tensor;
    run(*sequence.getBlock());
    for (auto [k, tensor] : llvm::enumerate(state))
      tensor = values[sequence.getYield().getValues()[k]];
  }
  valid.erase(sequence.getAxis().getName().str());
  starts[axis] = 0;
  counts[axis] = 1;
  for (auto [k, tensor] : llvm::enumerate(state))
    values[sequence.getResult(k)] = tensor;
}

static char roleLetter(tile::Role role) {
  switch (role) {
  case tile::Role::In:
    return 'i';
  case tile::Role::Param:
    return 'p';
  case tile::Role::StateIn:
    return 's';
  case tile::Role::StateOut:
    return 'S';
  case tile::Role::Out:
    return 'o';
  case tile::Role::Temp:
  case tile::Role::ChunkTemp:
    return 'T';
  case tile::Role::Row:
    return 'r';
  }
  return 'i';
}

static int64_t offsetOf(tile::OperandAttr operand, const Position& position, tile::Part part) {
  int64_t offset = 0;
  for (ssm::AxisAttr axis : operand.getAxes())
    offset = offset * axis.getSize() + position.at(axis.getName());
  bool complex = isa<ComplexType>(operand.getStorage());
  return complex ? 2 * offset + (part == tile::Part::Im) : offset;
}

/// The step along the two time axes that a position of a tile means.
static std::pair<int64_t, int64_t> stepOf(Operation* op, const Position& position,
                                          const int64_t* starts) {
  int64_t steps[2] = {starts[0], starts[1]};
  if (auto sequence = op->getParentOfType<tile::SequenceOp>())
    if (const int64_t* step = position.find(sequence.getAxis().getName()))
      steps[sequence.getTimeAxis()] += *step;
  return {steps[0], steps[1]};
}

void Interpreter::load(tile::LoadOp op) {
  tile::OperandAttr operand = kernel.getOperandAt(kernel.findLoaded(op.getName()));
  Tensor result = empty(op.getType());
  char role = roleLetter(operand.getRole());
  std::string name = op.getName().str();
  bool isNull = false;
  for (const Operand& declared : item.operands)
    isNull |= declared.name == name && declared.role == role && declared.null;
  auto otherwise = [&](const Position& position) {
    return op.getOtherwise() ? at(values[op.getOtherwise()], position) : 0.0;
  };
  forEach(result.type, [&](const Position& position) {
    auto [t, x] = stepOf(op, position, starts);
    double& to = at(result, position);
    bool timed = role != 'p' && role != 's';
    if (timed && (t >= item.sizes.time || x >= item.sizes.time1))
      return;
    int64_t offset = offsetOf(operand, position, op.getPart());
    if (role == 'r') {
      int64_t row = op.getRow().value_or(0), from = rowsReversed ? t + row : t - row;
      auto found = rows[name].find({from, x});
      to = found == rows[name].end() ? otherwise(position) : found->second[offset];
    } else if (isNull) {
      to = otherwise(position);
    } else {
      to = item.at(name, role, t, x)[offset];
    }
  });
  values[op] = std::move(result);
}

void Interpreter::store(tile::StoreOp op) {
  tile::OperandAttr operand = kernel.getOperandAt(kernel.findStored(op.getName()));
  Tensor& value = values[op.getValue()];
  char role = roleLetter(operand.getRole());
  int64_t size = isa<ComplexType>(operand.getStorage()) ? 2 : 1;
  for (ssm::AxisAttr axis : operand.getAxes())
    size *= axis.getSize();
  forEach(value.type, [&](const Position& position) {
    auto [t, x] = stepOf(op, position, starts);
    if (role != 'S' && (t >= item.sizes.time || x >= item.sizes.time1))
      return;
    int64_t offset = offsetOf(operand, position, op.getPart());
    if (role == 'r') {
      auto& row = rows[op.getName().str()][{t, x}];
      row.resize(size);
      row[offset] = at(value, position);
    } else {
      item.at(op.getName().str(), role, t, x)[offset] = at(value, position);
    }
  });
}

std::vector<Operand> ssmc::test::operandsOf(tile::KernelOp kernel) {
  std::vector<Operand> result;
  for (auto operand : kernel.getOperandsAttr().getAsRange<tile::OperandAttr>()) {
    if (operand.getRole() == tile::Role::Row)
      continue;
    Operand one;
    one.name = operand.getName().str();
    one.role = roleLetter(operand.getRole());
    llvm::raw_string_ostream(one.storage) << operand.getStorage();
    one.scope = operand.getScope() == ssm::Scope::Head    ? 'h'
                : operand.getScope() == ssm::Scope::Group ? 'g'
                                                          : 's';
    for (ssm::AxisAttr axis : operand.getAxes())
      one.axes.push_back(axis.getSize());
    result.push_back(one);
  }
  return result;
}

void ssmc::test::interpret(tile::KernelOp kernel, ItemView item) {
  Interpreter interpreter(kernel, item);
  interpreter.run(*kernel.getBlock());
}
