// Times ggml's recurrent ops on the CPU or through Vulkan, with ggml's public API only, and can
// dump what it computed, so that the numbers can be held against any other implementation of the
// recurrence.
//
//   ggml_ops --op gated_delta_rule --dims K=128,V=128 --batch 1 --heads 16 --time 1024
//            [--backend cpu|vulkan] [--threads 1] [--repeat 20] [--warmup 3] [--dump DIR]
//
// Inputs are drawn in the layout and meaning of the declarations in zoo/ ([B, T, H, dims...], gates
// as logarithms, time steps after softplus, states [B, H, dims...]), converted to what each ggml op
// wants and put into the back end's memory before the clock starts. Only the computation of a graph
// of one op is timed, from the call to the end of the wait for it: through Vulkan that is recording
// and submitting its commands, running them and waiting, but no copy to or from the device. A
// sample is the mean of so many computations, one after another, as fill about two milliseconds.
// One JSON object a run is printed on stdout. Exit code 2 where the back end is absent, or lacks
// the op at these sizes.

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"
#ifdef GGML_USE_VULKAN // which the CMake target ggml sets where it has that back end
#include "ggml-vulkan.h"
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

/// Leaves without destructors, some of which abort where a driver is not fully set up.
[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "ggml_ops: %s\n", message.c_str());
  std::_Exit(2);
}

//===----------------------------------------------------------------------===//
// Arrays in C order, and .npy files
//===----------------------------------------------------------------------===//

struct Array {
  std::vector<int64_t> shape;
  std::vector<float> data;

  Array() = default;
  explicit Array(std::vector<int64_t> s) : shape(std::move(s)) {
    int64_t n = 1;
    for (int64_t d : shape)
      n *= d;
    data.assign(size_t(n), 0.0f);
  }
};

void writeNpy(const std::string& path, const Array& array) {
  std::string dims;
  for (int64_t d : array.shape)
    dims += std::to_string(d) + ", ";
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + dims + "), }";
  // Magic, version and length take 10 bytes; the data starts at a multiple of 64.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  FILE* file = std::fopen(path.c_str(), "wb");
  if (!file)
    fail("cannot write " + path);
  const unsigned char start[10] = {0x93,
                                   'N',
                                   'U',
                                   'M',
                                   'P',
                                   'Y',
                                   1,
                                   0,
                                   static_cast<unsigned char>(header.size() & 255),
                                   static_cast<unsigned char>(header.size() >> 8)};
  bool ok = std::fwrite(start, 1, 10, file) == 10 &&
            std::fwrite(header.data(), 1, header.size(), file) == header.size() &&
            std::fwrite(array.data.data(), 4, array.data.size(), file) == array.data.size();
  if (std::fclose(file) != 0 || !ok)
    fail("cannot write " + path);
}

/// Swaps the two innermost axes: ggml keeps some states as [value][key].
Array transposeInner(const Array& in) {
  Array out = in;
  size_t rank = in.shape.size();
  int64_t rows = in.shape[rank - 2], cols = in.shape[rank - 1];
  std::swap(out.shape[rank - 2], out.shape[rank - 1]);
  int64_t matrices = int64_t(in.data.size()) / (rows * cols);
  for (int64_t m = 0; m < matrices; ++m)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c)
        out.data[size_t((m * cols + c) * rows + r)] = in.data[size_t((m * rows + r) * cols + c)];
  return out;
}

Array map(Array in, const std::function<double(double)>& f) {
  for (float& x : in.data)
    x = float(f(x));
  return in;
}

//===----------------------------------------------------------------------===//
// Random inputs that keep the state bounded
//===----------------------------------------------------------------------===//

