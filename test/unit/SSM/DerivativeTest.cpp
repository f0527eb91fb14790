// The derivative rules of every op against finite differences of the reference, in f64.
//
// For a cotangent g of an op's result z, L = Re(sum conj(g) z) is a real function of the operands.
// What the rules give for an operand must be L's gradient: its real part the derivative by the real
// part of an element, its imaginary part that by the imaginary part.
#include "Reference/Fixture.h"
#include "dialects/SSM/SSMFormula.h"

using namespace ssmc;
using namespace ssmc::test;
using mlir::Value;
using runtime::DType;

namespace {

constexpr int64_t sizeOfK = 3, sizeOfV = 2;

/// Values of an array, complex ones as pairs.
struct Values {
  std::string name;
  std::vector<int64_t> shape{1, 1, 1}; // batch, time, head
  DType dtype;
  std::vector<double> numbers;
};

/// Distinct numbers between low and low + 1.4.
Values makeValues(const std::string& name, ssm::ArrayType type, unsigned seed, double low) {
  Values values{name, {1, 1, 1}, type.isComplex() ? DType::Complex128 : DType::F64, {}};
  int64_t count = type.isComplex() ? 2 : 1;
  for (ssm::AxisAttr axis : type.getAxes()) {
    values.shape.push_back(axis.getName() == "i" ? sizeOfK : sizeOfV);
    count *= values.shape.back();
  }
  for (int64_t n = 0; n < count; ++n) {
    double turn = 0.6180339887498949 * double(n + 1) + 0.37 * seed;
    values.numbers.push_back(low + 1.4 * (turn - std::floor(turn)));
    if (type.isBool())
      values.numbers.back() = n % 2;
  }
  return values;
}

runtime::Array toArray(const Values& values) {
  runtime::Array array = UNWRAP(runtime::Array::create(values.dtype, values.shape));
  runtime::fromDoubles(values.dtype, values.numbers.data(), array.getNumElements(),
                       array.getData());
  return array;
}

std::vector<double> fromArray(const runtime::Array& array) {
  std::vector<double> numbers(array.getNumElements() *
                              (runtime::isComplex(array.getDType()) ? 2 : 1));
  runtime::toDoubles(array.getDType(), array.getData(), array.getNumElements(), numbers.data());
  return numbers;
}

mlir::ArrayAttr orderOf(Value value) {
  llvm::SmallVector<llvm::StringRef> labels;
  for (ssm::AxisAttr axis : mlir::cast<ssm::ArrayType>(value.getType()).getAxes())
    labels.push_back(axis.getName());
  return mlir::Builder(value.getContext()).getStrArrayAttr(labels);
}

/// Checks the rules of `%z = ssm.<op>`, whose operands %x, %y, %w have these types. The values of
/// the operands begin at `low`.
void checkRules(const std::string& op, std::vector<std::string> types, double low = 0.3) {
  const char* names[] = {"x", "y", "w"};
  std::string text;
  for (size_t n = 0; n < types.size(); ++n) {
    std::string order = types[n].find("i:") == std::string::npos ? "" : "i";
    if (types[n].find("j:") != std::string::npos)
      order += order.empty() ? "j" : ", j";
    text += "%" + std::string(names[n]) + " = ssm.in \"" + names[n] + "\" [" + order +
            "] : " + types[n] + "\n";
  }
  Program program(text + "%z = ssm." + op + "\n");
  mlir::Operation* z = &program.recurrence.getBlock()->back();
  mlir::OpBuilder builder(z->getContext());
  builder.setInsertionPointToEnd(program.recurrence.getBlock());
  Value g = ssm::InOp::create(builder, z->getLoc(), z->getResult(0).getType(), "g",
                              orderOf(z->getResult(0)), /*param=*/false, ssm::Scope::Head);
  auto output = [&](const std::string& name, Value value) {
    ssm::OutOp::create(builder, z->getLoc(), name, orderOf(value), /*temp=*/false, value);
  };
  output("z", z->getResult(0));
  std::vector<bool> flows;
  for (unsigned k = 0; k < z->getNumOperands(); ++k) {
    Value back;
    if (auto linear = mlir::dyn_cast<ssm::LinearOpInterface>(z))
      back = linear.transpose(builder, g);
    else
      back = ssm::pullBack(mlir::cast<ssm::DifferentiableOpInterface>(z), builder, k, g);
    flows.push_back(bool(back));
    if (!back)
      continue;
    if (back.getType() != z->getOperand(k).getType())
      return fail(__FILE__, __LINE__, op + ": a cotangent has another type than its operand");
    output("g" + std::to_string(k), back);
  }

  std::vector<Values> values;
  for (unsigned k = 0; k < z->getNumOperands(); ++k)
    values.push_back(
        makeValues(names[k], mlir::cast<ssm::ArrayType>(z->getOperand(k).getType()), k, low));
  values.push_back(makeValues("g", mlir::cast<ssm::ArrayType>(g.getType()), 7, -0.7));
  auto run = [&] {
    runtime::ArrayMap operands;
    for (const Values& each : values)
      operands.emplace(each.name, toArray(each));
    return UNWRAP(program.run(sizesOf({1}, sizeOfK, sizeOfV), operands)).outputs;
  };
  auto loss = [&] {
    double sum = 0;
    std::vector<double> found = fromArray(run().at("z"));
    for (size_t n = 0; n < found.size(); ++n)
      sum += found[n] * values.back().numbers[n];
    return sum;
  };

  runtime::ArrayMap base = run();
  for (unsigned k = 0; k < z->getNumOperands(); ++k) {
    if (values[k].numbers.empty() ||
        mlir::cast<ssm::ArrayType>(z->getOperand(k).getType()).isBool())
      continue;
    std::vector<double> found(values[k].numbers.size(), 0.0);
    if (flows[k])
      found = fromArray(base.at("g" + std::to_string(k)));
    for (size_t n = 0; n < found.size(); ++n) {
      constexpr double h = 1e-5;
      double& element = values[k].numbers[n];
      double kept = std::exchange(element, element + h);
      double above = loss();
      element = kept - h;
      double below = loss();
      element = kept;
      double expected = (above - below) / (2 * h);
      if (!near(found[n], expected, 1e-8))
        fail(__FILE__, __LINE__,
             op + ": operand " + std::to_string(k) + " element " + std::to_string(n) + " has " +
                 std::to_string(found[n]) + ", expected " + std::to_string(expected));
    }
  }
}

const std::string ik = "[i: K]", ikjv = "[i: K, j: V]", complexIk = "[i: K] complex<f32>",
                  complexIkjv = "[i: K, j: V] complex<f32>";

} // namespace

