#include "ChunkOpsCases.h"

#include <algorithm>
#include <cmath>

using namespace ssmc::test;

static constexpr int64_t K = 21, V = 3;

/// Calls `body(first, count)` for each chunk.
static void forChunks(const Sizes& sizes, llvm::function_ref<void(int64_t, int64_t)> body) {
  for (int64_t first = 0; first < sizes.time; first += chunkSteps)
    body(first, std::min(chunkSteps, sizes.time - first));
}

/// A kernel of operands and the body of a sequence over chunks; `KT`, `ST` … stand for types.
static std::string kernel(std::string operands, std::string body) {
  auto replace = [](std::string text) {
    for (auto [from, to] : {std::pair("KST", "[i: 21, s: 20, t: 20]"),
                            std::pair("KT", "[i: 21, t: 20]"), std::pair("VT", "[j: 3, t: 20]"),
                            std::pair("ST", "[s: 20, t: 20]"), std::pair("TT", "[t: 20]")})
      for (size_t at; (at = text.find(from)) != std::string::npos;)
        text.replace(at, std::string(from).size(), to);
    return text;
  };
  // Operands are written as NAME:ROLE:AXES.
  std::string list;
  for (size_t at = 0; at < operands.size();) {
    size_t end = std::min(operands.find(' ', at), operands.size());
    std::string one = operands.substr(at, end - at);
    size_t colon = one.find(':'), second = one.find(':', colon + 1);
    std::string axes = one.substr(second + 1);
    list += (list.empty() ? "" : ", ") + ("#tile.operand<\"" + one.substr(0, colon) + "\" ") +
            one.substr(colon + 1, second - colon - 1) + " [" +
            (axes == "K"   ? "i: 21"
             : axes == "V" ? "j: 3"
             : axes == "S" ? "s: 20"
                           : "") +
            "] f32 head>";
    at = end + 1;
  }
  return "tile.kernel @k operands [" + list + "] {\n  tile.sequence over [t: 20] axis 0 {\n" +
         replace(body) + "    tile.yield\n  }\n}\n";
}

/// A decay that is zero at some steps and negative at others, from a number in [-1, 1].
static double decayOf(double x) {
  return std::fabs(x) < 0.2 ? 0 : x;
}

static std::string decay(const std::string& name, const std::string& type) {
  return "    %raw = tile.load \"" + name + "\" : " + type + R"(
    %least = ssm.constant 2.000000e-01
    %none = ssm.constant 0.0
    %size = ssm.abs %raw : )" +
         type + "\n    %small = ssm.cmp lt %size, %least : " + type +
         ", []\n    %d = ssm.select %small, %none, %raw : " + type + " i1, [], " + type + "\n";
}

/// The product of decay(l) for from < l <= to, or l < to if strict.
template <typename Decay>
static double between(int64_t to, int64_t from, bool strict, Decay decay) {
  if (strict ? from >= to : from > to)
    return 0;
  double product = 1;
  for (int64_t l = from + 1; strict ? l < to : l <= to; ++l)
    product *= decay(l);
  return product;
}

//===-- along one label ----------------------------------------------------------------------===//

static ChunkCase cumprod() {
  return {"cumprod", kernel("x:in:K a:out:K b:out:K c:out:K e:out:K", decay("x", "KT") + R"(
    %a = ssm.cumprod %d along "t" : KT
    %b = ssm.cumprod %d along "t" exclusive : KT
    %c = ssm.cumprod %d along "t" reverse : KT
    %e = ssm.cumprod %d along "t" exclusive reverse : KT
    tile.store "a", %a : KT
    tile.store "b", %b : KT
    tile.store "c", %c : KT
    tile.store "e", %e : KT
)"),
          [](ItemView item) {
            forChunks(item.sizes, [&](int64_t first, int64_t count) {
              for (int64_t i = 0; i < K; ++i)
                for (int64_t t = 0; t < count; ++t) {
                  double products[4] = {1, 1, 1, 1};
                  for (int64_t l = 0; l < count; ++l) {
                    double x = decayOf(item.at("x", 'i', first + l)[i]);
                    products[0] *= l <= t ? x : 1;
                    products[1] *= l < t ? x : 1;
                    products[2] *= l >= t ? x : 1;
                    products[3] *= l > t ? x : 1;
                  }
                  for (int k = 0; k < 4; ++k)
                    item.at(std::string(1, "abce"[k]), 'o', first + t)[i] = products[k];
                }
            });
          }};
}