class Random {
public:
  explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15ull + 1) {}

  float uniform(float low, float high) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return low + (high - low) * float(double(state >> 11) * 0x1p-53);
  }

  Array array(std::vector<int64_t> shape, float low, float high) {
    Array a(std::move(shape));
    for (float& x : a.data)
      x = uniform(low, high);
    return a;
  }

  /// Rows of length one along the last axis.
  Array directions(std::vector<int64_t> shape) {
    Array a = array(std::move(shape), -1.0f, 1.0f);
    size_t n = size_t(a.shape.back());
    for (size_t i = 0; i < a.data.size(); i += n) {
      double sum = 0;
      for (size_t j = 0; j < n; ++j)
        sum += double(a.data[i + j]) * a.data[i + j];
      for (size_t j = 0; j < n; ++j)
        a.data[i + j] = float(a.data[i + j] / std::sqrt(sum));
    }
    return a;
  }

private:
  uint64_t state;
};

//===----------------------------------------------------------------------===//
// One op: its operands as declared in the zoo, and as ggml wants them
//===----------------------------------------------------------------------===//

struct Shape {
  int64_t batch = 1, time = 1024, heads = 16, groups = 1;
  std::map<std::string, int64_t> dims;

  int64_t dim(const char* name) const {
    auto it = dims.find(name);
    if (it == dims.end())
      fail(std::string("--dims must bind ") + name);
    return it->second;
  }
};

class Problem {
public:
  Problem(ggml_context* context, const Shape& shape, uint64_t seed)
      : context(context), shape(shape), random(seed) {}

  /// Records an operand under its name in the declaration.
  const Array& in(const std::string& name, Array array) { return inputs[name] = std::move(array); }

  /// A ggml tensor (sizes innermost first) to be filled with the array once it has memory.
  ggml_tensor* tensor(const Array& array, std::vector<int64_t> sizes) {
    ggml_tensor* t = ggml_new_tensor(context, GGML_TYPE_F32, int(sizes.size()), sizes.data());
    if (size_t(ggml_nelements(t)) != array.data.size())
      fail("internal: a tensor's size differs from its array's");
    fills.emplace_back(t, array.data);
    return t;
  }

  /// The sequences that the batch is made of, for ops that look their states up.
  ggml_tensor* sequenceIndices() {
    indices = ggml_new_tensor_1d(context, GGML_TYPE_I32, shape.batch);
    return indices;
  }

  void fill() {
    for (auto& [t, data] : fills)
      ggml_backend_tensor_set(t, data.data(), 0, data.size() * sizeof(float));
    if (indices) {
      std::vector<int32_t> ids(static_cast<size_t>(shape.batch));
      for (size_t i = 0; i < ids.size(); ++i)
        ids[i] = int32_t(i);
      ggml_backend_tensor_set(indices, ids.data(), 0, ids.size() * sizeof(int32_t));
    }
    fills.clear();
  }

  ggml_context* context;
  Shape shape;
  Random random;
  std::map<std::string, Array> inputs;

  // What the op leaves: the output, then the new state, in one tensor.
  ggml_tensor* result = nullptr;
  std::string outName, stateName;
  Array out, state;
  bool stateTransposed = false;

private:
  std::vector<std::pair<ggml_tensor*, std::vector<float>>> fills;
  ggml_tensor* indices = nullptr;
};

/// Gated delta rule; `perKey` is Kimi delta attention. ggml scales the readout by 1/sqrt(K) itself.
void deltaRule(Problem& p, bool perKey) {
  auto [B, T, H, G, dims] = p.shape;
  int64_t K = p.shape.dim("K"), V = p.shape.dim("V");
  if (K != V)
    fail("ggml's op wants K = V");
  const Array& q = p.in("q", map(p.random.directions({B, T, H, K}),
                                 [&](double x) { return x / std::sqrt(double(K)); }));
  const Array& k = p.in("k", p.random.directions({B, T, H, K}));
  const Array& v = p.in("v", p.random.array({B, T, H, V}, -1, 1));
  std::vector<int64_t> gateShape = {B, T, H};
  if (perKey)
    gateShape.push_back(K);
  const Array& g = p.in("g", p.random.array(gateShape, -0.1f, -0.001f));
  const Array& beta = p.in("beta", p.random.array({B, T, H}, 0.1f, 0.9f));
  const Array& S = p.in("S", p.random.array({B, H, K, V}, -0.1f, 0.1f));
  Array unscaled = map(q, [&](double x) { return x * std::sqrt(double(K)); });
  p.result = ggml_gated_delta_net(
      p.context, p.tensor(unscaled, {K, H, T, B}), p.tensor(k, {K, H, T, B}),
      p.tensor(v, {V, H, T, B}), p.tensor(g, {perKey ? K : 1, H, T, B}),
      p.tensor(beta, {1, H, T, B}), p.tensor(transposeInner(S), {K, V, H, B}), /*K=*/1);
  p.outName = "o";
  p.out = Array({B, T, H, V});
  p.stateName = "S";
  p.state = Array({B, H, V, K});
  p.stateTransposed = true;
}

