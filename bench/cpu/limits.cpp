// What this machine can do at best with a number of threads: f32 multiply-adds, copying from and to
// memory, exponentials. One JSON object on stdout.
//
//   limits [--threads 1] [--mib 256]

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <omp.h>
#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
constexpr const char* isa = "avx512";
using Vector = __m512;
inline Vector fill(float x) {
  return _mm512_set1_ps(x);
}
inline Vector multiplyAdd(Vector a, Vector b, Vector c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Vector powerOfTwo(Vector p, Vector n) {
  return _mm512_scalef_ps(p, n);
}
inline Vector nearest(Vector x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline void streamStore(float* to, const float* from) {
  _mm512_stream_ps(to, _mm512_load_ps(from));
}
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int lanes = 8;
constexpr const char* isa = "avx2";
using Vector = __m256;
inline Vector fill(float x) {
  return _mm256_set1_ps(x);
}
inline Vector multiplyAdd(Vector a, Vector b, Vector c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline Vector powerOfTwo(Vector p, Vector n) {
  __m256i e = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), e));
}
inline Vector nearest(Vector x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline void streamStore(float* to, const float* from) {
  _mm256_stream_ps(to, _mm256_load_ps(from));
}
#else
#error "limits.cpp wants AVX2 with FMA, or AVX-512"
#endif

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Keeps the compiler from moving or dropping what computes the value.
inline void keep(Vector& v) {
  asm volatile("" : "+v"(v));
}

/// The best rate of several trials; each trial has all threads do the work at once.
template <typename Work>
double bestRate(int threads, int trials, double amountPerThread, Work work) {
  double best = 0;
  for (int trial = 0; trial < trials; ++trial) {
    double start = 0, end = 0;
#pragma omp parallel num_threads(threads)
    {
#pragma omp barrier
#pragma omp master
      start = now();
#pragma omp barrier
      work(omp_get_thread_num());
#pragma omp barrier
#pragma omp master
      end = now();
    }
    best = std::max(best, amountPerThread * threads / (end - start));
  }
  return best;
}

/// Twelve independent chains hide a latency of up to six cycles at two instructions a cycle.
double multiplyAddFlops(int threads) {
  constexpr int chains = 12, steps = 500000;
  return bestRate(threads, 60, 2.0 * chains * lanes * steps, [](int) {
    Vector a[chains], m = fill(0.999f), c = fill(0.001f);
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i)
      a[i] = fill(float(i));
    for (int s = 0; s < steps; ++s)
#pragma GCC unroll 12
      for (int i = 0; i < chains; ++i) {
        a[i] = multiplyAdd(a[i], m, c);
        keep(a[i]);
      }
  });
}

/// exp by range reduction and a polynomial of degree six: the work that any accurate f32 exp needs.
inline Vector exponential(Vector x) {
  Vector n = nearest(multiplyAdd(x, fill(1.442695041f), fill(0.0f)));
  Vector r = multiplyAdd(n, fill(-0.693359375f), x);
  r = multiplyAdd(n, fill(2.12194440e-4f), r);
  Vector p = fill(1.3888889e-3f);
  for (float c : {8.3333333e-3f, 4.1666668e-2f, 0.16666667f, 0.5f, 1.0f, 1.0f})
    p = multiplyAdd(p, r, fill(c));
  return powerOfTwo(p, n);
}

double exponentials(int threads) {
  constexpr int chains = 8, steps = 100000;
  return bestRate(threads, 40, double(chains) * lanes * steps, [](int) {
    Vector x[chains];
#pragma GCC unroll 8
    for (int i = 0; i < chains; ++i)
      x[i] = fill(-0.1f * float(i + 1));
    for (int s = 0; s < steps; ++s)
#pragma GCC unroll 8
      for (int i = 0; i < chains; ++i) {
        Vector y = x[i];
        keep(y);
        y = exponential(y);
        keep(y);
      }
  });
}

/// Bytes read plus bytes written a second by the better of a plain and a streaming copy.
double copyBytes(int threads, size_t mib) {
  size_t count = (mib << 20) / sizeof(float) / size_t(threads) / 1024 * 1024;
  size_t bytes = count * sizeof(float) * size_t(threads);
  auto allocate = [&] {
    return std::unique_ptr<float, decltype(&std::free)>(
        static_cast<float*>(std::aligned_alloc(4096, bytes)), &std::free);
  };
  auto from = allocate(), to = allocate();
  if (!from || !to) {
    std::fprintf(stderr, "limits: not enough memory for --mib %zu\n", mib);
    std::exit(2);
  }
  std::memset(from.get(), 1, bytes);
  std::memset(to.get(), 0, bytes);
  double moved = 2.0 * double(count) * sizeof(float);
  double plain = bestRate(threads, 5, moved, [&](int t) {
    std::memcpy(to.get() + size_t(t) * count, from.get() + size_t(t) * count,
                count * sizeof(float));
  });
  double streaming = bestRate(threads, 5, moved, [&](int t) {
    const float* f = from.get() + size_t(t) * count;
    float* d = to.get() + size_t(t) * count;
    for (size_t i = 0; i < count; i += lanes)
      streamStore(d + i, f + i);
    _mm_sfence();
  });
  return std::max(plain, streaming);
}

} // namespace

int main(int argc, char** argv) {
  int threads = 1;
  size_t mib = 256;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--threads"))
      threads = std::max(1, std::atoi(argv[i + 1]));
    else if (!std::strcmp(argv[i], "--mib"))
      mib = size_t(std::max(16, std::atoi(argv[i + 1])));
    else {
      std::fprintf(stderr, "usage: limits [--threads N] [--mib N]\n");
      return 2;
    }
  }
  std::printf("{\"isa\": \"%s\", \"threads\": %d, \"fma_gflops\": %.4g, \"exp_gops\": %.4g, "
              "\"copy_gbs\": %.4g}\n",
              isa, threads, multiplyAddFlops(threads) * 1e-9, exponentials(threads) * 1e-9,
              copyBytes(threads, mib) * 1e-9);
  return 0;
}
