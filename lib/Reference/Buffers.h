// Values of a step as dense arrays of f64, and loops over several of them at once.
#pragma once

#include "Scalars.h"
#include "ssmc/Reference/Sizes.h"

#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <vector>

namespace ssmc::reference {

/// The elements of one value, in C order over its labels as its type sorts them. A complex element
/// is two doubles.
struct Buffer {
  llvm::SmallVector<int64_t, 4> extents;
  bool complex = false;
  int64_t count = 0;
  std::vector<double> data;

  /// Distance in elements between neighbours along the axis of this number.
  int64_t stride(unsigned axis) const;
  /// The elements as `double` or as `Complex`.
  template <typename T> T* as() { return reinterpret_cast<T*>(data.data()); }
};

/// The buffers of all values of a recurrence.
class Buffers {
public:
  Buffers(ssm::RecurrenceOp recurrence, const Sizes& sizes)
      : recurrence(recurrence), sizes(sizes) {}

  /// Made at the first request; its address stays.
  Buffer& get(mlir::Value value);
  /// An empty buffer of a type's extents, without data.
  Buffer shapeOf(ssm::ArrayType type) const;
  int64_t extentOf(ssm::AxisAttr axis) const;

  /// The fold's current position.
  int64_t& position(mlir::Operation* fold);

private:
  ssm::RecurrenceOp recurrence;
  const Sizes& sizes;
  llvm::DenseMap<mlir::Value, std::unique_ptr<Buffer>> buffers;
  llvm::DenseMap<mlir::Operation*, std::unique_ptr<int64_t>> positions;
};

/// A nest of loops over `extents`, outermost first, in which every operand moves by its own
/// strides.
struct Nest {
  llvm::SmallVector<int64_t, 4> extents;
  /// By operand, then by loop.
  llvm::SmallVector<llvm::SmallVector<int64_t, 4>, 3> strides;

  /// Joins loops that all operands run through without a jump; at least one loop remains.
  void collapse();

  /// Calls body(offsets, n, steps) for each run of the innermost loop: the operands' offsets at its
  /// start, its length, and their strides along it.
  template <typename Body> void run(Body body) const {
    size_t loops = extents.size(), operands = strides.size();
    llvm::SmallVector<int64_t, 4> index(loops, 0), offsets(operands, 0), steps(operands);
    for (size_t k = 0; k < operands; ++k)
      steps[k] = strides[k].back();
    for (int64_t extent : extents)
      if (extent == 0)
        return;
    while (true) {
      body(llvm::ArrayRef<int64_t>(offsets), extents.back(), llvm::ArrayRef<int64_t>(steps));
      size_t loop = loops - 1;
      while (loop-- > 0) {
        for (size_t k = 0; k < operands; ++k)
          offsets[k] += strides[k][loop];
        if (++index[loop] < extents[loop])
          break;
        for (size_t k = 0; k < operands; ++k)
          offsets[k] -= strides[k][loop] * extents[loop];
        index[loop] = 0;
      }
      if (loop == size_t(-1))
        return;
    }
  }
};

/// The nest over the labels of `result` with the strides of result and operands, 0 along labels
/// that an operand lacks.
Nest alignByLabel(mlir::Value result, mlir::ValueRange operands, Buffers& buffers);

/// The nest in which each element of an op's operand meets the element of the result that it is
/// copied to or reduced into, result first: of sum, maximum, relabel, broadcast and at. Of at, the
/// operand's elements lie beyond those by its stride along the label for each position of the fold.
Nest resultAndOperand(mlir::Operation* op, Buffers& buffers);

/// The fold over whose positions an `at` goes.
ssm::FoldOp foldOf(ssm::AtOp at);
/// The stride of an `at`'s operand along its label.
int64_t strideOf(ssm::AtOp at, Buffers& buffers);

/// What computes the results of one op from its operands.
using Kernel = std::function<void()>;

/// Fails where the op is not defined for its operands' element types.
llvm::Expected<Kernel> makePointwiseKernel(mlir::Operation* op, Buffers& buffers);
/// For constant, sum, maximum, relabel, broadcast and at.
Kernel makeLabelKernel(mlir::Operation* op, Buffers& buffers);

} // namespace ssmc::reference