double inverseSoftplus(double x) {
  return std::log(std::expm1(x));
}

/// ggml applies softplus to dt, and knows no D.
void mamba2(Problem& p) {
  auto [B, T, H, G, dims] = p.shape;
  int64_t P = p.shape.dim("P"), N = p.shape.dim("N");
  const Array& x = p.in("x", p.random.array({B, T, H, P}, -1, 1));
  const Array& dt = p.in("dt", p.random.array({B, T, H}, 0.01f, 0.1f));
  const Array& b = p.in("B", p.random.array({B, T, G, N}, -1, 1));
  const Array& c = p.in("C", p.random.array({B, T, G, N}, -1, 1));
  const Array& a = p.in("A", p.random.array({H}, -4, -0.5f));
  p.in("D", Array({H}));
  const Array& h = p.in("h", p.random.array({B, H, P, N}, -0.1f, 0.1f));
  p.result = ggml_ssm_scan(p.context, p.tensor(h, {N, P, H, B}), p.tensor(x, {P, H, T, B}),
                           p.tensor(map(dt, inverseSoftplus), {H, T, B}), p.tensor(a, {1, H}),
                           p.tensor(b, {N, G, T, B}), p.tensor(c, {N, G, T, B}),
                           p.sequenceIndices(), /*K=*/1);
  p.outName = "y";
  p.out = Array({B, T, H, P});
  p.stateName = "h";
  p.state = Array({B, H, P, N});
}

/// One head of width P here; P heads of width one to ggml.
void mamba1(Problem& p) {
  auto [B, T, H, G, dims] = p.shape;
  int64_t P = p.shape.dim("P"), N = p.shape.dim("N");
  if (H != 1 || G != 1)
    fail("mamba1 is one head of width P: --heads 1 --groups 1");
  const Array& u = p.in("u", p.random.array({B, T, 1, P}, -1, 1));
  const Array& dt = p.in("dt", p.random.array({B, T, 1, P}, 0.01f, 0.1f));
  const Array& b = p.in("B", p.random.array({B, T, 1, N}, -1, 1));
  const Array& c = p.in("C", p.random.array({B, T, 1, N}, -1, 1));
  Array rates({1, P, N});
  for (size_t i = 0; i < rates.data.size(); ++i)
    rates.data[i] = -float(i % size_t(N) + 1) * p.random.uniform(0.8f, 1.2f);
  const Array& a = p.in("A", rates);
  p.in("D", Array({1, P}));
  const Array& h = p.in("h", p.random.array({B, 1, P, N}, -0.1f, 0.1f));
  p.result = ggml_ssm_scan(p.context, p.tensor(h, {N, 1, P, B}), p.tensor(u, {1, P, T, B}),
                           p.tensor(map(dt, inverseSoftplus), {P, T, B}), p.tensor(a, {N, P}),
                           p.tensor(b, {N, 1, T, B}), p.tensor(c, {N, 1, T, B}),
                           p.sequenceIndices(), /*K=*/1);
  p.outName = "y";
  p.out = Array({B, T, 1, P});
  p.stateName = "h";
  p.state = Array({B, 1, P, N});
}

double exponential(double x) {
  return std::exp(x);
}

