// What moves between two levels of the memory.
//
// The footprint of a loop is what it touches, each place once. A loop whose footprint fits a level
// costs that level its footprint, once for each time that the loop is entered. So does one of which
// a round fits: what a round touched is still there in the next. Of any other each round brings in
// anew what its parts want. Worked by hand: a matrix of 64 KiB read once in each of 10 rounds, with
// a level of 32 KiB. Its rows fit, the matrix does not, so that each of the 10 rounds moves 64 KiB.
#include "Traffic.h"
#include "Loops.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

using namespace ssmc::cpu;

namespace {

constexpr double line = 64;

/// The loops from an access's own outwards, as far as the loop whose footprint is asked for.
using Path = llvm::SmallVector<const Loop*, 8>;

/// What an access touches: `bytes` of distinct places between two addresses.
struct Span {
  double first, last, bytes;
};

} // namespace

/// Places next to each other grow together; what is further apart counts line by line.
static Span spanOf(const Access& access, llvm::ArrayRef<const Loop*> path) {
  llvm::SmallVector<std::pair<double, double>, 8> moves; // bytes a round, rounds
  for (const Loop* loop : path)
    if (double slope = std::abs(access.slopes[loop->depth]); slope > 0 && loop->rounds > 1)
      moves.push_back({slope, loop->rounds});
  llvm::sort(moves);
  double extent = double(access.bytes), pieces = 1, reach = extent;
  for (auto [slope, rounds] : moves) {
    reach += slope * (rounds - 1);
    if (slope <= std::max(extent, line))
      extent = std::max(extent, slope) + slope * (rounds - 1);
    else
      pieces *= rounds;
  }
  double middle = double(access.address) + double(access.bytes) / 2;
  return {middle - reach / 2, middle + reach / 2, pieces * std::max(extent, line)};
}

static void collect(const Loop& loop, Path& path, std::vector<Span>& spans) {
  for (const Access& access : loop.accesses)
    spans.push_back(spanOf(access, path));
  for (const auto& inner : loop.inner) {
    path.push_back(inner.get());
    collect(*inner, path, spans);
    path.pop_back();
  }
}

/// Bytes of distinct places: accesses between the same addresses share them.
static double sizeOf(std::vector<Span>& spans) {
  llvm::sort(spans, [](const Span& a, const Span& b) {
    return std::tie(a.first, a.last) < std::tie(b.first, b.last);
  });
  double sum = 0;
  for (size_t i = 0; i < spans.size();) {
    double first = spans[i].first, last = spans[i].last, bytes = 0;
    size_t next = i;
    for (; next < spans.size() && (next == i || spans[next].first < last); ++next) {
      const Span& span = spans[next];
      // The same place as the access before: a sum that is read and written.
      bool again =
          next > i && span.first == spans[next - 1].first && span.last == spans[next - 1].last;
      if (!again)
        bytes += span.bytes;
      last = std::max(last, span.last);
    }
    sum += std::min(bytes, std::max(last - first, line));
    i = next;
  }
  return sum;
}

/// The footprint of one round of a loop, or of all of them.
static double footprint(const Loop& loop, bool allRounds) {
  std::vector<Span> spans;
  Path path;
  if (allRounds)
    path.push_back(&loop);
  collect(loop, path, spans);
  return sizeOf(spans);
}

double ssmc::cpu::trafficOf(const Loop& loop, double bytes) {
  double whole = footprint(loop, /*allRounds=*/true);
  if (whole <= bytes)
    return whole;
  double round = footprint(loop, /*allRounds=*/false);
  // What is a little too large loses a little: replacement is not strictly of the oldest.
  double lost = std::clamp(round / bytes - 1, 0.0, 1.0);
  if (lost == 0)
    return whole;
  std::vector<Span> own;
  for (const Access& access : loop.accesses)
    own.push_back(spanOf(access, {}));
  double sum = sizeOf(own);
  for (const auto& inner : loop.inner)
    sum += trafficOf(*inner, bytes);
  return whole + lost * std::max(0.0, loop.rounds * sum - whole);
}