static ChunkCase scan() {
  return {"scan", kernel("x:in:K d:in: h:param:K a:out:K b:out:K c:out:K e:out:K", R"(
    %x = tile.load "x" : KT
    %d = tile.load "d" : TT
    %h = tile.load "h" : [i: 21]
    %a = ssm.scan plus_times %d, %x from %h along "t" : TT, KT, [i: 21]
    %b = ssm.scan plus_times %d, %x from %h along "t" reverse : TT, KT, [i: 21]
    %c = ssm.scan max_plus %d, %x from %h along "t" : TT, KT, [i: 21]
    %e = ssm.scan max_plus %d, %x from %h along "t" reverse : TT, KT, [i: 21]
    tile.store "a", %a : KT
    tile.store "b", %b : KT
    tile.store "c", %c : KT
    tile.store "e", %e : KT
)"),
          [](ItemView item) {
            forChunks(item.sizes, [&](int64_t first, int64_t count) {
              for (int64_t i = 0; i < K; ++i)
                for (bool reverse : {false, true}) {
                  double sum = item.at("h", 'p')[i], top = sum;
                  for (int64_t step = 0; step < count; ++step) {
                    int64_t t = first + (reverse ? count - 1 - step : step);
                    double d = *item.at("d", 'i', t), x = item.at("x", 'i', t)[i];
                    item.at(reverse ? "b" : "a", 'o', t)[i] = sum = d * sum + x;
                    item.at(reverse ? "e" : "c", 'o', t)[i] = top = std::max(d + top, x);
                  }
                }
            });
          }};
}

/// Two vectors, of K and of one element, each from both; the matrix of the first to itself at each
/// step, the others the same at all.
static ChunkCase matrixScan() {
  return {"matrix_scan", kernel("x:in:K y:in: w:in:K h:param:K a:out:K b:out: c:out:K e:out:", R"(
    %x = tile.load "x" : KT
    %y = tile.load "y" : TT
    %w = tile.load "w" : KT
    %h = tile.load "h" : [i: 21]
    %l = ssm.relabel %h [i] to [l] : [i: 21]
    %none = ssm.constant 0.0
    %h1 = ssm.broadcast %none : [] to []
    %m = ssm.mul %w, %l : KT, [l: 21]
    %ab:2 = ssm.matrix_scan (%m, %h, %l, %none : [i: 21, l: 21, t: 20], [i: 21], [l: 21], []) (%x, %y : KT, TT)
      from (%h, %h1 : [i: 21], []) over [t: 20] rows [i] columns [l]
    %ce:2 = ssm.matrix_scan (%m, %h, %l, %none : [i: 21, l: 21, t: 20], [i: 21], [l: 21], []) (%x, %y : KT, TT)
      from (%h, %h1 : [i: 21], []) over [t: 20] rows [i] columns [l] reverse
    tile.store "a", %ab#0 : KT
    tile.store "b", %ab#1 : TT
    tile.store "c", %ce#0 : KT
    tile.store "e", %ce#1 : TT
)"),
          [](ItemView item) {
            forChunks(item.sizes, [&](int64_t first, int64_t count) {
              for (bool reverse : {false, true}) {
                const double* h = item.at("h", 'p');
                std::vector<double> vector(h, h + K);
                double number = 0;
                for (int64_t step = 0; step < count; ++step) {
                  int64_t t = first + (reverse ? count - 1 - step : step);
                  double met = 0, before = number;
                  for (int64_t l = 0; l < K; ++l)
                    met += h[l] * vector[l];
                  for (int64_t i = 0; i < K; ++i)
                    vector[i] =
                        item.at("w", 'i', t)[i] * met + h[i] * before + item.at("x", 'i', t)[i];
                  number = met + *item.at("y", 'i', t);
                  std::copy(vector.begin(), vector.end(), &item.at(reverse ? "c" : "a", 'o', t)[0]);
                  *item.at(reverse ? "e" : "b", 'o', t) = number;
                }
              }
            });
          }};
}

static ChunkCase shift() {
  return {"shift", kernel("x:in:K h:param:K a:out:K b:out:K", R"(
    %x = tile.load "x" : KT
    %h = tile.load "h" : [i: 21]
    %a = ssm.shift %x, %h along "t" : KT, [i: 21]
    %b = ssm.shift %x, %h along "t" reverse : KT, [i: 21]
    tile.store "a", %a : KT
    tile.store "b", %b : KT
)"),
          [](ItemView item) {
            forChunks(item.sizes, [&](int64_t first, int64_t count) {
              for (int64_t i = 0; i < K; ++i)
                for (int64_t t = 0; t < count; ++t) {
                  double h = item.at("h", 'p')[i];
                  item.at("a", 'o', first + t)[i] = t ? item.at("x", 'i', first + t - 1)[i] : h;
                  item.at("b", 'o', first + t)[i] =
                      t + 1 < count ? item.at("x", 'i', first + t + 1)[i] : h;
                }
            });
          }};
}