/// Here and in RWKV ggml is given the decay itself, so its time holds no exponential.
void gla(Problem& p) {
  auto [B, T, H, G, dims] = p.shape;
  int64_t K = p.shape.dim("K"), V = p.shape.dim("V");
  if (K != V)
    fail("ggml's op wants K = V");
  const Array& q = p.in("q", p.random.array({B, T, H, K}, -1, 1));
  const Array& k = p.in("k", p.random.array({B, T, H, K}, -1, 1));
  const Array& v = p.in("v", p.random.array({B, T, H, V}, -1, 1));
  const Array& g = p.in("g", p.random.array({B, T, H, K}, -0.2f, -0.001f));
  const Array& S = p.in("S", p.random.array({B, H, K, V}, -0.1f, 0.1f));
  p.result = ggml_gated_linear_attn(
      p.context, p.tensor(k, {K, H, T * B}), p.tensor(v, {V, H, T * B}), p.tensor(q, {K, H, T * B}),
      p.tensor(map(g, exponential), {K, H, T * B}), p.tensor(S, {K * V * H, B}), /*scale=*/1.0f);
  p.outName = "o";
  p.out = Array({B, T, H, V});
  p.stateName = "S";
  p.state = Array({B, H, K, V});
}

void rwkv6(Problem& p) {
  auto [B, T, H, G, dims] = p.shape;
  int64_t K = p.shape.dim("K"), V = p.shape.dim("V");
  if (K != V)
    fail("ggml's op wants K = V");
  const Array& r = p.in("r", p.random.array({B, T, H, K}, -1, 1));
  const Array& k = p.in("k", p.random.array({B, T, H, K}, -1, 1));
  const Array& v = p.in("v", p.random.array({B, T, H, V}, -1, 1));
  const Array& w = p.in("w", p.random.array({B, T, H, K}, -0.2f, -0.001f));
  const Array& u = p.in("u", p.random.array({H, K}, -1, 1));
  const Array& S = p.in("S", p.random.array({B, H, K, V}, -0.1f, 0.1f));
  p.result =
      ggml_rwkv_wkv6(p.context, p.tensor(k, {K, H, T * B}), p.tensor(v, {V, H, T * B}),
                     p.tensor(r, {K, H, T * B}), p.tensor(u, {K, H}),
                     p.tensor(map(w, exponential), {K, H, T * B}), p.tensor(S, {K * V * H, B}));
  p.outName = "o";
  p.out = Array({B, T, H, V});
  p.stateName = "S";
  p.state = Array({B, H, K, V});
}

void rwkv7(Problem& p) {
  auto [B, T, H, G, dims] = p.shape;
  int64_t K = p.shape.dim("K"), V = p.shape.dim("V");
  if (K != V)
    fail("ggml's op wants K = V");
  const Array& r = p.in("r", p.random.array({B, T, H, K}, -1, 1));
  const Array& w = p.in("w", p.random.array({B, T, H, K}, -0.5f, -0.001f));
  const Array& k = p.in("k", p.random.array({B, T, H, K}, -1, 1));
  const Array& v = p.in("v", p.random.array({B, T, H, V}, -1, 1));
  Array removal = p.random.directions({B, T, H, K});
  const Array& a = p.in("a", map(removal, [](double x) { return -x; }));
  const Array& b =
      p.in("b", map(removal, [&](double x) { return x * p.random.uniform(0.1f, 0.9f); }));
  const Array& S = p.in("S", p.random.array({B, H, K, V}, -0.1f, 0.1f));
  p.result = ggml_rwkv_wkv7(
      p.context, p.tensor(r, {K, H, T * B}), p.tensor(map(w, exponential), {K, H, T * B}),
      p.tensor(k, {K, H, T * B}), p.tensor(v, {V, H, T * B}), p.tensor(a, {K, H, T * B}),
      p.tensor(b, {K, H, T * B}), p.tensor(transposeInner(S), {K * V * H, B}));
  p.outName = "o";
  p.out = Array({B, T, H, V});
  p.stateName = "S";
  p.state = Array({B, H, V, K});
  p.stateTransposed = true;
}