TEST(unaryReal) {
  for (const char* op : {"neg", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid",
                         "softplus", "silu", "abs", "sign", "relu", "cis", "conj", "real", "imag"})
    checkRules(std::string(op) + " %x : " + ik, {ik});
  for (const char* op : {"neg", "exp", "sin", "cos", "tanh", "sigmoid", "softplus", "silu", "abs",
                         "sign", "relu", "cis"})
    checkRules(std::string(op) + " %x : " + ik, {ik}, -1.9);
}

TEST(unaryComplex) {
  for (const char* op : {"neg", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid",
                         "softplus", "silu", "abs", "conj", "real", "imag"})
    checkRules(std::string(op) + " %x : " + complexIk, {complexIk});
}

TEST(binaryReal) {
  for (const char* op : {"add", "sub", "mul", "div", "pow", "max", "min"}) {
    checkRules(std::string(op) + " %x, %y : " + ik + ", " + ikjv, {ik, ikjv});
    checkRules(std::string(op) + " %x, %y : " + ikjv + ", []", {ikjv, "[]"});
  }
}

TEST(binaryComplex) {
  for (const char* op : {"add", "sub", "mul", "div", "pow"}) {
    checkRules(std::string(op) + " %x, %y : " + complexIk + ", " + complexIkjv,
               {complexIk, complexIkjv});
    checkRules(std::string(op) + " %x, %y : " + ik + ", " + complexIkjv, {ik, complexIkjv});
  }
}

TEST(choices) {
  checkRules("select %x, %y, %w : [i: K] i1, [i: K], [i: K, j: V]", {"[i: K] i1", ik, ikjv});
  checkRules("select %x, %y, %w : [i: K] i1, [i: K], [i: K, j: V] complex<f32>",
             {"[i: K] i1", ik, complexIkjv});
  checkRules("maximum %x over [i] : [i: K, j: V]", {ikjv});
}

TEST(labels) {
  checkRules("sum %x over [i] : [i: K, j: V]", {ikjv});
  checkRules("sum %x over [i, j] : [i: K, j: V] complex<f32>", {complexIkjv});
  checkRules("broadcast %x : [i: K] to [i: K, j: V]", {ik});
  checkRules("broadcast %x : [] to [i: K, j: V]", {"[]"});
  checkRules("cast %x : [i: K] to [i: K] complex<f32>", {ik});
  checkRules("cast %x : [i: K] i1 to [i: K]", {"[i: K] i1"});
}

/// A relabel back gives the cotangent its old name.
TEST(relabel) {
  Program program("%x = ssm.in \"x\" [i] : [i: K]\n%z = ssm.relabel %x [i] to [l] : [i: K]\n");
  mlir::Operation* z = &program.recurrence.getBlock()->back();
  mlir::OpBuilder builder(z->getContext());
  builder.setInsertionPointAfter(z);
  Value back = mlir::cast<ssm::LinearOpInterface>(z).transpose(builder, z->getResult(0));
  CHECK(back && back.getType() == z->getOperand(0).getType());
}

/// Where two values tie each has half, where one is larger by an infinity all is its own.
TEST(ties) {
  Program program(R"(
    %x = ssm.in "x" [] : []
    %y = ssm.in "y" [] : []
    %z = ssm.max %x, %y : [], []
  )");
  mlir::Operation* z = &program.recurrence.getBlock()->back();
  mlir::OpBuilder builder(z->getContext());
  builder.setInsertionPointAfter(z);
  Value partial = mlir::cast<ssm::DifferentiableOpInterface>(z).partial(builder, 0);
  ssm::OutOp::create(builder, z->getLoc(), "d", builder.getStrArrayAttr({}), false, partial);
  constexpr double inf = std::numeric_limits<double>::infinity();
  auto results =
      UNWRAP(program.run(sizesOf({4}), mapOf({{"x", arrayOf({1, 4, 1}, {1, 2, -inf, -inf})},
                                              {"y", arrayOf({1, 4, 1}, {1, 1, 1, -inf})}})));
  CHECK_ARRAY(results.outputs, "d", {0.5, 1, 0, 0.5});
}