static ChunkCase last() {
  return {"last, position, sum", kernel("x:in:K a:out:K b:out:K n:out:", R"(
    %x = tile.load "x" : KT
    %one = ssm.last %x "t" : KT
    %a = ssm.broadcast %one : [i: 21] to KT
    %all = ssm.sum %x over [t] : KT
    %b = ssm.broadcast %all : [i: 21] to KT
    %n = ssm.position over TT
    tile.store "a", %a : KT
    tile.store "b", %b : KT
    tile.store "n", %n : TT
)"),
          [](ItemView item) {
            forChunks(item.sizes, [&](int64_t first, int64_t count) {
              for (int64_t t = 0; t < count; ++t) {
                *item.at("n", 'o', first + t) = double(t);
                for (int64_t i = 0; i < K; ++i) {
                  item.at("a", 'o', first + t)[i] = item.at("x", 'i', first + count - 1)[i];
                  double& sum = item.at("b", 'o', first + t)[i] = 0;
                  for (int64_t l = 0; l < count; ++l)
                    sum += item.at("x", 'i', first + l)[i];
                }
              }
            });
          }};
}

//===-- rows and columns ---------------------------------------------------------------------===//

// Matrices are read as chunks read them, by a sum over their columns, which sees the steps that
// exist: rows of random weights tell any two of them apart.

static ChunkCase span() {
  return {"span", kernel("x:in:K w:in:K a:out:K b:out:K", decay("x", "KT") + R"(
    %w = tile.load "w" : KT
    %ws = ssm.relabel %w [t] to [s] : KT
    %a = ssm.span %d rows "t" columns "s" : KT
    %b = ssm.span %d rows "t" columns "s" strict : KT
    %aw = ssm.mul %a, %ws : KST, [i: 21, s: 20]
    %bw = ssm.mul %b, %ws : KST, [i: 21, s: 20]
    %asum = ssm.sum %aw over [s] : KST
    %bsum = ssm.sum %bw over [s] : KST
    tile.store "a", %asum : KT
    tile.store "b", %bsum : KT
)"),
          [](ItemView item) {
            forChunks(item.sizes, [&](int64_t first, int64_t count) {
              for (bool strict : {false, true})
                for (int64_t i = 0; i < K; ++i)
                  for (int64_t t = 0; t < count; ++t) {
                    double& sum = item.at(strict ? "b" : "a", 'o', first + t)[i] = 0;
                    for (int64_t s = 0; s < count; ++s)
                      sum +=
                          item.at("w", 'i', first + s)[i] * between(t, s, strict, [&](int64_t l) {
                            return decayOf(item.at("x", 'i', first + l)[i]);
                          });
                  }
            });
          }};
}

/// With a decay for all keys, or for each.
static ChunkCase gram(bool keyed) {
  std::string type = keyed ? "KT" : "TT", types = " : KT, KT, " + type + "\n";
  return {keyed ? "gram, decay inside" : "gram, decay apart",
          kernel(std::string("q:in:K k:in:K w:in: x:in:") + (keyed ? "K" : "") + " a:out: b:out:",
                 decay("x", type) + R"(
    %q = tile.load "q" : KT
    %k = tile.load "k" : KT
    %w = tile.load "w" : TT
    %ws = ssm.relabel %w [t] to [s] : TT
    %a = ssm.gram %q, %k decay %d over [i] rows "t" columns "s")" +
                     types + R"(
    %b = ssm.gram %q, %k decay %d over [i] rows "t" columns "s" strict)" +
                     types + R"(
    %aw = ssm.mul %a, %ws : ST, [s: 20]
    %bw = ssm.mul %b, %ws : ST, [s: 20]
    %asum = ssm.sum %aw over [s] : ST
    %bsum = ssm.sum %bw over [s] : ST
    tile.store "a", %asum : TT
    tile.store "b", %bsum : TT
)"),
          [keyed](ItemView item) {
            forChunks(item.sizes, [&](int64_t first, int64_t count) {
              for (bool strict : {false, true})
                for (int64_t t = 0; t < count; ++t) {
                  double& sum = *item.at(strict ? "b" : "a", 'o', first + t) = 0;
                  for (int64_t s = 0; s < count; ++s)
                    for (int64_t i = 0; i < K; ++i)
                      sum += *item.at("w", 'i', first + s) * item.at("q", 'i', first + t)[i] *
                             item.at("k", 'i', first + s)[i] *
                             between(t, s, strict, [&](int64_t l) {
                               return decayOf(item.at("x", 'i', first + l)[keyed ? i : 0]);
                             });
                }
            });
          }};
}