const std::map<std::string, std::function<void(Problem&)>> ops = {
    {"gated_delta_rule", [](Problem& p) { deltaRule(p, false); }},
    {"kda", [](Problem& p) { deltaRule(p, true); }},
    {"mamba1", mamba1},
    {"mamba2", mamba2},
    {"gla", gla},
    {"rwkv6", rwkv6},
    {"rwkv7", rwkv7},
};

//===----------------------------------------------------------------------===//
// Command line, timing
//===----------------------------------------------------------------------===//

struct Options {
  std::string op, dims, dump, backend = "cpu";
  Shape shape;
  int threads = 1, repeat = 20, warmup = 3;
  uint64_t seed = 1;
};

int64_t number(const std::string& flag, const std::string& text, int64_t least) {
  char* end = nullptr;
  long long value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end || value < least || value > (1 << 30))
    fail(flag + " wants a number of at least " + std::to_string(least) + ", not '" + text + "'");
  return value;
}

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    if (flag == "--help") {
      std::puts("usage: ggml_ops --op OP --dims K=128,V=128 [--batch 1] [--heads 16] [--groups 1]\n"
                "                [--time 1024] [--backend cpu|vulkan] [--threads 1] [--repeat 20]\n"
                "                [--warmup 3] [--seed 1] [--dump DIR]\n"
                "ops:");
      for (auto& [name, build] : ops)
        std::printf("  %s\n", name.c_str());
      std::exit(0);
    }
    if (i + 1 == argc)
      fail("no value after " + flag);
    std::string value = argv[++i];
    if (flag == "--op")
      o.op = value;
    else if (flag == "--dump")
      o.dump = value;
    else if (flag == "--backend")
      o.backend = value;
    else if (flag == "--batch")
      o.shape.batch = number(flag, value, 1);
    else if (flag == "--heads")
      o.shape.heads = number(flag, value, 1);
    else if (flag == "--groups")
      o.shape.groups = number(flag, value, 1);
    else if (flag == "--time")
      o.shape.time = number(flag, value, 1);
    else if (flag == "--threads")
      o.threads = int(number(flag, value, 1));
    else if (flag == "--repeat")
      o.repeat = int(number(flag, value, 1));
    else if (flag == "--warmup")
      o.warmup = int(number(flag, value, 0));
    else if (flag == "--seed")
      o.seed = uint64_t(number(flag, value, 0));
    else if (flag == "--dims") {
      o.dims = value;
      for (size_t at = 0; at < value.size();) {
        size_t comma = std::min(value.find(',', at), value.size());
        std::string item = value.substr(at, comma - at);
        size_t equals = item.find('=');
        if (equals == std::string::npos)
          fail("--dims wants NAME=SIZE, not '" + item + "'");
        o.shape.dims[item.substr(0, equals)] = number(flag, item.substr(equals + 1), 1);
        at = comma + 1;
      }
    } else
      fail("unknown option " + flag);
  }
  if (!ops.count(o.op))
    fail(o.op.empty() ? "--op is missing" : "unknown op '" + o.op + "'");
  if (o.backend != "cpu" && o.backend != "vulkan")
    fail("--backend wants cpu or vulkan, not '" + o.backend + "'");
  return o;
}

ggml_backend_t openBackend(const Options& o) {
  if (o.backend == "cpu") {
    ggml_backend_t backend = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(backend, o.threads);
    return backend;
  }
#ifdef GGML_USE_VULKAN
  // Without a loader or a driver that it can use there is nothing to register.
  if (!ggml_backend_vk_reg() || ggml_backend_vk_get_device_count() == 0)
    fail("ggml finds no Vulkan device");
  try {
    return ggml_backend_vk_init(0);
  } catch (const std::exception& error) {
    fail(std::string("ggml cannot use this Vulkan device: ") + error.what());
  }
#else
  fail("this ggml was built without Vulkan");
#endif
}

/// Whether the op computes what it should. Asked about RWKV, ggml's Vulkan back end says yes to
/// heads of any size, but its shaders know those of 64 alone.
bool supports(ggml_backend_t backend, const Options& o, const ggml_tensor* op) {
  bool rwkv = op->op == GGML_OP_RWKV_WKV6 || op->op == GGML_OP_RWKV_WKV7;
  if (o.backend == "vulkan" && rwkv && o.shape.dim("K") != 64)
    return false;
  return ggml_backend_supports_op(backend, op);
}

/// The value below which the fraction q of the sorted samples lies, by linear interpolation.
double quantile(const std::vector<double>& sorted, double q) {
  double at = q * double(sorted.size() - 1);
  size_t i = std::min(size_t(at), sorted.size() - 1), j = std::min(i + 1, sorted.size() - 1);
  return sorted[i] + (at - double(i)) * (sorted[j] - sorted[i]);
}

} // namespace

int main(int argc, char** argv) {
  Options o = parse(argc, argv);
  ggml_backend_t backend = openBackend(o);
  ggml_context* context =
      ggml_init({/*mem_size=*/ggml_tensor_overhead() * 32 + ggml_graph_overhead(),
                 /*mem_buffer=*/nullptr, /*no_alloc=*/true});
  Problem problem(context, o.shape, o.seed);
  ops.at(o.op)(problem);
  ggml_cgraph* graph = ggml_new_graph(context);
  ggml_build_forward_expand(graph, problem.result);
  if (!supports(backend, o, problem.result))
    fail("ggml's " + o.backend + " back end has no " + o.op + " with " + o.dims);
  ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(context, backend);
  if (!buffer)
    fail("not enough memory");
  problem.fill();

  auto compute = [&](int64_t calls) {
    auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < calls; ++i)
      if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS)
        fail("ggml_backend_graph_compute failed");
    std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    return elapsed.count() / double(calls);
  };

  double once = compute(1);
  for (int i = 0; i < o.warmup; ++i)
    once = std::min(once, compute(1));
  // A sample of a short op is the mean of enough calls to make the clock's grain vanish.
  int64_t calls = std::max<int64_t>(1, int64_t(2.0 / once));
  std::vector<double> samples;
  for (int i = 0; i < o.repeat; ++i)
    samples.push_back(compute(calls));
  std::sort(samples.begin(), samples.end());

  if (!o.dump.empty()) {
    size_t outBytes = problem.out.data.size() * sizeof(float);
    ggml_backend_tensor_get(problem.result, problem.out.data.data(), 0, outBytes);
    ggml_backend_tensor_get(problem.result, problem.state.data.data(), outBytes,
                            problem.state.data.size() * sizeof(float));
    for (auto& [name, array] : problem.inputs)
      writeNpy(o.dump + "/in_" + name + ".npy", array);
    writeNpy(o.dump + "/out_" + problem.outName + ".npy", problem.out);
    writeNpy(o.dump + "/out_" + problem.stateName + ".npy",
             problem.stateTransposed ? transposeInner(problem.state) : problem.state);
  }

  double median = quantile(samples, 0.5);
  std::printf("{\"ggml\": \"%s (%s)\", \"backend\": \"%s\", \"device\": \"%s\", "
              "\"op\": \"%s\", \"dims\": \"%s\", \"batch\": %lld, \"time\": %lld, \"heads\": %lld, "
              "\"threads\": %d, \"repeat\": %d, \"calls\": %lld, \"median_ms\": %.6g, "
              "\"min_ms\": %.6g, \"p25_ms\": %.6g, \"p75_ms\": %.6g, \"max_ms\": %.6g, "
              "\"tokens_per_s\": %.6g}\n",
              ggml_version(), ggml_commit(), o.backend.c_str(),
              ggml_backend_dev_description(ggml_backend_get_device(backend)), o.op.c_str(),
              o.dims.c_str(), (long long)o.shape.batch, (long long)o.shape.time,
              (long long)o.shape.heads, o.threads, o.repeat, (long long)calls, median, samples[0],
              quantile(samples, 0.25), quantile(samples, 0.75), samples.back(),
              double(o.shape.batch * o.shape.time) / median * 1e3);
  ggml_backend_buffer_free(buffer);
  ggml_backend_free(backend);
  ggml_free(context);
  return 0;
}