static ChunkCase apply(bool keyed) {
  std::string type = keyed ? "KT" : "TT", types = " : ST, KT, " + type + "\n";
  return {keyed ? "apply, decay inside" : "apply, decay apart",
          kernel(std::string("m:in:S k:in:K x:in:") + (keyed ? "K" : "") +
                     " a:out:K b:out:K c:out:K e:out:K",
                 decay("x", type) + R"(
    %m = tile.load "m" : ST
    %k = tile.load "k" : KT
    %a = ssm.apply %m, %k decay %d rows "t" columns "s")" +
                     types + R"(
    %b = ssm.apply %m, %k decay %d rows "t" columns "s" strict)" +
                     types + R"(
    %c = ssm.apply %m, %k decay %d rows "t" columns "s" transpose)" +
                     types + R"(
    %e = ssm.apply %m, %k decay %d rows "t" columns "s" strict transpose)" +
                     types + R"(
    tile.store "a", %a : KT
    tile.store "b", %b : KT
    tile.store "c", %c : KT
    tile.store "e", %e : KT
)"),
          [keyed](ItemView item) {
            forChunks(item.sizes, [&](int64_t first, int64_t count) {
              for (bool strict : {false, true})
                for (int64_t i = 0; i < K; ++i)
                  for (int64_t at = 0; at < count; ++at) {
                    double& sum = item.at(strict ? "b" : "a", 'o', first + at)[i] = 0;
                    double& turned = item.at(strict ? "e" : "c", 'o', first + at)[i] = 0;
                    auto term = [&](int64_t t, int64_t s, int64_t vector) {
                      return item.at("m", 'i', first + t)[s] *
                             item.at("k", 'i', first + vector)[i] *
                             between(t, s, strict, [&](int64_t l) {
                               return decayOf(item.at("x", 'i', first + l)[keyed ? i : 0]);
                             });
                    };
                    for (int64_t other = 0; other < count; ++other) {
                      sum += other <= at ? term(at, other, other) : 0;
                      turned += other >= at ? term(other, at, other) : 0;
                    }
                  }
            });
          }};
}

/// One unknown, and two that depend on each other. What matrices hold where they are not read is
/// random.
static ChunkCase solve(bool reverse) {
  std::string end = std::string(" rows \"t\" columns \"s\"") + (reverse ? " reverse\n" : "\n");
  return {reverse ? "solve, reverse" : "solve",
          kernel("v:in:V w:in:V l0:in:S l1:in:S l2:in:S l3:in:S p:out:V a:out:V b:out:V", R"(
    %v = tile.load "v" : VT
    %w = tile.load "w" : VT
    %l0 = tile.load "l0" : ST
    %l1 = tile.load "l1" : ST
    %l2 = tile.load "l2" : ST
    %l3 = tile.load "l3" : ST
    %p = ssm.solve (%v : VT) lower(%l0 : ST))" + end + R"(
    %ab:2 = ssm.solve (%v, %w : VT, VT) lower(%l0, %l1, %l2, %l3 : ST, ST, ST, ST))" + end + R"(
    tile.store "p", %p : VT
    tile.store "a", %ab#0 : VT
    tile.store "b", %ab#1 : VT
)"),
          [reverse](ItemView item) {
            forChunks(item.sizes, [&](int64_t first, int64_t count) {
              for (int64_t j = 0; j < V; ++j)
                for (int64_t step = 0; step < count; ++step) {
                  int64_t t = reverse ? count - 1 - step : step;
                  auto known = [&](const char* matrix, const char* unknown) {
                    double sum = 0;
                    for (int64_t s = reverse ? t + 1 : 0; s < (reverse ? count : t); ++s)
                      sum +=
                          item.at(matrix, 'i', first + t)[s] * item.at(unknown, 'o', first + s)[j];
                    return sum;
                  };
                  double v = item.at("v", 'i', first + t)[j], w = item.at("w", 'i', first + t)[j];
                  item.at("p", 'o', first + t)[j] = v + known("l0", "p");
                  item.at("a", 'o', first + t)[j] = v + known("l0", "a") + known("l1", "b");
                  item.at("b", 'o', first + t)[j] = w + known("l2", "a") + known("l3", "b");
                }
            });
          }};
}

std::vector<ChunkCase> ssmc::test::chunkCases() {
  return {cumprod(),   scan(),     matrixScan(), shift(),     last(),       span(),
          gram(false), gram(true), apply(false), apply(true), solve(false), solve(true)};
}
